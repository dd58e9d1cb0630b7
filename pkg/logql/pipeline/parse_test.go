package pipeline

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

// parsed is what the stages make of one entry: the labels that are not the stream's as written in tests, its line and error.
type parsed struct {
	labels map[string]string
	line   string
	err    EntryError
}

// parser runs stages over lines of one stream.
type parser struct {
	t        testing.TB
	pipeline *Pipeline
	batch    *Batch
}

func newParser(t testing.TB, stages string, o Options, stream labels.Labels, metadata []model.Pair) *parser {
	t.Helper()
	p, err := Compile(stagesOf(t, stages), o)
	require.NoError(t, err)
	return &parser{t: t, pipeline: p, batch: &Batch{
		Streams: []labels.Labels{stream}, StreamIndex: []uint32{0}, Lines: []string{""}, Metadata: [][]model.Pair{metadata},
	}}
}

// parseWith runs one op over a line.
func parseWith(t testing.TB, o op, w Needs, line string) parsed {
	t.Helper()
	return newOpParser(t, o, w).parse(line)
}

func newOpParser(t testing.TB, o op, w Needs) *parser {
	program := &program{ops: []op{o}, row: row{wanted: newWanted(w), suffixed: map[string]string{}}}
	o.(preparer).prepare(program.row.wanted)
	return &parser{t: t, pipeline: &Pipeline{program: program}, batch: &Batch{
		Streams: []labels.Labels{labels.EmptyLabels()}, StreamIndex: []uint32{0}, Lines: []string{""},
	}}
}

func (p *parser) parse(line string) parsed {
	p.t.Helper()
	p.batch.Lines[0] = line
	p.batch.Selected.Fill(1)
	require.NoError(p.t, p.pipeline.Run(p.batch, 0))
	require.Equal(p.t, 1, p.batch.Selected.Count())
	got := parsed{labels: map[string]string{}, line: strings.Clone(p.batch.Line(0)), err: p.batch.Errors[0]}
	own, removed := p.batch.Labels(0)
	require.Empty(p.t, removed)
	for _, l := range own {
		require.NotContains(p.t, got.labels, l.Name)
		got.labels[l.Name] = strings.Clone(l.Value)
	}
	return got
}

// text is the labels as name=value, sorted, and the error behind them.
func (p parsed) text() []string {
	list := []string{}
	for name, value := range p.labels {
		list = append(list, name+"="+value)
	}
	slices.Sort(list)
	if p.err.Class != "" {
		list = append(list, fmt.Sprintf("%s: %s", p.err.Class, p.err.Details))
	}
	return list
}

// restrict leaves the labels that are wanted.
func (p parsed) restrict(names ...string) parsed {
	kept := map[string]string{}
	for _, name := range names {
		if v, ok := p.labels[name]; ok {
			kept[name] = v
		}
	}
	p.labels = kept
	return p
}

// found is extraction as slow as it can be: the first value of a name counts.
func (p parsed) found(name, value string) {
	if _, ok := p.labels[name]; !ok && name != "" && len(name) <= labelNameBytesMax && name != ErrorLabel && name != ErrorDetailsLabel {
		p.labels[name] = value
	}
}

// valid has a space for each byte that is not UTF-8, and for each replacement character.
func valid(text string) string {
	return strings.Map(func(c rune) rune {
		if c == utf8.RuneError {
			return ' '
		}
		return c
	}, text)
}

// wants is Options for whoever reads these labels, and those of errors, and no others.
func wants(names ...string) Options {
	o := Options{Wanted: Needs{Errors: true}}
	for _, name := range names {
		o.Wanted.AddName(name)
	}
	return o
}

func TestAppendLabelName(t *testing.T) {
	f := func(key, want string) {
		t.Helper()
		require.Equal(t, want, string(appendLabelName(nil, key)))
	}
	f("a", "a")
	f("", "")
	f(" \t", "")
	f("\u00a0\u2003", "")
	f(" a b ", "a_b")
	f("a.b-c/d", "a_b_c_d")
	f("1a", "_1a")
	f(" 1", "_1")
	f("ä€\xff\xfe", "____")
	f("_", "_")
	f("@timestamp", "_timestamp")
	require.Equal(t, "a_1", string(appendNestedName([]byte("a"), "1")))
	require.Equal(t, "a", string(appendNestedName([]byte("a"), " ")))
	require.Equal(t, "_1", string(appendNestedName(nil, "1")))
}

func FuzzWords(f *testing.F) {
	f.Add("plain text that is long", "text")
	f.Add("a\\b=\"c d\x01\xff", "b=")
	f.Add("a=caf\u00e9 b=abcdefghi\xff c=1234567 \xff", "=")
	f.Fuzz(func(t *testing.T, text, part string) {
		require.Equal(t, !strings.ContainsFunc(text, func(c rune) bool { return c >= utf8.RuneSelf || c == '\\' }), isPlain(text))
		b := []byte(text)
		token := newKeyToken(part)
		for i := range b {
			at := func(ends func(c byte) bool) int {
				n := slices.IndexFunc(b[i:], ends)
				if n < 0 {
					return len(b)
				}
				return i + n
			}
			require.Equal(t, strings.HasPrefix(text[i:], part), token.begins(b, i))
			require.Equal(t, at(func(c byte) bool { return c <= ' ' }), logfmtBlank(b, i))
			end, ascii := logfmtWord(b, i)
			require.Equal(t, at(func(c byte) bool { return c <= ' ' || c == '=' || c == '"' }), end)
			require.Equal(t, !slices.ContainsFunc(b[i:end], func(c byte) bool { return c >= utf8.RuneSelf }), ascii)
		}
	})
}
