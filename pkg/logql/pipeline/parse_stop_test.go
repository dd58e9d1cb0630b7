package pipeline

import (
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Of a parser that stops when nobody waits for more, the labels that are read are those of one that reads on for the sake of
// errors; it has an error only when one of them is missing.
func TestParsersStop(t *testing.T) {
	pieces := map[string]*rapid.Generator[string]{
		"| json": rapid.SampledFrom([]string{
			`{`, `}`, `{`, `}`, `,`, `,`, `"a":`, `"b":`, `"c":`, `"a_b":`, `"x":`, `1`, `"v"`, `"w"`, `null`, `[1]`, `{"a":{"b":2}}`, `"a":3,`, `"b":"4",`, `"x":5,`, `"m":6,`, `"a":{"b":7,`, `"a":{`, ` `, `z`,
		}),
		"| logfmt": rapid.SampledFrom([]string{
			`a=1`, ` a=2`, ` b=3`, ` b=""`, ` c="4"`, ` x=5`, ` a_b=6`, ` m=7`, ` `, ` `, `=`, `"`, `a`, "\xff",
		}),
	}
	names := []string{"a", "b", "c", "a_b", "a_a_b", "x", "x_extracted", "m", "m_extracted", "b_extracted"}
	for stage, piece := range pieces {
		t.Run(stage, rapid.MakeCheck(func(rt *rapid.T) {
			read := rapid.SliceOfN(rapid.SampledFrom(names), 0, 3).Draw(rt, "names")
			stages := stage
			if rapid.Bool().Draw(rt, "twice") {
				stages = strings.Join([]string{stage, rapid.SampledFrom([]string{"| drop a", "| drop a, m", "| line_format `b=9 x=9`"}).Draw(rt, "between"), stage}, " ")
			}
			ends := wants(read...)
			ends.Wanted.Errors = false
			stream, metadata := labels.FromStrings("x", "stream"), pairs("m", "metadata")
			short, long := newParser(t, stages, ends, stream, metadata), newParser(t, stages, wants(read...), stream, metadata)
			for range 3 { // parsers remember the line before
				line := strings.Join(rapid.SliceOfN(piece, 0, 12).Draw(rt, "line"), "")
				if stage == "| json" {
					line = "{" + line
				}
				got, want := short.parse(line), long.parse(line)
				if got.err.Class != "" {
					require.Equal(rt, want.err, got.err)
				}
				require.Equal(rt, want.restrict(read...).labels, got.restrict(read...).labels, "%s of %s", stages, line)
			}
		}))
	}
}
