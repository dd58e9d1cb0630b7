package pipeline

import (
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

// manyKeys is an object with so many keys, each with its number.
func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"k%d":%d`, i, i)
	}
	return "{" + strings.TrimPrefix(b.String(), ",") + "}"
}

// What a parser finds means the same however many labels there are before it.
func TestParseBehindManyLabels(t *testing.T) {
	for _, n := range []int{1, labelsListMax - 1, labelsListMax, labelsListMax + 1, 3 * labelsListMax, 2} {
		line := manyKeys(n)
		p := newParser(t, "| json | drop k0 | line_format `{\"k0\":\"again\",\"m\":\"new\",\"z\":1}` | json", all,
			labels.FromStrings("app", "api"), []model.Pair{{Name: "m", Value: "old"}})
		for range 2 {
			got := p.parse(line)
			require.Len(t, got.labels, n+2)
			require.NotContains(t, got.labels, "k0", "no parser makes again what was dropped")
			require.Equal(t, "old", got.labels["m"])
			require.Equal(t, "new", got.labels["m_extracted"])
			require.Equal(t, "1", got.labels["z"])
		}
	}
}

func TestKeepOfManyLabels(t *testing.T) {
	p := newParser(t, `| json | keep k7, app, k9="8"`, all, labels.FromStrings("app", "api"), nil)
	require.Equal(t, map[string]string{"k7": "7"}, p.parse(manyKeys(1000)).labels)

	p = newParser(t, "| label_format app=`x` | keep k", all, labels.FromStrings("app", "api"), nil)
	p.batch.Selected.Fill(1)
	require.NoError(t, p.pipeline.Run(p.batch, 0))
	own, removed := p.batch.Labels(0)
	require.Empty(t, own)
	require.Equal(t, []string{"app"}, removed, "the stream's label does not come back")
}

// Every key of an object has the object's name in its own, so a long one is paid for again and again.
func TestLongNamesAreNotExtracted(t *testing.T) {
	long := strings.Repeat("n", 1000)
	fits := strings.Repeat("x", labelNameBytesMax-len(long)-1)
	got := newParser(t, "| json", all, labels.EmptyLabels(), nil).parse(`{"` + long + `":{"` + fits + `":1,"y` + fits + `":2,"z":3}}`)
	require.Equal(t, map[string]string{long + "_" + fits: "1", long + "_z": "3"}, got.labels)
}

// BenchmarkManyKeys parses a line of a quarter of a megabyte twice.
func BenchmarkManyKeys(b *testing.B) {
	line := manyKeys(20_000)
	for _, stages := range []string{"| json", "| json | json", "| json | keep k1"} {
		b.Run(stages, func(b *testing.B) {
			p := newParser(b, stages, all, labels.FromStrings("app", "api"), nil)
			p.batch.Lines[0] = line
			for b.Loop() {
				p.batch.Selected.Fill(1)
				if err := p.pipeline.Run(p.batch, 0); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
