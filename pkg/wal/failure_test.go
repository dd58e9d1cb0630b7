package wal

import (
	"context"
	"fmt"
	"math/rand"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

// faultyOp counts mutating operations from when it is on and remembers the k-th.
type faultyOp struct {
	mu   sync.Mutex
	k, n int
	op   vfs.Op
}

func (f *faultyOp) match(op vfs.Op) bool {
	if !op.Mutates() {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.n++; f.n == f.k {
		f.op = op
	}
	return true
}

// hitsCommit tells whether the operation belonged to a commit, whose callers must hear of it.
func (f *faultyOp) hitsCommit() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.HasSuffix(f.op.Name, segmentSuffix) && (f.op.Kind == vfs.OpWrite || f.op.Kind == vfs.OpSync)
}

// failAt runs a log whose k-th operation fails once. Every caller tries again until its record is in. Then the machine
// loses power.
func failAt(t *testing.T, k int, errno syscall.Errno) (fired bool) {
	rng := rand.New(rand.NewSource(int64(k)))
	mem := vfs.NewMem()
	inject := vfs.NewInject(mem)
	l := openTest(t, crashConfig(inject))
	op := &faultyOp{k: k}
	inject.Arm(vfs.Fault{At: k, Err: errno, Match: op.match})
	g := newLedger()
	var mu sync.Mutex
	var refused []error
	retry := func(try func(attempt int) error) {
		for attempt := 0; ; attempt++ {
			err := try(attempt)
			if err == nil {
				return
			}
			mu.Lock()
			refused = append(refused, err)
			mu.Unlock()
			require.Less(t, attempt, 100, "the log does not heal: %v", err)
			time.Sleep(100 * time.Millisecond)
		}
	}
	var workers sync.WaitGroup
	for w := range 3 {
		sizes := rand.New(rand.NewSource(rng.Int63()))
		workers.Go(func() {
			for i := range 10 {
				pad := strings.Repeat(".", sizes.Intn(3000))
				retry(func(attempt int) error {
					return g.append(l, fmt.Sprintf("writer %d record %d attempt %d %s", w, i, attempt, pad))
				})
			}
		})
	}
	workers.Go(func() {
		for i := range 5 {
			retry(func(attempt int) error { return g.maintain(l, fmt.Sprintf("carry %d attempt %d", i, attempt)) })
		}
	})
	workers.Wait()
	state := l.State()
	require.NoError(t, state.Failure)
	require.Zero(t, state.QueueBytes)
	require.NoError(t, l.Close())
	for _, err := range refused {
		require.ErrorIs(t, err, errno)
	}
	if inject.Fired() && op.hitsCommit() {
		require.NotEmpty(t, refused, "nobody was told of %s", op.op)
		require.ErrorIs(t, refused[0], ErrFailed)
		require.ErrorIs(t, state.LastFailure, errno)
		require.False(t, state.LastFailureAt.IsZero())
	}
	// The process dies and the next one reads the page cache, where a failed sync left what may not be on the disk.
	l = openTest(t, crashConfig(mem))
	_, err := g.check(mem, true)
	require.NoError(t, err, "after %s failed", op.op)
	require.NoError(t, l.Close())
	for range 3 {
		_, err = g.check(mem.CrashClone(rng), false)
		require.NoError(t, err, "after %s failed and a power cut", op.op)
	}
	return inject.Fired()
}

func TestEveryOperationFailsOnce(t *testing.T) {
	f := func(errno syscall.Errno) {
		k, quiet := 1, 0 // how commits are grouped varies, and with it the number of operations
		for ; quiet < 5; k++ {
			synctest.Test(t, func(t *testing.T) {
				if failAt(t, k, errno) {
					quiet = 0
				} else {
					quiet++
				}
			})
		}
		require.Greater(t, k, 50)
		t.Logf("%v at each of %d operations", errno, k)
	}
	f(syscall.EIO)
	f(syscall.ENOSPC)
}

func TestOpenReportsErrors(t *testing.T) {
	everything := func(vfs.Op) bool { return true }
	for k := 1; ; k++ {
		mem := vfs.NewMem()
		l := openTest(t, smallConfig(mem))
		appendText(t, l, "a")
		require.NoError(t, l.Close())
		inject := vfs.NewInject(mem)
		inject.Arm(vfs.Fault{At: k, Err: syscall.EIO, Match: everything})
		l, err := Open(t.Context(), smallConfig(inject))
		if err != nil {
			require.ErrorIs(t, err, syscall.EIO)
			continue
		}
		inject.Disarm()
		appendText(t, l, "b")
		require.NoError(t, l.Close())
		if !inject.Fired() {
			require.Greater(t, k, 8)
			break
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	mem := vfs.NewMem()
	l := openTest(t, smallConfig(mem))
	appendText(t, l, "a")
	require.NoError(t, l.Close())
	_, err := Open(ctx, smallConfig(mem))
	require.ErrorIs(t, err, context.Canceled)
}

// Only a checksum that is wrong twice is damage; a disk that does not answer is an error.
func TestReplayReportsErrors(t *testing.T) {
	mem := vfs.NewMem()
	l := openTest(t, smallConfig(mem))
	for range 20 {
		appendText(t, l, strings.Repeat("r", 1000))
	}
	require.NoError(t, l.Close())
	for k := 1; ; k++ {
		inject := vfs.NewInject(mem)
		inject.Arm(vfs.Fault{At: k, Err: syscall.EIO, Match: func(op vfs.Op) bool { return op.Kind != vfs.OpClose }})
		stats, err := Replay(t.Context(), ReplayConfig{FS: inject, Dir: testDir}, func(Position, byte, []byte) error { return nil })
		require.Zero(t, stats.DamageCount)
		if !inject.Fired() {
			require.NoError(t, err)
			require.EqualValues(t, 20, stats.Records)
			require.Greater(t, k, 20)
			return
		}
		require.ErrorIs(t, err, syscall.EIO)
	}
}

func writesFail(op vfs.Op) bool { return op.Kind == vfs.OpWrite || op.Kind == vfs.OpCreate }

// A disk that stays full: appends fail at once with the reason, barriers run, nothing piles up, and when there is room
// the log heals without being asked.
func TestFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewMem()
		inject := vfs.NewInject(mem)
		l := openTest(t, crashConfig(inject))
		g := newLedger()
		require.NoError(t, g.append(l, "before"))
		inject.Arm(vfs.Fault{At: 1, Err: syscall.ENOSPC, Forever: true, Match: writesFail})
		err := g.append(l, "first to hear of it")
		require.ErrorIs(t, err, ErrFailed)
		require.ErrorIs(t, err, syscall.ENOSPC)
		since := l.State().FailedSince
		require.Equal(t, time.Now(), since)

		for range 1000 { // over an hour of clients that try again
			start := time.Now()
			require.ErrorIs(t, g.append(l, "again"), syscall.ENOSPC)
			require.Zero(t, time.Since(start), "it waited")
			time.Sleep(3700 * time.Millisecond)
		}
		state := l.State()
		require.ErrorIs(t, state.Failure, syscall.ENOSPC)
		require.Equal(t, since, state.FailedSince)
		require.NoError(t, g.maintain(l, ""), "a flush must be able to make room")
		ran := false
		err = l.Barrier(t.Context(), func(Position) *Record { ran = true; return g.record("no room for it") })
		require.ErrorIs(t, err, syscall.ENOSPC)
		require.True(t, ran)
		names, err := mem.List(testDir)
		require.NoError(t, err)
		require.LessOrEqual(t, len(names), 2, "files pile up: %v", names)

		inject.Disarm()
		time.Sleep(retryInterval)
		synctest.Wait()
		require.NoError(t, l.State().Failure)
		require.ErrorIs(t, l.State().LastFailure, syscall.ENOSPC)
		require.NoError(t, g.append(l, "after"))
		require.NoError(t, l.Close())
		_, err = g.check(mem, false)
		require.NoError(t, err)
	})
}

