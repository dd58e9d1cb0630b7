package wal

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

// The segment that the tests below break: five commits, of which two have several records.
var damageRecords = []testRecord{
	{1, true, "record 0"},
	{2, false, "record 1 is longer than the others"}, {2, true, "record 2"},
	{3, true, "record 3"},
	{4, false, "record 4"}, {4, false, "record 5"}, {4, true, "record 6"},
	{5, true, "record 7"},
}

// damaged is what a replay finds in a broken segment 2 with other segments around it.
type damaged struct {
	records []int // of damageRecords
	stats   ReplayStats
	after   int // records of segment 3
}

// replayBroken replays segment 2 as given, between an intact segment 1 and, when known is set, a segment 3 that tells
// where 2 ended.
func replayBroken(t require.TestingT, segment []byte, end int64, known bool) damaged {
	mem := vfs.NewMem()
	first, _ := buildSegment(1, 0, goldenSalt, testRecord{1, true, "segment 1"})
	require.NoError(t, mem.MkdirAll(testDir))
	require.NoError(t, vfs.ReplaceFile(mem, segmentPath(testDir, 1), first))
	require.NoError(t, vfs.ReplaceFile(mem, segmentPath(testDir, 2), segment))
	if known {
		third, _ := buildSegment(3, NewPosition(2, end), goldenSalt, testRecord{1, true, "segment 3"})
		require.NoError(t, vfs.ReplaceFile(mem, segmentPath(testDir, 3), third))
	}
	var out damaged
	var err error
	out.stats, err = Replay(context.Background(), ReplayConfig{FS: mem, Dir: testDir}, func(at Position, _ byte, payload []byte) error {
		switch {
		case at.Segment() == 1:
			require.Equal(t, "segment 1", string(payload))
		case at.Segment() == 3:
			require.Equal(t, "segment 3", string(payload))
			out.after++
		default:
			n := int(payload[len("record ")] - '0')
			require.Equal(t, damageRecords[n].payload, string(payload))
			out.records = append(out.records, n)
		}
		return nil
	})
	require.NoError(t, err)
	if known {
		require.Equal(t, 1, out.after, "damage in a segment must not touch the next")
	}
	return out
}

