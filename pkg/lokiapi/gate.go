package lokiapi

import (
	"context"
	"net/http"
)

// gate lets so many queries run at once and so many wait. Each running query holds memory up to its limits, so their
// number is what bounds the sum.
type gate struct {
	running chan struct{}
	entered chan struct{} // running and waiting together
}

func newGate(runningMax, waitingMax int) *gate {
	return &gate{
		running: make(chan struct{}, runningMax),
		entered: make(chan struct{}, runningMax+waitingMax),
	}
}

// enter waits for a turn. The caller calls leave when done, if there was no error.
func (g *gate) enter(ctx context.Context) error {
	select {
	case g.entered <- struct{}{}:
	default:
		return fail(http.StatusTooManyRequests, textTooMany)
	}
	select {
	case g.running <- struct{}{}:
		return nil
	case <-ctx.Done():
		<-g.entered
		return ctx.Err()
	}
}

func (g *gate) leave() {
	<-g.running
	<-g.entered
}
