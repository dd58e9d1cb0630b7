package wal

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

const testDir = "data/wal"

// smallConfig has segments of which a test fills several.
func smallConfig(fsys vfs.FS) Config {
	return Config{FS: fsys, Dir: testDir, SegmentBytes: segmentBytesMin, BatchBytesMax: batchBytesMin}
}

func openTest(t *testing.T, cfg Config) *Log {
	t.Helper()
	l, err := Open(t.Context(), cfg)
	require.NoError(t, err)
	return l
}

func appendText(t *testing.T, l *Log, texts ...string) {
	t.Helper()
	for _, text := range texts {
		require.NoError(t, l.Append(t.Context(), Record{Type: 1, Payload: [][]byte{[]byte(text)}}))
	}
}

type replayed struct {
	at      Position
	typ     byte
	payload string
}

func replayAll(t *testing.T, fsys vfs.FS, from Position) ([]replayed, ReplayStats) {
	t.Helper()
	var out []replayed
	stats, err := Replay(t.Context(), ReplayConfig{FS: fsys, Dir: testDir, From: from}, func(at Position, typ byte, payload []byte) error {
		out = append(out, replayed{at, typ, string(payload)})
		return nil
	})
	require.NoError(t, err)
	return out, stats
}

func texts(rs []replayed) []string {
	var out []string
	for _, r := range rs {
		out = append(out, r.payload)
	}
	return out
}

func TestAppendAndReplay(t *testing.T) {
	mem := vfs.NewMem()
	l := openTest(t, Config{FS: mem, Dir: testDir})
	var applied []replayed
	note := func(typ byte, parts ...string) Record {
		r := Record{Type: typ}
		for _, p := range parts {
			r.Payload = append(r.Payload, []byte(p))
		}
		r.Apply = func(at Position) { applied = append(applied, replayed{at, typ, strings.Join(parts, "")}) }
		return r
	}
	require.NoError(t, l.Append(t.Context(), note(1, "in ", "three ", "parts")))
	require.NoError(t, l.Append(t.Context(), note(2)))
	require.NoError(t, l.Append(t.Context(), note(255, strings.Repeat("x", 3<<20)))) // larger than a batch and a window
	require.NoError(t, l.Append(t.Context(), note(1, "end")))
	state := l.State()
	require.NoError(t, l.Close())

	got, stats := replayAll(t, mem, 0)
	require.Equal(t, applied, got)
	require.Equal(t, ReplayStats{Segments: 1, Records: 4, Bytes: 14 + 3<<20 + 3, End: state.Next}, stats)

	got, stats = replayAll(t, mem, applied[2].at)
	require.Equal(t, applied[2:], got)
	require.EqualValues(t, 2, stats.RecordsSkipped)
}

func TestReplayOfNothing(t *testing.T) {
	got, stats := replayAll(t, vfs.NewMem(), 0)
	require.Empty(t, got)
	require.Equal(t, ReplayStats{}, stats)
}

func TestAppendRefuses(t *testing.T) {
	l := openTest(t, smallConfig(vfs.NewMem()))
	limit := l.cfg.payloadBytesMax()
	require.ErrorContains(t, l.Append(t.Context(), Record{}), "type 0")
	require.ErrorIs(t, l.Append(t.Context(), Record{Type: 1, Payload: [][]byte{make([]byte, limit), {0}}}), ErrTooLarge)
	require.NoError(t, l.Append(t.Context(), Record{Type: 1, Payload: [][]byte{make([]byte, limit)}}))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, l.Append(ctx, Record{Type: 1}), context.Canceled)
	require.NoError(t, l.Close())
	require.ErrorIs(t, l.Append(t.Context(), Record{Type: 1}), ErrClosed)
	require.ErrorIs(t, l.Barrier(t.Context(), func(Position) *Record { panic("must not run") }), ErrClosed)
	require.NoError(t, l.Close())
}

func TestConfigValidate(t *testing.T) {
	f := func(want string, change func(*Config)) {
		t.Helper()
		c := Config{FS: vfs.NewMem(), Dir: testDir}
		change(&c)
		_, err := Open(t.Context(), c)
		require.ErrorContains(t, err, want)
	}
	f("no file system", func(c *Config) { c.FS = nil })
	f("no directory", func(c *Config) { c.Dir = "" })
	f("segments of 1 bytes", func(c *Config) { c.SegmentBytes = 1 })
	f("segments of", func(c *Config) { c.SegmentBytes = 2 << 30 })
	f("batches of 7 bytes", func(c *Config) { c.BatchBytesMax = 7 })
	f("queue of -1", func(c *Config) { c.QueueBytesMax = -1 })
	f("unknown sync policy", func(c *Config) { c.Sync = 3 })
	f("sync interval of -1", func(c *Config) { c.SyncInterval = -1 })
}