func TestDamage(t *testing.T) {
	good, offsets := buildSegment(2, NewPosition(1, dataStart+40), goldenSalt, damageRecords...)
	end := int64(len(good))
	all := []int{0, 1, 2, 3, 4, 5, 6, 7}
	without := func(lost ...int) []int {
		out := []int{}
		for _, n := range all {
			gone := false
			for _, l := range lost {
				gone = gone || n == l
			}
			if !gone {
				out = append(out, n)
			}
		}
		return out
	}
	// f breaks the segment and compares what is left: as the last segment, and as one whose end is known. Each result is
	// the records given, the damages counted, and the torn tails.
	f := func(name string, breakIt func([]byte) []byte, open, known []int, counts ...int) {
		t.Helper()
		b := breakIt(bytes.Clone(good))
		got := replayBroken(t, b, end, false)
		require.Equal(t, open, got.records, "%s, last segment", name)
		require.Equal(t, counts[:2], []int{got.stats.DamageCount, got.stats.Torn}, "%s, last segment: %v", name, got.stats.Damage)
		got = replayBroken(t, b, end, true)
		require.Equal(t, known, got.records, "%s, known end", name)
		require.Equal(t, counts[2:], []int{got.stats.DamageCount, got.stats.Torn}, "%s, known end: %v", name, got.stats.Damage)
	}
	flip := func(record int, at int64) func([]byte) []byte {
		return func(b []byte) []byte { b[offsets[record]+at] ^= 0x10; return b }
	}
	f("nothing", func(b []byte) []byte { return b }, all, all, 0, 0, 0, 0)

	fields := map[string]int64{
		"length": 0, "length, high": 3, "header crc": 5, "commit": 8, "commit, high": 15, "crc": 16, "type": 20, "flags": 21,
		"zero": 22, "payload": 24, "payload's end": 31,
	}
	for field, at := range fields {
		f(field+" of a whole commit", flip(3, at), without(3), without(3), 1, 0, 1, 0)
		f(field+" of a commit's first", flip(4, at), without(4), without(4), 1, 0, 1, 0)
		f(field+" of a commit's middle", flip(5, at), without(5), without(5), 1, 0, 1, 0)
		f(field+" of a commit's last", flip(6, at), without(6), without(6), 1, 0, 1, 0)
		torn := 1 // a header says that a commit was begun here
		if at < 16 || (at >= 20 && at < 24) {
			torn = 0
		}
		f(field+" of the last record", flip(7, at), without(7), without(7), 0, torn, 1, 0)
	}
	f("padding", flip(1, 24+34+1), all, all, 0, 0, 0, 0)

	cutCommit5 := func(then func([]byte) []byte) func([]byte) []byte {
		return func(b []byte) []byte { return then(b[:offsets[7]]) }
	}
	f("the first record of the last commit", cutCommit5(flip(4, 30)), []int{0, 1, 2, 3}, without(4, 7), 0, 1, 2, 0)
	f("the second record of the last commit", cutCommit5(flip(5, 3)), []int{0, 1, 2, 3, 4}, without(5, 7), 0, 1, 2, 0)
	f("the header of the last commit's last record", cutCommit5(flip(6, 3)), []int{0, 1, 2, 3, 4, 5}, without(6, 7), 0, 0, 1, 0)

	zero := func(from, to int) func([]byte) []byte {
		return func(b []byte) []byte { clear(b[offsets[from]:offsets[to]]); return b }
	}
	f("zeros over several commits", zero(2, 5), without(2, 3, 4), without(2, 3, 4), 1, 0, 1, 0)
	f("zeros from the start", zero(0, 6), without(0, 1, 2, 3, 4, 5), without(0, 1, 2, 3, 4, 5), 1, 0, 1, 0)
	f("zeros in two places", func(b []byte) []byte { return zero(1, 2)(zero(5, 6)(b)) }, without(1, 5), without(1, 5), 2, 0, 2, 0)
	f("zeros to the end", func(b []byte) []byte { clear(b[offsets[3]:]); return b }, []int{0, 1, 2}, []int{0, 1, 2}, 0, 0, 1, 0)
	f("two bad records and a later header", func(b []byte) []byte { return flip(4, 30)(flip(7, 30)(b)) }, without(4, 7), without(4, 7), 1, 1, 2, 0)

	move := func(record, to int) func([]byte) []byte {
		return func(b []byte) []byte { copy(b[offsets[to]:], good[offsets[record]:offsets[record+1]]); return b }
	}
	f("a copy of a record over another", move(3, 5), without(5), without(5), 1, 0, 1, 0)
	f("a copy of a record behind the end", func(b []byte) []byte { return append(b, good[offsets[3]:offsets[4]]...) }, all, all, 0, 0, 0, 0)
	f("all records again, behind the end", func(b []byte) []byte { return append(b, good[dataStart:]...) }, all, all, 0, 0, 0, 0)
	f("8 bytes put in", func(b []byte) []byte {
		return append(b[:offsets[3]:offsets[3]], append(make([]byte, 8), b[offsets[3]:]...)...)
	}, []int{0, 1, 2}, []int{0, 1, 2}, 0, 0, 1, 0)
	f("8 bytes taken out", func(b []byte) []byte { return append(b[:offsets[3]], good[offsets[3]+8:]...) }, []int{0, 1, 2}, []int{0, 1, 2}, 0, 0, 1, 0)

	f("first header", func(b []byte) []byte { b[20] ^= 1; return b }, all, all, 0, 0, 0, 0)
	f("second header", func(b []byte) []byte { b[headerCopyStart+20] ^= 1; return b }, all, all, 0, 0, 0, 0)
	f("both headers", func(b []byte) []byte { b[20] ^= 1; b[headerCopyStart] ^= 1; return b }, nil, nil, 1, 0, 1, 0)
	f("a header of another segment", func(b []byte) []byte {
		other, _ := buildSegment(7, 0, goldenSalt)
		return append(other, b[dataStart:]...)
	}, nil, nil, 1, 0, 1, 0)
	f("empty file", func([]byte) []byte { return nil }, nil, nil, 1, 0, 1, 0)
}

