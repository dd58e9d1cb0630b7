package wal

import (
	"context"
	"fmt"
	"math/rand"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

// crashConfig makes three processes of ledger.work fill a dozen segments.
func crashConfig(fsys vfs.FS) Config {
	return Config{FS: fsys, Dir: testDir, SegmentBytes: 20 << 10, BatchBytesMax: batchBytesMin}
}

// process opens the log as a process does, uses it until the file system crashes or all is done, and ends.
func (g *ledger) process(inject *vfs.Inject, name string, rng *rand.Rand) error {
	stats, err := g.check(inject, false)
	if inject.Fired() {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	cfg := crashConfig(inject)
	cfg.Floor = g.mark
	if rng.Intn(2) == 0 {
		cfg.Replayed = stats.End
	}
	l, err := Open(context.Background(), cfg)
	if err != nil {
		if inject.Fired() {
			return nil
		}
		return fmt.Errorf("%s: %w", name, err)
	}
	if !inject.Fired() { // only now does a database answer queries from what the replay showed
		if _, err := g.check(inject, true); err != nil && !inject.Fired() {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	g.work(l, name, rng)
	if err := l.Close(); err != nil && !inject.Fired() {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// crashAt runs a process that crashes at its k-th operation, one that crashes somewhere, and one that does not, with a
// dead process or a dead machine between them, and checks the promises each time. It tells whether the k-th operation
// came.
func crashAt(k int, seed int64, sabotage func(*vfs.Inject)) (fired bool, err error) {
	rng := rand.New(rand.NewSource(seed))
	mem := vfs.NewMem()
	if sabotage != nil || seed%2 == 0 { // a directory that vanishes whole would prove little about the rest
		if err := vfs.MkdirAllSynced(mem, testDir); err != nil {
			return false, err
		}
	} else if err := vfs.MkdirAllSynced(mem, "data"); err != nil {
		return false, err
	}
	g := newLedger()
	for i, at := range []int{k, 1 + rng.Intn(150), 1 << 30} {
		inject := vfs.NewInject(mem)
		if sabotage != nil {
			sabotage(inject)
		}
		inject.Arm(vfs.Fault{At: at})
		if err := g.process(inject, fmt.Sprintf("process %d", i), rng); err != nil {
			return fired, err
		}
		if i == 0 {
			fired = inject.Fired()
		}
		if rng.Intn(3) > 0 {
			mem = mem.CrashClone(rng) // else the process alone died: what it wrote is in the page cache
		}
	}
	_, err = g.check(mem, false)
	return fired, err
}

// crashLoop runs crashAt for every k until no operation is left, and returns the first broken promise. How commits are
// grouped varies, and with it the number of operations, so one quiet k is not the end.
func crashLoop(seeds int64, sabotage func(*vfs.Inject)) (operations int, err error) {
	quiet := 0
	for k := 1; ; k++ {
		quiet++
		for seed := range seeds {
			fired, err := crashAt(k, int64(k)*1000+seed, sabotage)
			if err != nil {
				return k, fmt.Errorf("crash at operation %d, seed %d: %w", k, seed, err)
			}
			if fired {
				quiet = 0
			}
		}
		if quiet == 3 {
			return k, nil
		}
	}
}

func TestCrashAtEveryOperation(t *testing.T) {
	seeds := int64(4)
	if testing.Short() {
		seeds = 2
	}
	operations, err := crashLoop(seeds, nil)
	require.NoError(t, err)
	require.Greater(t, operations, 50, "the loop has hardly anything to crash")
	t.Logf("crashed at each of %d operations, %d times", operations, seeds)
}

// Segments go from the oldest on, also through a crash: a hole would be reported as a loss.
func TestCrashInDropLeavesNoHole(t *testing.T) {
	fired := true
	for k := 1; fired; k++ {
		for seed := range int64(20) {
			mem := vfs.NewMem()
			inject := vfs.NewInject(mem)
			l := openTest(t, smallConfig(inject))
			for range 20 {
				appendText(t, l, strings.Repeat("d", 1000))
			}
			inject.Arm(vfs.Fault{At: k})
			err := l.DropBefore(l.State().Next)
			if fired = inject.Fired(); fired {
				require.ErrorIs(t, err, vfs.ErrCrashed)
			}
			_ = l.Close() // the crash may have reached it or not
			_, stats := replayAll(t, mem.CrashClone(rand.New(rand.NewSource(seed))), 0)
			require.Zero(t, stats.DamageCount, "crash at operation %d: %v", k, stats.Damage)
		}
	}
}

// The real file system takes the same work.
func TestWorkOnTheRealDisk(t *testing.T) {
	t.Chdir(t.TempDir())
	g := newLedger()
	rng := rand.New(rand.NewSource(1))
	for i := range 3 {
		require.NoError(t, g.process(vfs.NewInject(vfs.OS()), fmt.Sprintf("process %d", i), rng))
		_, err := g.check(vfs.OS(), false)
		require.NoError(t, err)
	}
	require.Len(t, g.sent, 3*33)
	require.Len(t, g.visible, 3*33)
}

// The loop above proves something only if it fails when the log breaks its rules.
func TestCrashLoopSees(t *testing.T) {
	f := func(name string, sabotage func(*vfs.Inject)) {
		t.Run(name, func(t *testing.T) {
			operations, err := crashLoop(6, sabotage)
			require.Error(t, err, "%d crashes and nothing was noticed", operations)
			t.Log(err)
		})
	}
	f("sync that does nothing", func(i *vfs.Inject) { i.NoSync = true })
	f("directory sync left out", func(i *vfs.Inject) { i.NoSyncDir = true })
	f("ack before the fsync", func(i *vfs.Inject) { i.LateSync = true })
}
