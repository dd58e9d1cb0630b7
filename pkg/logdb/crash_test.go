package logdb

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

// ledger remembers what was sent, what was acknowledged, and what was to be deleted.
type ledger struct {
	sent, acked map[string]bool
	maybe, gone map[string]bool // a delete or a retention of it was begun; was acknowledged
	carries     int
}

func newLedger() *ledger {
	return &ledger{sent: map[string]bool{}, acked: map[string]bool{}, maybe: map[string]bool{}, gone: map[string]bool{}}
}

// check compares what a database holds with the ledger and returns the first difference.
func (l *ledger) check(got []string) error {
	seen := map[string]int{}
	for _, line := range got {
		seen[line]++
		if !l.sent[line] {
			return fmt.Errorf("%s was never sent", line)
		}
		if seen[line] > 1 {
			return fmt.Errorf("%s is there %d times", line, seen[line])
		}
		if l.gone[line] {
			return fmt.Errorf("%s was deleted and is back", line)
		}
	}
	for line := range l.acked {
		if seen[line] == 0 && !l.maybe[line] {
			return fmt.Errorf("%s was acknowledged and is lost", line)
		}
	}
	return nil
}

// noise is text that snappy cannot shrink.
func noise(seed, n int) string {
	b := make([]byte, n)
	rng := rand.New(rand.NewSource(int64(seed)))
	for i := range b {
		b[i] = byte('!' + rng.Intn(90))
	}
	return string(b)
}

var crashTenants = []model.TenantID{"t1", "t2"}

// scenario does a bit of everything: appends, cuts, flushes, a carry, entries of two days, a reopen in between. It stops at
// the first operation that fails and returns that error.
func (l *ledger) scenario(t *testing.T, cfg Config) error {
	ctx := context.Background()
	number := 0
	appendTo := func(db *DB, tenant model.TenantID, lines int, size int) error {
		number++
		s := []model.Stream{streamOf("a"), streamOf("b")}
		for i := range lines {
			e := model.Entry{
				Timestamp: at(time.Duration(number*100+i) + time.Duration(i%2)*24*time.Hour), Level: "info",
				Line: fmt.Sprintf("push %d line %d %s", number, i, noise(number*100+i, size)),
			}
			s[i%2].Entries = append(s[i%2].Entries, e)
		}
		for _, line := range texts(s...) {
			l.sent[string(tenant)+line] = true
		}
		if err := db.Append(ctx, pushOf(tenant, s...)); err != nil {
			return err
		}
		for _, line := range texts(s...) {
			l.acked[string(tenant)+line] = true
		}
		return nil
	}
	db, err := Open(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	steps := []func() error{
		func() error { return appendTo(db, "t1", 4, 10) },
		func() error { return appendTo(db, "t2", 2, 10) },
		func() error { return db.Flush(ctx) },
		func() error { return appendTo(db, "t2", 3, 10) },
		func() error { return appendTo(db, "t1", 30, 400) },
		func() error { return appendTo(db, "t1", 30, 400) }, // more than a segment: the small head of t2 is in the way
		func() error {
			err := db.flush(ctx, false)
			l.carries += int(testutil.ToFloat64(db.metrics.carries))
			return err
		},
		func() error { return appendTo(db, "t2", 2, 10) },
		func() error { return db.Close() },
		func() (err error) { db, err = Open(ctx, cfg); return err },
		func() error { return appendTo(db, "t1", 3, 10) },
		func() error { return db.Flush(ctx) },
		func() error { return appendTo(db, "t1", 2, 10) },
		func() error { return db.Close() },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			if db == nil {
				db = &DB{}
				db.closed.Store(true)
			}
			return err
		}
	}
	return nil
}

// contents opens the database and returns every line of every tenant.
func contents(t *testing.T, cfg Config) ([]string, error) {
	db, err := Open(context.Background(), cfg)
	if err != nil {
		return nil, fmt.Errorf("reopen: %w", err)
	}
	defer func() { require.NoError(t, db.Close()) }()
	var out []string
	for _, tenant := range crashTenants {
		for _, line := range all(t, db, tenant) {
			out = append(out, string(tenant)+line)
		}
	}
	return out, nil
}

// crashConfig has segments so small that few pushes fill one.
func crashConfig(t *testing.T, fsys vfs.FS, scratch string) Config {
	cfg := testConfig(t, fsys)
	cfg.ScratchDir, cfg.SegmentBytes = scratch, 24<<10
	return cfg
}

// crashLoop crashes the scenario at its k-th operation for every k and returns the first thing that is wrong after the
// restart, and how many crashes it tried.
func crashLoop(t *testing.T, seed uint64, sabotage func(*vfs.Inject)) (crashes int, err error) {
	scratch := t.TempDir()
	for k := 1; ; k++ {
		mem := vfs.NewMem()
		inject := vfs.NewInject(mem)
		sabotage(inject)
		inject.Arm(vfs.Fault{At: k})
		cfg := crashConfig(t, inject, scratch)
		l := newLedger()
		scenarioErr := l.scenario(t, cfg)
		if !inject.Fired() {
			require.NoError(t, scenarioErr)
			require.Positive(t, l.carries, "the scenario carries no head any more")
			return k - 1, nil
		}
		rng := rand.New(rand.NewSource(int64(seed)<<32 + int64(k)))
		cfg.FS = mem.CrashClone(rng)
		got, err := contents(t, cfg)
		if err == nil {
			err = l.check(got)
		}
		if err != nil {
			return k, fmt.Errorf("seed %d, crash at operation %d: %w", seed, k, err)
		}
	}
}

func TestCrashAtEveryOperation(t *testing.T) {
	for seed := range uint64(2) {
		crashes, err := crashLoop(t, seed, func(*vfs.Inject) {})
		require.NoError(t, err)
		require.Greater(t, crashes, 100, "the scenario has become trivial")
		t.Logf("seed %d: %d crashes", seed, crashes)
	}
}

// The loop must see what it is for: each of these takes one of the promises away.
func TestCrashLoopSeesSabotage(t *testing.T) {
	f := func(name string, sabotage func(*vfs.Inject)) {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(20) {
				if _, err := crashLoop(t, seed, sabotage); err != nil {
					t.Logf("seen: %v", err)
					return
				}
			}
			t.Fatal("the crash loop does not notice")
		})
	}
	f("sync is a no-op", func(i *vfs.Inject) { i.NoSync = true })
	f("directories are never synced", func(i *vfs.Inject) { i.NoSyncDir = true })
	f("acknowledged before the fsync", func(i *vfs.Inject) { i.LateSync = true })
}

// An operation that fails, once or for ever, is an error to the caller and never a wrong answer, now or after a restart.
func TestFaultAtEveryOperation(t *testing.T) {
	scratch := t.TempDir()
	for _, forever := range []bool{false, true} {
		for k := 1; ; k++ {
			mem := vfs.NewMem()
			inject := vfs.NewInject(mem)
			inject.Arm(vfs.Fault{At: k, Forever: forever, Err: syscall.EIO})
			cfg := crashConfig(t, inject, scratch)
			l := newLedger()
			err := l.scenario(t, cfg)
			if !inject.Fired() {
				require.NoError(t, err)
				break
			}
			if forever {
				require.Error(t, err, "operation %d fails for ever and nobody hears of it", k)
			}
			if err != nil {
				require.False(t, errors.Is(err, vfs.ErrCrashed))
			}
			inject.Disarm()
			got, err := contents(t, cfg)
			require.NoError(t, err, "forever %t, fault at %d", forever, k)
			require.NoError(t, l.check(got), "forever %t, fault at %d", forever, k)
		}
	}
}
