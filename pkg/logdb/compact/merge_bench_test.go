package compact

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/logdb/block"
	"github.com/woodshed-logs/woodshed/pkg/logdb/chunk"
	"github.com/woodshed-logs/woodshed/pkg/logdb/index"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

// cpuTime is what this process has used. Machines that run tests are busy, so the clock on the wall says little.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// benchEntry is a JSON line of about 250 bytes with the metadata that an agent adds.
func benchEntry(rng *rand.Rand, at model.Timestamp) model.Entry {
	level := []string{"info", "info", "info", "debug", "warn", "error"}[rng.IntN(6)]
	return model.Entry{
		Timestamp: at, Level: level,
		Line: fmt.Sprintf(`{"ts":"%s","level":"%s","msg":"%s","trace_id":"%016x","user":"user-%d","path":"/api/v1/items/%d","status":%d,"duration_ms":%d}`,
			at.Time().Format("2006-01-02T15:04:05.000000Z"), level, []string{"request handled", "cache miss", "queue drained"}[rng.IntN(3)],
			rng.Uint64(), int(rng.ExpFloat64()*50), rng.IntN(5000), []int{200, 200, 404, 500}[rng.IntN(4)], int(rng.ExpFloat64()*80)),
		Metadata: []model.Pair{{Name: "pod", Value: fmt.Sprint("api-7f9c-", rng.IntN(20))}},
	}
}

// benchStreams are label sets by cluster and place, as a head packs them.
func benchStreams(n int) []labels.Labels {
	sets := make([]labels.Labels, n)
	for i := range sets {
		sets[i] = labels.FromStrings("app", fmt.Sprint("app-", i%40), "namespace", fmt.Sprint("ns-", i%8), "pod", fmt.Sprintf("pod-%05d", i))
	}
	slices.SortFunc(sets, labels.Compare)
	return sets
}

// benchBlock writes a block: up to so many lines of each stream that fit one chunk, packed in the order of clusters or each
// stream alone.
func benchBlock(s *store, walTo uint64, sets []labels.Labels, lines int, packed bool) *block.Block {
	rng := rand.New(rand.NewPCG(walTo, 1))
	var streams []block.StreamInfo
	order := make([]int, len(sets))
	for i, ls := range sets {
		streams = append(streams, block.StreamInfo{Labels: ls, Fingerprint: model.FingerprintOf(ls)})
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(index.Cluster(sets[a]), index.Cluster(sets[b])) })
	var chunks []*chunk.Encoded
	var group []chunk.Run
	raw := int64(0)
	flush := func() {
		e, err := chunk.Encode(group, chunk.Options{})
		require.NoError(s.t, err)
		chunks = append(chunks, e)
		group, raw = nil, 0
	}
	for _, i := range order {
		var rows chunk.Rows
		for n := range lines {
			e := benchEntry(rng, dayStart+model.Timestamp(walTo)*3600e9+model.Timestamp(n)*1e9)
			if !rows.Fits(e) {
				break
			}
			rows.Append(e)
		}
		if len(group) > 0 && (!packed || raw+rows.RawBytes() > chunk.RawBytesMax) {
			flush()
		}
		group, raw = append(group, chunk.Run{Ref: model.StreamRef(i), Rows: rows.Snapshot()}), raw+rows.RawBytes()
	}
	flush()
	m := block.Meta{Tenant: "fake", Day: day, WalTo: walTo, Replicas: block.ReplicasUnknown}
	b, err := s.write(m, streams, sequence(chunks))
	require.NoError(s.t, err)
	return b
}

// benchMerge merges four blocks, without writing, and reports MB/s of raw bytes by CPU time.
func benchMerge(b *testing.B, sets []labels.Labels, lines int, packed bool) {
	s := newStore(b)
	var inputs []Input
	raw, entries := uint64(0), uint64(0)
	for i := range 4 {
		in := benchBlock(s, uint64(i+1), sets, lines, packed)
		inputs = append(inputs, Input{Block: in})
		raw += in.Meta().RawBytes
		entries += in.Meta().Entries
	}
	var counts Counts
	b.ReportAllocs()
	start := cpuTime(b)
	for b.Loop() {
		m, err := Merge(b.Context(), inputs, MergeOptions{})
		require.NoError(b, err)
		for _, err := range m.Chunks(b.Context()) {
			require.NoError(b, err)
		}
		counts = m.Counts()
	}
	each := float64(cpuTime(b)-start) / float64(b.N)
	b.ReportMetric(float64(raw)*1000/each, "cpu-MB/s")
	b.ReportMetric(each/float64(entries), "cpu-ns/entry")
	b.ReportMetric(float64(counts.ChunksCopied), "copied")
	b.ReportMetric(float64(counts.ChunksRewritten), "rewritten")
	b.ReportMetric(float64(counts.ChunksDecoded), "decoded")
}

func BenchmarkMerge(b *testing.B) {
	b.Run("copy/streams=20", func(b *testing.B) { benchMerge(b, benchStreams(20), 10_000, false) })
	b.Run("rewrite/streams=20", func(b *testing.B) { benchMerge(b, benchStreams(20), 1_000, false) })
	b.Run("packed/streams=50k/lines=20", func(b *testing.B) { benchMerge(b, benchStreams(50_000), 20, true) })
}
