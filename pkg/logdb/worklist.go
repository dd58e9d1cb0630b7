package logdb

import (
	"context"
	"sync"
)

// workList has tasks done by several goroutines and hands out what they made in the order of the tasks, so that the same
// question has the same answer however many work on it. What a task makes lies in a slot; there are no more results than
// slots, so a slow consumer stops the workers.
//
// One goroutine calls next, giveBack and stop. It owns the workers: stop ends them after the task they are at, and waits.
type workList[S any] struct {
	take func() (task int, ok bool) // the next task; never called twice at a time, nor again once there is none
	do   func(slot S, task int)

	free  chan S
	ready []chan S // what the n-th task made is found in ready[n modulo length], which holds one
	at    int      // tasks handed out

	mu        sync.Mutex // guards taken; held while take runs: who wants the next task must wait for it anyway
	taken     int
	exhausted chan struct{} // closed when there is no next task; taken stays then

	inline  bool // no workers: next does the task itself
	ended   chan struct{}
	running sync.WaitGroup
}

// startWork starts the workers, none when one slot is all there is: a single worker only adds the cost of waking it.
func startWork[S any](workers int, slots []S, take func() (int, bool), do func(S, int)) *workList[S] {
	w := &workList[S]{
		take: take, do: do, free: make(chan S, len(slots)), ready: make([]chan S, len(slots)),
		exhausted: make(chan struct{}), ended: make(chan struct{}), inline: workers < 2 || len(slots) < 2,
	}
	for i, s := range slots {
		w.free <- s
		w.ready[i] = make(chan S, 1)
	}
	if !w.inline {
		for range workers {
			w.running.Go(w.work)
		}
	}
	return w
}

func (w *workList[S]) work() {
	for {
		select {
		case <-w.ended:
			return
		default:
		}
		select {
		case <-w.ended:
			return
		case slot := <-w.free:
			if !w.step(slot) {
				return
			}
		}
	}
}

// step does the next task. It takes the number of a task only with a slot in hand, so the tasks that are not handed out yet
// are never more than the slots.
func (w *workList[S]) step(slot S) bool {
	w.mu.Lock()
	select {
	case <-w.exhausted:
		w.mu.Unlock()
		w.free <- slot
		return false
	default:
	}
	task, ok := w.take()
	n := w.taken
	if ok {
		w.taken++
	} else {
		close(w.exhausted)
	}
	w.mu.Unlock()
	if !ok {
		w.free <- slot
		return false
	}
	w.do(slot, task)
	w.ready[n%len(w.ready)] <- slot
	return true
}

// next returns the slot of the next task, or false when there is none. The caller gives it back.
func (w *workList[S]) next(ctx context.Context) (slot S, ok bool, err error) {
	if err := ctx.Err(); err != nil {
		return slot, false, err
	}
	if w.inline {
		if !w.step(<-w.free) {
			return slot, false, nil
		}
	}
	from := w.ready[w.at%len(w.ready)]
	select {
	case slot = <-from:
	case <-ctx.Done():
		return slot, false, ctx.Err()
	case <-w.exhausted:
		w.mu.Lock()
		end := w.at == w.taken
		w.mu.Unlock()
		if end {
			return slot, false, nil
		}
		select {
		case slot = <-from:
		case <-ctx.Done():
			return slot, false, ctx.Err()
		}
	}
	w.at++
	return slot, true, nil
}

// giveBack lets a worker use the slot again.
func (w *workList[S]) giveBack(slot S) { w.free <- slot }

// stop ends the workers and waits for them. It may be called more than once.
func (w *workList[S]) stop() {
	select {
	case <-w.ended:
	default:
		close(w.ended)
	}
	w.running.Wait()
}