func TestSyncPolicyText(t *testing.T) {
	for _, p := range []SyncPolicy{SyncBatch, SyncInterval, SyncOff} {
		got, err := ParseSyncPolicy(p.String())
		require.NoError(t, err)
		require.Equal(t, p, got)
	}
	_, err := ParseSyncPolicy("always")
	require.ErrorContains(t, err, `"always"`)
}

// Every process begins a new segment, and an idle one none.
func TestOpenNeverWritesToAnOldSegment(t *testing.T) {
	mem := vfs.NewMem()
	var want []string
	for i := range 4 {
		_, stats := replayAll(t, mem, 0)
		cfg := smallConfig(mem)
		if i%2 == 0 {
			cfg.Replayed = stats.End // else Open must find it
		}
		idle := openTest(t, cfg)
		require.NoError(t, idle.Close())
		l := openTest(t, cfg)
		text := fmt.Sprintf("from process %d", i)
		appendText(t, l, text)
		require.EqualValues(t, i+1, l.State().Next.Segment())
		require.Equal(t, i+1, l.State().Segments)
		require.NoError(t, l.Close())
		want = append(want, text)
		got, stats := replayAll(t, mem, 0)
		require.Equal(t, want, texts(got))
		require.Zero(t, stats.DamageCount)
		require.Equal(t, l.State().Next.Segment(), stats.End.Segment()+1)
	}
}

func TestFloorKeepsPositionsGrowing(t *testing.T) {
	mem := vfs.NewMem()
	cfg := smallConfig(mem)
	cfg.Floor = NewPosition(41, 12345)
	l := openTest(t, cfg)
	var at Position
	require.NoError(t, l.Append(t.Context(), Record{Type: 1, Apply: func(p Position) { at = p }}))
	require.NoError(t, l.Close())
	require.Equal(t, NewPosition(42, dataStart), at)
}

func TestBarrier(t *testing.T) {
	mem := vfs.NewMem()
	l := openTest(t, smallConfig(mem))
	applied := map[Position]bool{} // only touched in Apply and barriers, which never run together
	note := func(at Position) { applied[at] = true }

	var writers sync.WaitGroup
	for range 4 {
		writers.Go(func() {
			for range 200 {
				require.NoError(t, l.Append(t.Context(), Record{Type: 1, Payload: [][]byte{make([]byte, 30)}, Apply: note}))
			}
		})
	}
	for range 50 {
		var at, own Position
		require.NoError(t, l.Barrier(t.Context(), func(p Position) *Record {
			at = p
			before := len(applied)
			for a := range applied {
				require.Less(t, a, at)
			}
			return &Record{Type: 2, Payload: [][]byte{[]byte("next")}, Apply: func(p Position) {
				require.Len(t, applied, before, "something was applied between a barrier and its record")
				own = p
				note(p)
			}}
		}))
		require.GreaterOrEqual(t, own, at)
	}
	writers.Wait()
	require.NoError(t, l.Barrier(t.Context(), func(Position) *Record { return nil }))
	require.ErrorContains(t, l.Barrier(t.Context(), func(Position) *Record { return &Record{} }), "type 0")
	require.NoError(t, l.Close())

	got, stats := replayAll(t, mem, 0)
	require.Zero(t, stats.DamageCount)
	require.Len(t, got, 850)
	for _, r := range got {
		require.True(t, applied[r.at])
	}
}

// A busy log finds its next segment allocated; one that is hardly used prepares nothing.
func TestQueueBlocksUntilContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := smallConfig(vfs.NewMem())
		cfg.QueueBytesMax = 100
		l := openTest(t, cfg)
		release := make(chan struct{})
		var first sync.WaitGroup
		first.Go(func() {
			require.NoError(t, l.Append(context.Background(), Record{Type: 1, Payload: [][]byte{make([]byte, 1000)}, Apply: func(Position) { <-release }}))
		})
		synctest.Wait()
		require.EqualValues(t, 100, l.State().QueueBytes, "a record larger than the queue takes all of it")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.ErrorIs(t, l.Append(ctx, Record{Type: 1}), context.DeadlineExceeded)
		close(release)
		first.Wait()
		require.NoError(t, l.Append(t.Context(), Record{Type: 1}))
		require.NoError(t, l.Close())
	})
}

// While a batch is applied the next one is written and synced.
func TestApplyOverlapsTheNextCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := openTest(t, smallConfig(vfs.NewMem()))
		release := make(chan struct{})
		var writers sync.WaitGroup
		writers.Go(func() {
			require.NoError(t, l.Append(t.Context(), Record{Type: 1, Apply: func(Position) { <-release }}))
		})
		synctest.Wait()
		before := l.State().Next
		var woken bool
		writers.Go(func() {
			require.NoError(t, l.Append(t.Context(), Record{Type: 1}))
			woken = true
		})
		synctest.Wait()
		require.Greater(t, l.State().Next, before, "the second commit waits for the first one's Apply")
		require.False(t, woken, "woken before its turn to be applied")
		close(release)
		writers.Wait()
		require.NoError(t, l.Close())
	})
}

func TestCloseDrainsTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewMem()
		l := openTest(t, smallConfig(mem))
		release := make(chan struct{})
		var writers sync.WaitGroup
		for range 100 {
			writers.Go(func() {
				require.NoError(t, l.Append(t.Context(), Record{Type: 1, Payload: [][]byte{make([]byte, 100)}, Apply: func(Position) { <-release }}))
			})
		}
		synctest.Wait()
		go close(release)
		require.NoError(t, l.Close())
		writers.Wait()
		got, _ := replayAll(t, mem, 0)
		require.Len(t, got, 100)
	})
}

func TestSyncPolicies(t *testing.T) {
	f := func(policy SyncPolicy, atOnce, afterInterval, afterClose int) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			inject := vfs.NewInject(vfs.NewMem())
			cfg := Config{FS: inject, Dir: testDir}
			cfg.Sync, cfg.SyncInterval = policy, time.Minute
			l := openTest(t, cfg)
			appendText(t, l, "opens the segment")
			time.Sleep(2 * time.Minute)
			synctest.Wait()
			inject.Arm(vfs.Fault{Match: func(op vfs.Op) bool { return op.Kind == vfs.OpSync }, At: 1 << 30})
			appendText(t, l, "a", "b", "c")
			require.Equal(t, atOnce, inject.Count())
			time.Sleep(2 * time.Minute)
			synctest.Wait()
			require.Equal(t, afterInterval, inject.Count())
			appendText(t, l, "d")
			require.NoError(t, l.Close())
			require.Equal(t, afterClose, inject.Count())
			require.Equal(t, policy, l.State().Sync)
		})
	}
	f(SyncBatch, 3, 3, 4)
	f(SyncInterval, 0, 1, 2)
	f(SyncOff, 0, 0, 1)
}

// What a segment's header calls durable must be so, also where acknowledged records were not synced one by one.
// Each segment says where the acknowledged records before it end, and has a salt of its own.
// One large record goes to the disk in steps: a sync of everything at once runs at a fraction of the speed.
// Nothing is written into a spare before its name as a segment is gone for good.
func TestMetricsMakeRoomForTheNextLog(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	cfg := smallConfig(vfs.NewMem())
	cfg.Registerer = registry
	for range 2 {
		l := openTest(t, cfg)
		appendText(t, l, "x")
		problems, err := testutil.GatherAndLint(registry)
		require.NoError(t, err)
		require.Empty(t, problems)
		count, err := testutil.GatherAndCount(registry, "woodshed_wal_records_total", "woodshed_wal_healthy", "woodshed_wal_sync_seconds")
		require.NoError(t, err)
		require.Equal(t, 3, count)
		_, err = Open(t.Context(), cfg)
		require.ErrorContains(t, err, "register metrics", "two logs at once")
		require.NoError(t, l.Close())
	}
	families, err := registry.Gather()
	require.NoError(t, err)
	require.Empty(t, families)
}

func TestReplayStopsAtTheCallersError(t *testing.T) {
	mem := vfs.NewMem()
	l := openTest(t, smallConfig(mem))
	appendText(t, l, "a", "b")
	require.NoError(t, l.Close())
	stop := errors.New("enough")
	stats, err := Replay(t.Context(), ReplayConfig{FS: mem, Dir: testDir}, func(Position, byte, []byte) error { return stop })
	require.ErrorIs(t, err, stop)
	require.Zero(t, stats.Records)
	ctx, cancel := context.WithCancel(t.Context())
	_, err = Replay(ctx, ReplayConfig{FS: mem, Dir: testDir}, func(Position, byte, []byte) error { cancel(); return nil })
	require.ErrorIs(t, err, context.Canceled)
}

func TestReplayProgress(t *testing.T) {
	mem := vfs.NewMem()
	l := openTest(t, Config{FS: mem, Dir: testDir, SegmentBytes: 4 << 20})
	for range 8 {
		appendText(t, l, strings.Repeat("p", 1<<20))
	}
	require.NoError(t, l.Close())
	var last int64
	calls := 0
	_, err := Replay(t.Context(), ReplayConfig{FS: mem, Dir: testDir, Progress: func(done, total int64) {
		require.GreaterOrEqual(t, done, last)
		require.LessOrEqual(t, done, total)
		last = done
		calls++
		if done == total {
			calls += 1000
		}
	}}, func(Position, byte, []byte) error { return nil })
	require.NoError(t, err)
	require.Greater(t, calls, 1000+4)
}