// One bit anywhere costs at most the record it is in; in the last commit of the last segment, that commit's rest.
func TestEveryFlippedBit(t *testing.T) {
	good, offsets := buildSegment(2, NewPosition(1, dataStart+40), goldenSalt, damageRecords...)
	end := int64(len(good))
	for at := dataStart; at < len(good); at++ {
		hit := 0
		for hit+1 < len(offsets) && offsets[hit+1] <= int64(at) {
			hit++
		}
		padding := at >= int(offsets[hit])+recordHeaderSize+len(damageRecords[hit].payload)
		for bit := range 8 {
			b := bytes.Clone(good)
			b[at] ^= 1 << bit
			for _, known := range []bool{true, false} {
				got := replayBroken(t, b, end, known)
				want := len(damageRecords) - 1
				if padding {
					want++
				} else {
					require.NotContains(t, got.records, hit)
				}
				require.Len(t, got.records, want, "bit %d of byte %d", bit, at)
				lost := !padding && (known || hit != 7)
				require.Equal(t, lost, got.stats.DamageCount == 1)
				if lost {
					d := got.stats.Damage[0]
					require.Equal(t, [3]int64{2, offsets[hit], frameBytes(int64(len(damageRecords[hit].payload)))}, [3]int64{int64(d.Segment), d.Offset, d.Bytes}, "%s", d)
				}
			}
		}
	}
}

// Cut anywhere, as the last segment: the records before the cut, and no alarm. With a known end: the same and an alarm.
func TestEveryTruncation(t *testing.T) {
	good, offsets := buildSegment(2, NewPosition(1, dataStart+40), goldenSalt, damageRecords...)
	end := int64(len(good))
	for size := segmentHeaderSize; size < len(good); size++ {
		whole := 0
		for i, r := range damageRecords {
			if offsets[i]+recordHeaderSize+int64(len(r.payload)) <= int64(size) {
				whole = i + 1
			}
		}
		got := replayBroken(t, good[:size], end, false)
		require.Len(t, got.records, whole)
		require.Zero(t, got.stats.DamageCount)
		got = replayBroken(t, good[:size], end, true)
		require.Len(t, got.records, whole)
		if whole < len(damageRecords) {
			require.Equal(t, 1, got.stats.DamageCount, "cut at %d", size)
		}
	}
}

// What a recycled segment held before, and what a payload pretends to be, is never a record.
func TestOldAndPretendedRecordsStayAway(t *testing.T) {
	old, _ := buildSegment(1, 0, [saltBytes]byte{1}, damageRecords...)
	sameNumber, _ := buildSegment(2, 0, [saltBytes]byte{2}, damageRecords...)
	good, offsets := buildSegment(2, NewPosition(1, dataStart+40), goldenSalt, damageRecords...)
	for _, before := range [][]byte{old, sameNumber} {
		for cut := range offsets {
			b := append(bytes.Clone(good[:offsets[cut]]), before[offsets[cut]:]...)
			got := replayBroken(t, b, 0, false)
			require.Len(t, got.records, cut, "earlier records of a recycled segment came back")
			require.Zero(t, got.stats.DamageCount)
			require.Zero(t, got.stats.Torn)
		}
	}

	// A client sends what it has seen of this very segment, and the record that holds it is damaged.
	trap := string(good[offsets[3]:])
	records := []testRecord{{1, true, "record 0"}, {2, true, trap}, {3, true, "record 3"}}
	b, at := buildSegment(2, NewPosition(1, dataStart+40), goldenSalt, records...)
	for _, field := range []int64{0, 5, 24} {
		broken := bytes.Clone(b)
		broken[at[1]+field] ^= 1
		got := replayBroken(t, broken, 0, false)
		require.Equal(t, []int{0, 3}, got.records)
		require.Equal(t, 1, got.stats.DamageCount)
	}
}

// A payload full of plausible headers must not make the search behind a torn record slow: one pass over the segment.
func TestSearchIsOnePass(t *testing.T) {
	trap := make([]byte, 4<<20)
	for at := 0; at+recordHeaderSize <= len(trap); at += recordAlign {
		// Overlapping headers cannot all be perfect; these pass every test but the checksum.
		binary.LittleEndian.PutUint32(trap[at:], 1<<20)
		trap[at+4] = 1
	}
	b, at := buildSegment(2, NewPosition(1, dataStart+40), goldenSalt, testRecord{1, true, "record 0"}, testRecord{2, true, string(trap)})
	b[at[1]+24]++
	mem := vfs.NewMem()
	putSegment(t, mem, 2, b)
	inject := vfs.NewInject(mem)
	inject.StartTrace()
	_, err := Replay(t.Context(), ReplayConfig{FS: inject, Dir: testDir}, func(Position, byte, []byte) error { return nil })
	require.NoError(t, err)
	var read int64
	for _, op := range inject.Trace() {
		if op.Kind == vfs.OpRead {
			read += op.Bytes
		}
	}
	require.Less(t, read, int64(5*len(b)), "twice to be sure, once to search")
	ctx, cancel := context.WithCancel(t.Context())
	_, err = Replay(ctx, ReplayConfig{FS: mem, Dir: testDir}, func(Position, byte, []byte) error { cancel(); return nil })
	require.ErrorIs(t, err, context.Canceled)
}

