package distributor

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// Budget bounds the bytes of all pushes in flight: bodies as sent, decompressed, and what they are decoded to. Nobody waits
// for it: agents keep what they could not send and come again, and a queue here would only hold more memory.
type Budget struct {
	bytesMax int64
	used     atomic.Int64
}

// NewBudget makes a budget of so many bytes.
func NewBudget(bytesMax int64) *Budget { return &Budget{bytesMax: bytesMax} }

// TryAcquire takes n bytes, and reports whether they were there. Each success is followed by one Release of as much.
func (b *Budget) TryAcquire(n int64) bool {
	for {
		used := b.used.Load()
		if n < 0 || n > b.bytesMax-used {
			return false
		}
		if b.used.CompareAndSwap(used, used+n) {
			return true
		}
	}
}

// Release gives n bytes back.
func (b *Budget) Release(n int64) { b.used.Add(-n) }

// Max returns how much there is in all.
func (b *Budget) Max() int64 { return b.bytesMax }

// Used returns the bytes in flight.
func (b *Budget) Used() int64 { return b.used.Load() }

// Acquire takes n bytes and returns what gives them back, which may be called more than once. Without them the error is a
// refusal with 503 and Loki's text; a push that could never fit is refused for good.
func (b *Budget) Acquire(ctx context.Context, n int64) (release func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if n > b.bytesMax {
		return nil, &storage.Refusal{
			Class: storage.ErrTooLarge,
			Text:  fmt.Sprintf("request body too large: it takes %d bytes of memory, and all pushes together may take %d", n, b.bytesMax),
		}
	}
	if !b.TryAcquire(n) {
		return nil, &storage.Refusal{Class: storage.ErrOverloaded, Text: textOverloaded}
	}
	return sync.OnceFunc(func() { b.Release(n) }), nil
}
