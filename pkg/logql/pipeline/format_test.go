package pipeline

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	texttemplate "text/template"
	"unicode/utf8"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// formatBatch is two entries of two streams; the second of them has little to say.
func formatBatch() *Batch {
	b := &Batch{
		Streams:     []labels.Labels{labels.FromStrings("a", "1", "b", "2"), labels.FromStrings("a", "3")},
		StreamIndex: []uint32{0, 1},
		Timestamps:  []model.Timestamp{1661518453244672570, 0},
		Lines:       []string{"first line", "second"},
		Levels:      []string{"info", ""},
		Metadata:    [][]model.Pair{pairs("c", "4", "d", ""), nil},
	}
	b.Selected.Fill(2)
	return b
}

// labelsOf returns all labels of an entry as the pipeline left it.
func labelsOf(b *Batch, i int) map[string]string {
	all := b.Streams[b.StreamIndex[i]].Map()
	own, removed := b.Labels(i)
	for _, name := range removed {
		delete(all, name)
	}
	for _, l := range own {
		all[l.Name] = l.Value
	}
	if e, ok := b.Errors[i]; ok {
		all[ErrorLabel], all[ErrorDetailsLabel] = e.Class, e.Details
	}
	return all
}

func TestFormatNeeds(t *testing.T) {
	f := func(stages string, line, all bool, names ...string) {
		t.Helper()
		p, err := Compile(stagesOf(t, stages), Options{})
		require.NoError(t, err)
		want := Needs{Line: line, AllNames: all}
		for _, name := range names {
			want.AddName(name)
		}
		require.Equal(t, want, p.Needs, stages)
		require.Equal(t, strings.Contains(stages, "line") || strings.Contains(stages, "decolorize"), p.ChangesLines)
	}
	f(`| line_format "{{.a}}"`, false, false, "a")
	f(`| line_format "{{.a}} {{.b}} {{.__error__}}"`, true, false, "a", "b", ErrorLabel) // it may be too long
	f(`| line_format "{{range .}}{{.}}{{end}}"`, true, true)
	f(`| label_format a=b, c="{{.d | upper}}"`, false, false, "b", "d")
	f(`| label_format a="{{ __timestamp__ }}"`, false, false)
	f(`| label_format a=__error__, b="{{.}}"`, false, true, ErrorLabel)
	f(`| decolorize`, true, false)
	f(`| drop a, b="c", __error__=~"x"`, false, false)
	f(`| keep a, b="c"`, false, false)

	p, err := Compile(stagesOf(t, `| label_format a="{{len __line__}}"`), Options{})
	require.NoError(t, err)
	require.Equal(t, Needs{Line: true}, p.Needs)
	require.False(t, p.ChangesLines)
}

// What the pipeline did to one batch must not show in the next.
func TestFormatsReuse(t *testing.T) {
	p, err := Compile(stagesOf(t, `| label_format a="x{{.a}}", b="{{.a}}", e="{{range .}}.{{end}}" | line_format "{{.a}}{{.b}} {{__line__}} {{len .e}}" | drop c | keep a, b`), all)
	require.NoError(t, err)
	for range 3 {
		b := formatBatch()
		require.NoError(t, p.Run(b, 0))
		require.Equal(t, "x11 first line 4", b.Line(0))
		require.Equal(t, "x33 second 1", b.Line(1))
		require.Equal(t, map[string]string{"a": "x1", "b": "1"}, labelsOf(b, 0))
		require.Equal(t, map[string]string{"a": "x3", "b": "3"}, labelsOf(b, 1))
	}
}

func TestFormatDetailsLabel(t *testing.T) {
	p, err := Compile(stagesOf(t, `| a > 2 | b > 5s | label_format __error_details__="{{.a}}"`), all)
	require.NoError(t, err)
	b := formatBatch()
	b.Streams[1] = labels.FromStrings("a", "3", "b", "x")
	require.NoError(t, p.Run(b, 0))
	require.Equal(t, map[string]string{"a": "3", "b": "x", ErrorLabel: classLabelFilter, ErrorDetailsLabel: "3"}, labelsOf(b, 1))
}