func TestDamageAroundSegments(t *testing.T) {
	text := func(s string) testRecord { return testRecord{1, true, s} }
	build := func(sequence uint32, previousEnd Position, records ...testRecord) []byte {
		b, _ := buildSegment(sequence, previousEnd, goldenSalt, records...)
		return b
	}
	f := func(segments map[uint32][]byte, from Position, want []string, damage ...string) ReplayStats {
		t.Helper()
		mem := vfs.NewMem()
		for seq, b := range segments {
			putSegment(t, mem, seq, b)
		}
		got, stats := replayAll(t, mem, from)
		require.Equal(t, want, texts(got))
		var reported []string
		for _, d := range stats.Damage {
			reported = append(reported, d.String())
		}
		require.Equal(t, damage, reported)
		return stats
	}
	one, end1 := build(1, 0, text("one")), NewPosition(1, dataStart+32)
	two, end2 := build(2, end1, text("two")), NewPosition(2, dataStart+32)
	three := build(3, end2, text("three"))
	f(map[uint32][]byte{1: one, 2: two, 3: three}, 0, []string{"one", "two", "three"})
	f(map[uint32][]byte{2: two, 3: three}, 0, []string{"two", "three"}) // dropped
	f(map[uint32][]byte{1: one, 3: three}, 0, []string{"one", "three"}, "segment 2, 8224 bytes at 0: the segment is missing")
	f(map[uint32][]byte{1: one, 3: three}, NewPosition(3, 0), []string{"three"}) // a crash kept an older name of two dropped
	f(map[uint32][]byte{3: three}, end1, []string{"three"}, "segment 2, 8224 bytes at 0: the segment is missing")
	f(map[uint32][]byte{1: one, 2: one, 3: three}, 0, []string{"one", "three"}, "segment 2, 8224 bytes at 0: segment header fails its checksum")

	// A segment that was given up: what its successor does not call acknowledged is not replayed.
	unacked, _ := buildSegment(1, 0, goldenSalt, text("one"), testRecord{2, true, "never acknowledged"})
	f(map[uint32][]byte{1: unacked}, 0, []string{"one", "never acknowledged"}) // nobody said so yet
	f(map[uint32][]byte{1: unacked, 2: two}, 0, []string{"one", "two"})
	// Two in a row were given up before a third worked.
	empty := build(2, end1, text("never acknowledged either"))
	f(map[uint32][]byte{1: unacked, 2: empty, 3: build(3, end1, text("three"))}, 0, []string{"one", "three"})

	// Damage before From is nobody's loss. A bad header takes the whole segment, and the end is where it ends.
	bad := bytes.Clone(two)
	bad[dataStart+25] ^= 1
	f(map[uint32][]byte{1: one, 2: bad, 3: three}, NewPosition(3, 0), []string{"three"})
	f(map[uint32][]byte{1: one, 2: bad, 3: three}, end2, []string{"three"})
	f(map[uint32][]byte{1: one, 2: bad, 3: three}, end1, []string{"three"}, "segment 2, 32 bytes at 8192: no valid record of commit 1 up to the end at 8224")
	stats := f(map[uint32][]byte{1: one, 2: make([]byte, 9000)}, 0, []string{"one"}, "segment 2, 9000 bytes at 0: segment header fails its checksum")
	require.Equal(t, NewPosition(2, 9000), stats.End)
	// The last segment's end is found even when all of it lies before From.
	stats = f(map[uint32][]byte{1: one, 2: two}, NewPosition(9, 0), nil)
	require.Equal(t, end2, stats.End)
	require.EqualValues(t, 1, stats.RecordsSkipped)
}

func TestManyDamagesAreCountedAndFewListed(t *testing.T) {
	var records []testRecord
	for i := range 300 {
		records = append(records, testRecord{uint64(i + 1), true, "record"})
	}
	b, at := buildSegment(1, 0, goldenSalt, records...)
	for i := 0; i < 299; i += 2 {
		b[at[i]+25]++
	}
	mem := vfs.NewMem()
	putSegment(t, mem, 1, b)
	got, stats := replayAll(t, mem, 0)
	require.Len(t, got, 150)
	require.Equal(t, 150, stats.DamageCount)
	require.EqualValues(t, 150*32, stats.DamageBytes)
	require.Len(t, stats.Damage, damageListMax)
}

// flakyFile flips a bit in the first read of each place.
type flakyFile struct {
	vfs.File
	fs *flakyFS
}

type flakyFS struct {
	vfs.FS
	mu   sync.Mutex
	seen map[int64]bool
	hits int
}

func (f *flakyFS) Open(name string) (vfs.File, error) {
	file, err := f.FS.Open(name)
	return flakyFile{file, f}, err
}

func (f flakyFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.File.ReadAt(p, off)
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if n > 30 && !f.fs.seen[off] {
		f.fs.seen[off] = true
		f.fs.hits++
		p[30] ^= 1
		if n > headerCopyStart+30 {
			p[headerCopyStart+30] ^= 1
		}
	}
	return n, err
}

func TestABitThatFlippedInMemoryIsNoDamage(t *testing.T) {
	mem := vfs.NewMem()
	good, _ := buildSegment(1, 0, goldenSalt, damageRecords...)
	putSegment(t, mem, 1, good)
	flaky := &flakyFS{FS: mem, seen: map[int64]bool{}}
	got, stats := replayAll(t, flaky, 0)
	require.Len(t, got, len(damageRecords))
	require.Zero(t, stats.DamageCount)
	require.Greater(t, flaky.hits, 1, "header and records")
}

// Random segments, random damage: what is given to the caller is what the rule says, worked out the slow way.
func TestDamageProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var records []testRecord
		for commit := range rapid.IntRange(1, 6).Draw(t, "commits") {
			n := rapid.IntRange(1, 4).Draw(t, "records")
			for i := range n {
				size := rapid.IntRange(0, 100).Draw(t, "size")
				records = append(records, testRecord{uint64(commit + 1), i == n-1, strings.Repeat(fmt.Sprint(len(records)%10), size)})
			}
		}
		b, at := buildSegment(1, 0, goldenSalt, records...)
		end := int64(len(b))
		hitHeader, hit := make([]bool, len(records)), make([]bool, len(records))
		for range rapid.IntRange(0, 4).Draw(t, "damages") {
			from := rapid.IntRange(dataStart, len(b)-1).Draw(t, "from")
			to := min(len(b), from+rapid.IntRange(1, 200).Draw(t, "length"))
			rng := rand.New(rand.NewSource(rapid.Int64().Draw(t, "seed")))
			for i := from; i < to; i++ {
				old := b[i]
				for b[i] == old {
					b[i] = byte(rng.Intn(256))
				}
			}
			for r, start := range at {
				hitHeader[r] = hitHeader[r] || (int64(to) > start && int64(from) < start+recordHeaderSize)
				hit[r] = hit[r] || (int64(to) > start && int64(from) < start+recordHeaderSize+int64(len(records[r].payload)))
			}
		}
		known := rapid.Bool().Draw(t, "known end")
		var want []string
		for i := 0; i < len(records); i++ {
			if !hit[i] {
				want = append(want, records[i].payload)
				continue
			}
			proven := known
			for j := i; j < len(records); j++ {
				proven = proven || (!hitHeader[j] && records[j].commit > records[i].commit)
			}
			if !proven {
				break
			}
			for i+1 < len(records) && hit[i+1] {
				i++
			}
		}
		mem := vfs.NewMem()
		require.NoError(t, mem.MkdirAll(testDir))
		require.NoError(t, vfs.ReplaceFile(mem, segmentPath(testDir, 1), b))
		if known {
			next, _ := buildSegment(2, NewPosition(1, end), goldenSalt)
			require.NoError(t, vfs.ReplaceFile(mem, segmentPath(testDir, 2), next))
		}
		var got []string
		_, err := Replay(context.Background(), ReplayConfig{FS: mem, Dir: testDir}, func(_ Position, _ byte, payload []byte) error {
			got = append(got, string(payload))
			return nil
		})
		require.NoError(t, err)
		require.Equal(t, want, got)
	})
}
