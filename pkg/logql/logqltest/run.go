package logqltest

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/logql/engine"
	"github.com/woodshed-logs/woodshed/pkg/logql/pipeline"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// NewStore makes a store that holds the streams for model.DefaultTenant and nothing else. Entries of a stream are in
// order of time, equal times in order of arrival.
type NewStore func(t *testing.T, streams ...model.Stream) storage.Querier

// Run plays the script in a file against the engine over the stores that newStore makes, one for each load.
func Run(t *testing.T, file string, newStore NewStore) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	s, err := parseScript(filepath.Base(file), string(text))
	require.NoError(t, err)
	for _, sec := range s.sections {
		e, err := engine.New(engine.Config{Querier: newStore(t, sec.streams...)})
		require.NoError(t, err)
		for _, ev := range sec.evals {
			t.Run(fmt.Sprintf("line %d", ev.line), func(t *testing.T) {
				got := answer(t, e, ev.params)
				require.Equal(t, ev.want, got, "%s:%d: %s", file, ev.line, ev.params.Query)
			})
		}
	}
}

// Scripts returns the scripts of this package, for stores that want to be held to them: paths as seen from a package
// directory at depth levels below pkg, such as 1 for pkg/logdb.
func Scripts(t *testing.T, depth int) []string {
	t.Helper()
	pattern := filepath.Join(strings.Repeat("../", depth), "logql", "logqltest", "testdata", "*.test")
	files, err := filepath.Glob(pattern)
	require.NoError(t, err)
	require.NotEmpty(t, files, "no scripts at %s", pattern)
	return files
}

// entryWithError is the beginning of a pipeline error's text: the error of the entry, and its other labels.
var entryWithError = regexp.MustCompile(`^(pipeline error: '\w+' for series: '\{__error__="\w+", __error_details__="(?:[^"\\]|\\.)*")[^\n]*\}'\.`)

// answer asks a query and writes the answer as scripts do.
func answer(t *testing.T, e *engine.Engine, p engine.Params) []string {
	t.Helper()
	res, err := e.Exec(t.Context(), p)
	if err != nil {
		// Which entry is met first is the store's affair, and how much of its metadata comes along.
		text := entryWithError.ReplaceAllString(err.Error(), "$1, …}'.")
		return []string{"error: " + strings.ReplaceAll(text, "\n", `\n`)}
	}
	var lines []string
	switch res.Type {
	case engine.ResultStreams:
		checkIDs(t, res.Entries)
		for _, e := range res.Entries {
			lines = append(lines, entryLine(e))
		}
	case engine.ResultScalar:
		lines = append(lines, "scalar "+formatValue(res.Scalar.Value))
	default:
		for _, s := range res.Series {
			lines = append(lines, seriesLine(p, s))
		}
	}
	if len(lines) == 0 {
		return []string{"nothing"}
	}
	return lines
}

func checkIDs(t *testing.T, entries []engine.Entry) {
	t.Helper()
	seen := map[string]bool{}
	for _, e := range entries {
		require.Regexp(t, `^[0-9a-f]{16}_[0-9]+$`, e.ID)
		require.False(t, seen[e.ID], "two entries have the ID %s", e.ID)
		seen[e.ID] = true
	}
}

func entryLine(e engine.Entry) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s", time.Duration(e.Timestamp-day), labelText(e.Labels), strconv.Quote(e.Line))
	for _, p := range e.Metadata {
		fmt.Fprintf(&b, " %s=%s", p.Name, p.Value)
		if p.Name == pipeline.LevelLabel && p.Value != e.Level {
			fmt.Fprintf(&b, " (level is %s)", e.Level)
		}
	}
	for _, p := range e.Parsed {
		fmt.Fprintf(&b, " parsed %s=%s", p.Name, p.Value)
	}
	return b.String()
}

// seriesLine writes a value for each step, in the place of its time.
func seriesLine(p engine.Params, s engine.Series) string {
	b := []string{labelText(s.Labels)}
	samples := s.Samples
	step := p.Step
	start := p.Start
	if p.Instant {
		start, step = p.End, 1
	}
	for at := start; at <= p.End; at = at.Add(step) {
		if len(samples) > 0 && samples[0].Timestamp == at {
			b = append(b, formatValue(samples[0].Value))
			samples = samples[1:]
		} else {
			b = append(b, "_")
		}
	}
	for _, extra := range samples {
		b = append(b, fmt.Sprintf("%s@%s", formatValue(extra.Value), time.Duration(extra.Timestamp-day)))
	}
	return strings.Join(b, " ")
}

func labelText(ls labels.Labels) string { return ls.String() }

func formatValue(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }
