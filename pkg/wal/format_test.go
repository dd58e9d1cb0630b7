package wal

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"hash/crc32"
	"math/rand"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// goldenSalt stands in for the random one.
var goldenSalt = [saltBytes]byte([]byte("sixteen salt 16b"))

// testRecord is a record as buildSegment lays it out.
type testRecord struct {
	commit  uint64
	end     bool
	payload string
}

// buildSegment writes a segment byte by byte as the package comment says, apart from the code under test.
func buildSegment(sequence uint32, previousEnd Position, salt [saltBytes]byte, records ...testRecord) (segment []byte, offsets []int64) {
	head := []byte("WOODSWAL")
	head = binary.LittleEndian.AppendUint32(head, 1)
	head = binary.LittleEndian.AppendUint32(head, sequence)
	head = append(head, salt[:]...)
	head = binary.LittleEndian.AppendUint64(head, uint64(previousEnd))
	head = binary.LittleEndian.AppendUint32(head, crc32.Checksum(head, castagnoli))
	segment = make([]byte, dataStart)
	copy(segment, head)
	copy(segment[4096:], head)
	for _, r := range records {
		offset := len(segment)
		offsets = append(offsets, int64(offset))
		var flags byte
		if r.end {
			flags = 1
		}
		sum := append([]byte{}, salt[:]...)
		sum = binary.LittleEndian.AppendUint32(sum, sequence)
		sum = binary.LittleEndian.AppendUint32(sum, uint32(offset))
		sum = binary.LittleEndian.AppendUint32(sum, uint32(len(r.payload)))
		sum = binary.LittleEndian.AppendUint64(sum, r.commit)
		sum = append(sum, 9, flags)
		segment = binary.LittleEndian.AppendUint32(segment, uint32(len(r.payload)))
		segment = binary.LittleEndian.AppendUint32(segment, crc32.Checksum(sum, castagnoli))
		segment = binary.LittleEndian.AppendUint64(segment, r.commit)
		segment = binary.LittleEndian.AppendUint32(segment, crc32.Checksum(append(sum, r.payload...), castagnoli))
		segment = append(segment, 9, flags, 0, 0)
		segment = append(segment, r.payload...)
		for len(segment)%8 != 0 {
			segment = append(segment, 0)
		}
	}
	return segment, offsets
}

func putSegment(t testing.TB, fsys vfs.FS, sequence uint32, content []byte) {
	t.Helper()
	require.NoError(t, fsys.MkdirAll(testDir))
	require.NoError(t, vfs.ReplaceFile(fsys, segmentPath(testDir, sequence), content))
}

// The writer's bytes are pinned: a change needs a new Version.
func TestGoldenSegment(t *testing.T) {
	require.Equal(t, 1, Version)
	mem := vfs.NewMem()
	l := openTest(t, Config{FS: mem, Dir: testDir})
	for _, text := range []string{"first", "", "the third record has more than eight bytes"} {
		require.NoError(t, l.Append(t.Context(), Record{Type: 9, Payload: [][]byte{[]byte(text)}}))
	}
	require.NoError(t, l.Close())
	b, err := vfs.ReadFile(mem, segmentPath(testDir, 1), 1<<20)
	require.NoError(t, err)
	// The salt is random: the same records under the golden one must be the golden file, and under this log's own what
	// the log wrote.
	records := []testRecord{{1, true, "first"}, {2, true, ""}, {3, true, "the third record has more than eight bytes"}}
	built, _ := buildSegment(1, 0, [saltBytes]byte(b[16:32]), records...)
	require.Equal(t, hex.Dump(built), hex.Dump(b))

	golden, _ := buildSegment(1, 0, goldenSalt, records...)
	const name = "testdata/segment-v1.hex"
	if *update {
		require.NoError(t, os.WriteFile(name, []byte(dump(golden)), 0o600))
	}
	want, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, string(want), dump(golden))

	// What is in the repository can be read.
	mem = vfs.NewMem()
	putSegment(t, mem, 1, parseDump(t, string(want)))
	got, stats := replayAll(t, mem, 0)
	require.Equal(t, []string{"first", "", "the third record has more than eight bytes"}, texts(got))
	require.Zero(t, stats.DamageCount)
}

// dump is hex.Dump without the lines of zeros.
func dump(b []byte) string {
	var out strings.Builder
	for line := range strings.Lines(hex.Dump(b)) {
		if !strings.Contains(line, "|................|") || strings.ContainsAny(line[8:60], "123456789abcdef") {
			out.WriteString(line)
		}
	}
	return out.String()
}

// parseDump undoes dump.
func parseDump(t *testing.T, dump string) []byte {
	var out []byte
	for line := range strings.Lines(dump) {
		fields, _, _ := strings.Cut(line, "|")
		words := strings.Fields(fields)
		at, err := strconv.ParseInt(words[0], 16, 32)
		require.NoError(t, err)
		out = append(out, make([]byte, int(at)-len(out))...)
		b, err := hex.DecodeString(strings.Join(words[1:], ""))
		require.NoError(t, err)
		out = append(out, b...)
	}
	return out
}

func TestGroupCommitMarksItsEnd(t *testing.T) {
	segment, _ := buildSegment(3, NewPosition(2, 9000), goldenSalt, testRecord{1, false, "a"}, testRecord{1, true, "b"})
	h, err := decodeSegmentHeader(segment, 3)
	require.NoError(t, err)
	require.Equal(t, segmentHeader{sequence: 3, salt: goldenSalt, previousEnd: NewPosition(2, 9000)}, h)
	require.Equal(t, segment[:dataStart], h.encode())
	a := recordHeader{length: 1, commit: 1, typ: 9}
	b := recordHeader{length: 1, commit: 1, typ: 9, commitEnd: true}
	sums := h.summer()
	first := a.append(nil, &sums, dataStart, [][]byte{[]byte("a")})
	second := b.append(nil, &sums, dataStart+32, [][]byte{[]byte("b")})
	require.Equal(t, segment[dataStart:], bytes.Join([][]byte{first, []byte("a"), make([]byte, 7), second, []byte("b"), make([]byte, 7)}, nil))
}

func TestNames(t *testing.T) {
	require.Equal(t, "0000000042.wal", segmentName(42))
	f := func(name string, want uint32, ok bool) {
		t.Helper()
		got, gotOK := parseName(name, segmentSuffix)
		require.Equal(t, ok, gotOK)
		require.Equal(t, want, got)
	}
	f("0000000042.wal", 42, true)
	f("4294967295.wal", 1<<32-1, true)
	f("4294967296.wal", 0, false)
	f("0000000000.wal", 0, false)
	f("42.wal", 0, false)
	f("+000000042.wal", 0, false)
	f("0000000042.free", 0, false)
	f("00000000_2.wal", 0, false)
}

func TestPosition(t *testing.T) {
	p := NewPosition(7, 1<<30)
	require.EqualValues(t, 7, p.Segment())
	require.EqualValues(t, 1<<30, p.Offset())
	require.Equal(t, "7/1073741824", p.String())
	require.Less(t, NewPosition(7, 1<<31), NewPosition(8, 0))
}

func TestOtherVersionsAreRefused(t *testing.T) {
	segment, _ := buildSegment(1, 0, goldenSalt, testRecord{1, true, "x"})
	newer := func(b []byte) {
		binary.LittleEndian.PutUint32(b[8:], 2)
		binary.LittleEndian.PutUint32(b[40:], crc32.Checksum(b[:40], castagnoli))
	}
	newer(segment)
	newer(segment[headerCopyStart:])
	mem := vfs.NewMem()
	putSegment(t, mem, 1, segment)
	_, err := Replay(t.Context(), ReplayConfig{FS: mem, Dir: testDir}, func(Position, byte, []byte) error { return nil })
	require.ErrorIs(t, err, ErrVersion)
	require.ErrorContains(t, err, "segment 1: unknown log format version: the segment has version 2, this build reads 1")
	_, err = Open(t.Context(), smallConfig(mem))
	require.ErrorIs(t, err, ErrVersion)
}

// FuzzReplay: whatever stands in a segment, the reader neither panics nor takes anything for a record that was not
// written there, nor uses more memory than a record may.
func FuzzReplay(f *testing.F) {
	records := []testRecord{
		{1, false, "one"}, {1, true, "two"}, {2, true, strings.Repeat("three", 100)}, {3, false, ""}, {3, false, "five"}, {3, true, "six"},
	}
	good, offsets := buildSegment(2, NewPosition(1, dataStart), goldenSalt, records...)
	sent := map[int64]string{}
	for i, r := range records {
		sent[offsets[i]] = r.payload
	}
	f.Add(good[dataStart:], int64(0), uint16(0))
	f.Add(append(good[dataStart:], good[dataStart:]...), offsets[3], uint16(0))
	torn := bytes.Clone(good)
	copy(torn[offsets[2]:], make([]byte, 40))
	f.Add(torn[dataStart:], int64(0), uint16(1))
	f.Fuzz(func(t *testing.T, data []byte, nextEnd int64, cut uint16) {
		segment := append(bytes.Clone(good[:dataStart]), data...)
		segment = segment[:max(0, len(segment)-int(cut))]
		mem := vfs.NewMem()
		putSegment(t, mem, 2, segment)
		if nextEnd > 0 && nextEnd < 1<<32 {
			next, _ := buildSegment(3, NewPosition(2, nextEnd), goldenSalt)
			putSegment(t, mem, 3, next)
		}
		last := Position(0)
		stats, err := Replay(t.Context(), ReplayConfig{FS: mem, Dir: testDir}, func(at Position, typ byte, payload []byte) error {
			require.Greater(t, at, last)
			last = at
			text, ok := sent[at.Offset()]
			require.True(t, ok, "a record at %s", at)
			require.Equal(t, text, string(payload))
			require.EqualValues(t, 9, typ)
			return nil
		})
		require.NoError(t, err)
		require.LessOrEqual(t, last, stats.End)
		require.GreaterOrEqual(t, stats.DamageBytes, int64(0))
		again, err := Replay(t.Context(), ReplayConfig{FS: mem, Dir: testDir}, func(Position, byte, []byte) error { return nil })
		require.NoError(t, err)
		require.Equal(t, stats, again, "the same files, the same answer")
	})
}

// FuzzSegmentHeader: a header is what was encoded or nothing.
func FuzzSegmentHeader(f *testing.F) {
	good, _ := buildSegment(2, NewPosition(1, dataStart), goldenSalt)
	f.Add(good, uint32(2))
	f.Add(good[:100], uint32(2))
	f.Add([]byte{}, uint32(0))
	f.Fuzz(func(t *testing.T, b []byte, sequence uint32) {
		h, err := decodeSegmentHeader(b, sequence)
		if err != nil {
			return
		}
		require.Equal(t, sequence, h.sequence)
		enc := h.encode()
		copies := bytes.HasPrefix(b, enc[:segmentHeaderSize]) ||
			(len(b) >= headerCopyStart && bytes.HasPrefix(b[headerCopyStart:], enc[:segmentHeaderSize]))
		require.True(t, copies)
	})
}

// FuzzRecordHeader: encode and decode are inverse, and no header fits two places.
func FuzzRecordHeader(f *testing.F) {
	f.Add(uint32(5), uint64(1), byte(9), true, uint32(1), int64(dataStart), []byte("hello"))
	f.Fuzz(func(t *testing.T, length uint32, commit uint64, typ byte, end bool, seed uint32, offset int64, payload []byte) {
		if typ == 0 {
			return
		}
		h := recordHeader{length: length, commit: commit, typ: typ, commitEnd: end}
		sums, others := summer{seed: seed}, summer{seed: seed + 1}
		b := h.append(nil, &sums, offset, [][]byte{payload})
		got, ok := decodeRecordHeader(b)
		require.True(t, ok)
		require.Equal(t, got.headerCRC, sums.header(got, offset))
		require.Equal(t, got.crc, crc32.Update(got.headerCRC, castagnoli, payload))
		require.NotEqual(t, got.headerCRC, sums.header(got, offset+8))
		require.NotEqual(t, got.headerCRC, others.header(got, offset))
		got.headerCRC, got.crc = 0, 0
		require.Equal(t, h, got)
		b[rand.New(rand.NewSource(int64(commit))).Intn(len(b))] ^= 1
		if flipped, ok := decodeRecordHeader(b); ok && sums.header(flipped, offset) == flipped.headerCRC {
			require.NotEqual(t, crc32.Update(flipped.headerCRC, castagnoli, payload), flipped.crc, "a flipped bit was not seen")
		}
	})
}
