package wal

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"sync"

	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

// ledger is what the callers of a log know, over all processes that open it: what they sent, what they were shown, and up
// to where they have everything elsewhere.
type ledger struct {
	mu      sync.Mutex
	sent    map[string]bool
	visible map[string]Position // applied, or shown by a replay: durable by the log's promise
	mark    Position
	last    Position // of the newest Apply
	errs    []error  // of the log's promises, found while it runs
}

func newLedger() *ledger { return &ledger{sent: map[string]bool{}, visible: map[string]Position{}} }

func (g *ledger) complain(format string, args ...any) {
	g.errs = append(g.errs, fmt.Errorf(format, args...))
}

// record makes a record that keeps the ledger.
func (g *ledger) record(text string) *Record {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sent[text] = true
	half := len(text) / 2
	return &Record{Type: 7, Payload: [][]byte{[]byte(text[:half]), []byte(text[half:])}, Apply: func(at Position) {
		g.mu.Lock()
		defer g.mu.Unlock()
		if at <= g.last {
			g.complain("applied %s after %s", at, g.last)
		}
		g.last = at
		g.visible[text] = at
	}}
}

func (g *ledger) append(l *Log, text string) error {
	err := l.Append(context.Background(), *g.record(text))
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, ok := g.visible[text]; !ok && err == nil {
		g.complain("acknowledged before it was applied: %.20q", text)
	}
	return err
}

// maintain cuts at a barrier, with a record of its own when carry is not empty, and drops what is before.
func (g *ledger) maintain(l *Log, carry string) error {
	var mark Position
	err := l.Barrier(context.Background(), func(at Position) *Record {
		g.mu.Lock()
		if at <= g.last {
			g.complain("barrier at %s after %s was applied", at, g.last)
		}
		mark = at
		g.mu.Unlock()
		if carry == "" {
			return nil
		}
		return g.record(carry)
	})
	if err != nil {
		return err
	}
	g.mu.Lock()
	g.mark = mark
	g.mu.Unlock()
	return l.DropBefore(mark)
}

// check replays the log and compares. What it is shown becomes visible when show is set.
func (g *ledger) check(fsys vfs.FS, show bool) (ReplayStats, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	var last Position
	found := map[string]Position{}
	errs := g.errs
	stats, err := Replay(context.Background(), ReplayConfig{FS: fsys, Dir: testDir, From: g.mark}, func(at Position, typ byte, payload []byte) error {
		text := string(payload)
		switch {
		case at <= last || at < g.mark:
			errs = append(errs, fmt.Errorf("record at %s after %s", at, last))
		case typ != 7 || !g.sent[text]:
			errs = append(errs, fmt.Errorf("never sent: type %d %.20q", typ, text))
		}
		if _, twice := found[text]; twice {
			errs = append(errs, fmt.Errorf("twice: %.20q", text))
		}
		found[text], last = at, at
		return nil
	})
	if err != nil {
		return stats, err
	}
	// Who knows no mark must not be alarmed by what was dropped.
	whole, err := Replay(context.Background(), ReplayConfig{FS: fsys, Dir: testDir}, func(_ Position, _ byte, payload []byte) error {
		if !g.sent[string(payload)] {
			errs = append(errs, fmt.Errorf("never sent: %.20q", payload))
		}
		return nil
	})
	if err != nil {
		return stats, err
	}
	if whole.DamageCount > 0 {
		errs = append(errs, fmt.Errorf("damage from the start where there is none: %v", whole.Damage))
	}
	for text, at := range g.visible {
		if at >= g.mark && found[text] != at {
			errs = append(errs, fmt.Errorf("lost from %s: %.20q", at, text))
		}
	}
	if stats.DamageCount > 0 {
		errs = append(errs, fmt.Errorf("damage where there is none: %v", stats.Damage))
	}
	if last > stats.End {
		errs = append(errs, fmt.Errorf("record at %s behind the end at %s", last, stats.End))
	}
	if show {
		for text, at := range found {
			g.visible[text] = at
		}
	}
	return stats, errors.Join(errs...)
}

// work uses every part of the log from several goroutines until all is done or an operation fails.
func (g *ledger) work(l *Log, process string, rng *rand.Rand) {
	var workers sync.WaitGroup
	for w := range 3 {
		sizes := rand.New(rand.NewSource(rng.Int63()))
		workers.Go(func() {
			for i := range 10 {
				text := fmt.Sprintf("%s writer %d record %d %0*d", process, w, i, 1+sizes.Intn(3000), i)
				if g.append(l, text) != nil {
					return
				}
			}
		})
	}
	workers.Go(func() {
		for i := range 6 {
			carry := ""
			if i%2 == 0 {
				carry = fmt.Sprintf("%s carry %d", process, i)
			}
			if g.maintain(l, carry) != nil {
				return
			}
		}
	})
	workers.Wait()
}