// formatStep is a format of a label_format, and what it does to labels in the plainest way.
type formatStep struct{ label, source, template string }

func (s formatStep) String() string {
	if s.source != "" {
		return s.label + "=" + s.source
	}
	return fmt.Sprintf("%s=%q", s.label, s.template)
}

// formatPlainly runs formats over maps.
func formatPlainly(t require.TestingT, all map[string]string, steps []formatStep) {
	var seen map[string]string
	for _, s := range steps {
		if s.source != "" {
			if value, ok := all[s.source]; ok {
				all[s.label] = value
				delete(all, s.source)
			}
			continue
		}
		if seen == nil {
			seen = maps.Clone(all)
		}
		tmpl, err := texttemplate.New("label").Option("missingkey=zero").Parse(s.template)
		require.NoError(t, err)
		var out strings.Builder
		if err := tmpl.Execute(&out, seen); err != nil {
			all[ErrorLabel], all[ErrorDetailsLabel] = classTemplate, err.Error()
			continue
		}
		all[s.label] = out.String()
	}
}

func TestLabelFormatTwin(t *testing.T) {
	names := []string{"a", "b", "c", "d", "e"}
	name := rapid.SampledFrom(names)
	template := rapid.SampledFrom([]string{"", "x", "{{.a}}", "{{.b}}", "{{.c}}-{{.e}}", "{{.d}}{{.a}}", "{{range .}}[{{.}}]{{end}}", "{{len .b}}",
		"{{.a.b}}", `{{index . "e"}}`, "{{.__error__}}", "{{.__error__}}!"})
	rapid.Check(t, func(rt *rapid.T) {
		var steps []formatStep
		var texts []string
		for _, label := range rapid.SliceOfNDistinct(name, 1, 5, rapid.ID).Draw(rt, "labels") {
			s := formatStep{label: label, source: name.Draw(rt, "source")}
			if rapid.Bool().Draw(rt, "template") {
				s = formatStep{label: label, template: template.Draw(rt, "text")}
			}
			steps, texts = append(steps, s), append(texts, s.String())
		}
		p, err := Compile(stagesOf(t, `| label_format `+strings.Join(texts, ", ")), all)
		require.NoError(rt, err)
		b := formatBatch()
		require.NoError(rt, p.Run(b, 0))
		for i, want := range []map[string]string{{"a": "1", "b": "2", "c": "4", "detected_level": "info"}, {"a": "3"}} {
			formatPlainly(rt, want, steps)
			require.Equal(rt, want, labelsOf(b, i), "%s", texts)
		}
	})
}

// A query whose formats make gigabytes of a batch ends.
func TestTooMuchText(t *testing.T) {
	p, err := Compile(stagesOf(t, `| line_format "{{repeat 1000000 .a}}"`), all)
	require.NoError(t, err)
	b := &Batch{Streams: []labels.Labels{labels.FromStrings("a", "x")}, StreamIndex: make([]uint32, 300)}
	b.Selected.Fill(300)
	err = p.Run(b, 0)
	require.ErrorIs(t, err, storage.ErrLimit)
	require.ErrorContains(t, err, "256 MiB")

	b.Selected.Fill(10)
	b.StreamIndex = b.StreamIndex[:10]
	require.NoError(t, p.Run(b, 0), "the next batch is one of its own")
}

// The text of an error repeats what could not be read.
func TestErrorDetailsAreBounded(t *testing.T) {
	line := "n=" + strings.Repeat("ä", 100_000)
	for _, stages := range []string{"| logfmt | n > 5", "| logfmt | label_format x=`{{unixToTime .n}}`", "| logfmt | line_format `{{unixToTime .n}}`"} {
		got := newParser(t, stages, all, labels.EmptyLabels(), nil).parse(line)
		require.NotEmpty(t, got.err.Class, stages)
		require.LessOrEqual(t, len(got.err.Details), detailsBytesMax+len("…"), stages)
		require.True(t, utf8.ValidString(got.err.Details), stages)
	}
}