// A disk with room for a header and not for records is full all the same: it must not heal and fail in turns.
func TestDiskWithRoomForHeadersOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inject := vfs.NewInject(vfs.NewMem())
		l := openTest(t, crashConfig(inject))
		appendText(t, l, "before")
		inject.Arm(vfs.Fault{At: 1, Err: syscall.ENOSPC, Forever: true, Match: func(op vfs.Op) bool {
			return op.Kind == vfs.OpWrite && op.Offset+op.Bytes > dataStart
		}})
		for range 100 {
			require.ErrorIs(t, l.Append(t.Context(), Record{Type: 1}), syscall.ENOSPC)
			require.Error(t, l.State().Failure)
			time.Sleep(time.Second)
		}
		require.LessOrEqual(t, l.State().Segments, 2)
		require.NoError(t, l.Close())
	})
}

// Segments that fail before anything in them was acknowledged are removed.
func TestSegmentsThatNeverWorkedLeaveNoFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewMem()
		inject := vfs.NewInject(mem)
		l := openTest(t, crashConfig(inject))
		appendText(t, l, "before")
		inject.Arm(vfs.Fault{At: 1, Err: syscall.EIO, Forever: true, Match: func(op vfs.Op) bool {
			return op.Kind == vfs.OpSync && strings.HasSuffix(op.Name, segmentSuffix)
		}})
		for range 100 {
			require.ErrorIs(t, l.Append(t.Context(), Record{Type: 1}), syscall.EIO)
			time.Sleep(time.Second)
		}
		names, err := mem.List(testDir)
		require.NoError(t, err)
		require.LessOrEqual(t, len(names), 2, "%v", names)
		require.LessOrEqual(t, l.State().Segments, 2)
		require.NoError(t, l.Close())
	})
}

