package history

import (
	"bytes"
	"flag"
	"math"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite the golden file")

const golden = "testdata/history.bin"

func goldenSnapshot() *snapshot {
	s := &snapshot{}
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixMilli()
	s.times[0] = []int64{at, at + 15_000, at + 30_000}
	s.times[3] = []int64{at - 3_600_000, at}
	s.series = []*series{
		{kind: kindCounter, metric: "pushed_total", labels: []label{{"tenant", "team-ä"}, {LabelLE, LabelInf}}},
		{kind: kindGauge, metric: "memory_bytes"},
	}
	s.series[0].values = [len(tiers)][]float64{{1, 2, 2.5}, {}, {}, {math.NaN(), 1}}
	s.series[1].values = [len(tiers)][]float64{{1 << 40, 0, math.Inf(1)}, {}, {}, {0, -1}}
	return s
}

// TestGolden pins the file. The bytes of zstd may change with its version, so the golden file is read, not written again;
// what is compared is its body.
func TestGolden(t *testing.T) {
	b, err := goldenSnapshot().encode()
	require.NoError(t, err)
	if *update {
		require.NoError(t, os.WriteFile(golden, b, 0o600))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, want[:len(magic)+8], b[:len(magic)+8])
	wantBody, err := unpack(want)
	require.NoError(t, err)
	body, err := unpack(b)
	require.NoError(t, err)
	require.Equal(t, wantBody, body)
	s, err := decode(want)
	require.NoError(t, err)
	require.Equal(t, "team-ä", s.series[0].labels[0].value)
	require.True(t, math.IsNaN(s.series[0].values[3][0]))
	require.InDelta(t, 2.5, s.series[0].values[0][2], 0)
	again, err := s.encode()
	require.NoError(t, err)
	require.Equal(t, b, again)
}

// FuzzDecode holds: nothing panics, and what is read is written again as it was. The body is fuzzed behind a right header,
// else every input would end at the checksum.
func FuzzDecode(f *testing.F) {
	file, err := goldenSnapshot().encode()
	require.NoError(f, err)
	body, err := unpack(file)
	require.NoError(f, err)
	f.Add(body)
	f.Add([]byte{})
	f.Add(body[:40])
	f.Fuzz(func(t *testing.T, body []byte) {
		_, _ = decode(body)
		packed, err := pack(body)
		require.NoError(t, err)
		s, err := decode(packed)
		if err != nil {
			require.ErrorIs(t, err, errFormat)
			return
		}
		again, err := s.encode()
		require.NoError(t, err)
		againBody, err := unpack(again)
		require.NoError(t, err)
		require.True(t, bytes.Equal(body, againBody))
		for _, one := range s.series {
			for i := range tiers {
				require.Len(t, one.values[i], len(s.times[i]))
			}
		}
	})
}
