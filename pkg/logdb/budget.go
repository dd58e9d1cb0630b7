package logdb

import (
	"container/list"
	"context"
	"fmt"
	"sync"

	"github.com/dustin/go-humanize"

	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// byteBudget bounds what all queries of the process decode into. A query reserves once, for all its workers, and gives
// everything back when it ends: none waits while it holds something, so none waits for ever. Who came first is served
// first.
type byteBudget struct {
	total int64

	mu      sync.Mutex // guards the fields below
	free    int64
	waiting list.List // of *reservation
}

// reservation asks for fixed bytes and for one to unitsMax units.
type reservation struct {
	fixed, unit int64
	unitsMax    int

	granted chan int // units; holds one
}

func newByteBudget(total int64) *byteBudget { return &byteBudget{total: total, free: total} }

// bytes is what so many units take.
func (r *reservation) bytes(units int) int64 { return r.fixed + int64(units)*r.unit }

// reserve waits until there is room for one unit and takes as many as there is room for then.
func (b *byteBudget) reserve(ctx context.Context, r reservation) (units int, err error) {
	if r.bytes(1) > b.total {
		return 0, fmt.Errorf("%w: the query meets a chunk that takes %s of memory; all queries together may have %s",
			storage.ErrLimit, humanize.IBytes(uint64(r.bytes(1))), humanize.IBytes(uint64(b.total)))
	}
	r.granted = make(chan int, 1)
	b.mu.Lock()
	at := b.waiting.PushBack(&r)
	b.grantLocked()
	b.mu.Unlock()
	select {
	case units = <-r.granted:
		return units, nil
	case <-ctx.Done():
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case units = <-r.granted: // at the last moment
		b.free += r.bytes(units)
	default:
		b.waiting.Remove(at)
	}
	b.grantLocked() // somebody may have waited behind this one
	return 0, fmt.Errorf("wait for memory: %w", ctx.Err())
}

// give takes a reservation back.
func (b *byteBudget) give(bytes int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.free += bytes
	b.grantLocked()
}

func (b *byteBudget) grantLocked() {
	for e := b.waiting.Front(); e != nil; e = b.waiting.Front() {
		r := e.Value.(*reservation)
		if r.bytes(1) > b.free {
			return
		}
		units := min(int64(r.unitsMax), (b.free-r.fixed)/max(r.unit, 1))
		b.free -= r.bytes(int(units))
		b.waiting.Remove(e)
		r.granted <- int(units)
	}
}