// A disk that refuses each second write: the log gives up a segment at most once in the retry interval.
func TestFlappingDiskLeavesFewFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewMem()
		inject := vfs.NewInject(mem)
		l := openTest(t, crashConfig(inject))
		var mu sync.Mutex
		n := 0
		inject.Arm(vfs.Fault{At: 1, Err: syscall.EIO, Forever: true, Match: func(op vfs.Op) bool {
			if op.Kind != vfs.OpSync || !strings.HasSuffix(op.Name, segmentSuffix) {
				return false
			}
			mu.Lock()
			defer mu.Unlock()
			n++
			return n%2 == 0
		}})
		g := newLedger()
		failed := 0
		start := time.Now()
		for i := 0; time.Since(start) < 20*time.Second; i++ {
			if g.append(l, fmt.Sprintf("record %d", i)) != nil {
				failed++
			}
			time.Sleep(10 * time.Millisecond)
		}
		require.Greater(t, failed, 1000)
		require.LessOrEqual(t, l.State().Segments, 2*20+2)
		inject.Disarm()
		require.NoError(t, l.Close())
		_, err := g.check(mem, false)
		require.NoError(t, err)
	})
}

// Zeros ahead are a favour: where they do not fit the log goes on without.
func TestPrepareGivesUpOnAFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewMem()
		inject := vfs.NewInject(mem)
		l := openTest(t, Config{FS: inject, Dir: testDir, SegmentBytes: 64 << 10})
		tries := 0
		inject.Arm(vfs.Fault{At: 1, Err: syscall.ENOSPC, Forever: true, Match: func(op vfs.Op) bool {
			zeros := op.Kind == vfs.OpWrite && strings.HasSuffix(op.Name, tempSuffix) && op.Bytes != dataStart
			if zeros {
				tries++
			}
			return zeros
		}})
		for range 100 {
			appendText(t, l, strings.Repeat("p", 4<<10))
			synctest.Wait()
		}
		segments := l.State().Segments
		require.Greater(t, segments, 5)
		require.LessOrEqual(t, tries, segments, "once for each segment")
		require.Positive(t, tries)
		require.NoError(t, l.State().LastFailure)
		require.NoError(t, l.Trim())
		require.NoError(t, l.Close())
		names, err := mem.List(testDir)
		require.NoError(t, err)
		require.Len(t, names, segments, "%v", names)
	})
}

func TestTrimStopsPreparing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := openTest(t, Config{FS: vfs.NewMem(), Dir: testDir, SegmentBytes: 64 << 10})
		appendText(t, l, strings.Repeat("p", 20<<10))
		synctest.Wait()
		require.Positive(t, l.State().SpareBytes)
		require.NoError(t, l.Trim())
		appendText(t, l, strings.Repeat("p", 20<<10))
		synctest.Wait()
		require.Zero(t, l.State().SpareBytes)
		require.NoError(t, l.Close())
	})
}

// With SyncInterval an error of the late sync is nobody's to hear but health's.
func TestIntervalSyncFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewMem()
		inject := vfs.NewInject(mem)
		cfg := crashConfig(inject)
		cfg.Sync, cfg.SyncInterval = SyncInterval, time.Minute
		l := openTest(t, cfg)
		appendText(t, l, "a")
		inject.Arm(vfs.Fault{At: 1, Err: syscall.EIO, Match: func(op vfs.Op) bool { return op.Kind == vfs.OpSync }})
		time.Sleep(time.Minute + time.Second)
		synctest.Wait()
		require.ErrorIs(t, l.State().LastFailure, syscall.EIO)
		require.NoError(t, l.State().Failure, "a new segment was opened")
		appendText(t, l, "b")
		inject.Arm(vfs.Fault{At: 1, Err: syscall.EIO, Match: func(op vfs.Op) bool { return op.Kind == vfs.OpSync }})
		require.ErrorIs(t, l.Close(), syscall.EIO)
		got, _ := replayAll(t, mem, 0)
		require.Equal(t, []string{"a", "b"}, texts(got))
	})
}

func TestCloseWhileFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inject := vfs.NewInject(vfs.NewMem())
		l := openTest(t, crashConfig(inject))
		inject.Arm(vfs.Fault{At: 1, Err: syscall.EROFS, Forever: true, Match: writesFail})
		require.ErrorIs(t, l.Append(t.Context(), Record{Type: 1}), syscall.EROFS)
		start := time.Now()
		require.NoError(t, l.Close())
		require.Zero(t, time.Since(start))
	})
}
