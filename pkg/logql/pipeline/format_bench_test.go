package pipeline

import (
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

func BenchmarkFormat(b *testing.B) {
	const entries = 1024
	batch := &Batch{Streams: []labels.Labels{labels.FromStrings("app", "api", "env", "prod", "pod", "api-7d9f")}}
	for range entries {
		batch.StreamIndex = append(batch.StreamIndex, 0)
		batch.Lines = append(batch.Lines, "\x1b[32mINFO\x1b[0m request GET /api/v1/things finished")
		batch.Levels = append(batch.Levels, "info")
		batch.Metadata = append(batch.Metadata, []model.Pair{{Name: "status", Value: "200"}, {Name: "took", Value: "1.5s"}})
	}
	for _, bm := range []struct{ name, stages string }{
		{"label", `| line_format "{{.status}}"`},
		{"parts", `| line_format "{{.status}} {{.took}} {{__line__}}"`},
		{"functions", `| line_format "{{.status}} {{.took | upper}} {{__line__ | trunc 10}}"`},
		{"rename", `| label_format code=status`},
		{"template", `| label_format code="s{{.status}}"`},
		{"decolorize", `| decolorize`},
		{"drop", `| drop pod, took`},
		{"keep", `| keep app, status`},
	} {
		b.Run("stage="+bm.name, func(b *testing.B) {
			p, err := Compile(stagesOf(b, bm.stages), all)
			require.NoError(b, err)
			b.ReportAllocs()
			for b.Loop() {
				batch.Selected.Fill(entries)
				require.NoError(b, p.Run(batch, 0))
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*entries), "ns/entry")
		})
	}
}
