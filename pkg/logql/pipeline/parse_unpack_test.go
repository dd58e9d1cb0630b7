package pipeline

import (
	"testing"

	"github.com/buger/jsonparser"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"
)

func TestUnpack(t *testing.T) {
	f := func(line, wantLine string, want ...string) {
		t.Helper()
		p := newParser(t, "| unpack", all, labels.FromStrings("app", "api"), pairs("trace", "abc"))
		require.True(t, p.pipeline.ChangesLines)
		for range 2 {
			got := p.parse(line)
			delete(got.labels, "trace")
			require.Equal(t, append([]string{}, want...), got.text())
			require.Equal(t, wantLine, got.line)
		}
	}
	f(`{"n":1,"a":"x","b":"y","_entry":"the line","pod":{"id":"1"},"c":["z"],"d":null}`, "the line", "a=x", "b=y")
	f(`{"_entry":"a \"b\"\n\u00e4","a":"\t\ud83d"}`, "a \"b\"\nä", "a=\t ")
	f(`{"_entry":""}`, "")
	f(`{"_entry":"x"} tail`, "x")
	f(`{"_entry":"x","_entry":"y","a":"1","a":"2"}`, "y", "a=2")
	f(`{"app":"1","trace":"2","_entry":"x"}`, "x", "app_extracted=1", "trace_extracted=2")
	f(`{"a.b":"1"," ":"2","_entry":"x"}`, "x", "a_b=1")
	f(`{"__error__":"1","_entry":"x"}`, "x")
	// What is not packed stays.
	for _, line := range []string{``, `{}`, `{"a":"x"}`, `{"_entry":1,"a":"x"}`, `{"_entry":null}`, `{"e":{"_entry":"x"}}`} {
		f(line, line)
	}
	for line, fault := range map[string]string{
		`text`:                      "expecting json object(6), but it is not",
		` {"_entry":"x"}`:           "expecting json object(6), but it is not",
		`["a"]`:                     "expecting json object(6), but it is not",
		`{`:                         faultJSON,
		`{"a":"x","_entry":"y"`:     faultArray,
		`{"a":"x","_entry":"y",x}`:  faultObject,
		`{"a":"x","_entry":"\x"}`:   faultEscape,
		`{"_entry":"y","\x":"x"}`:   faultEscape,
		`{"_entry":"y","a":x}`:      faultValue,
		`{"_entry":"y","a"}`:        faultJSON,
		`{"_entry":"y","a":{"b":1}`: faultArray,
		`{"_entry":"y","a":{"b":1`:  faultObject,
	} {
		f(line, line, "JSONParserErr: "+fault)
	}
	// Behind it other stages see the entry.
	require.Equal(t, []string{"a=1", "b=2"}, newParser(t, `| unpack | logfmt`, all, labels.EmptyLabels(), nil).parse(`{"a":"1","_entry":"a=2 b=2"}`).text())
}

// oracleUnpack is the stage by way of jsonparser.
func oracleUnpack(line string) parsed {
	p := parsed{labels: map[string]string{}, line: line}
	if line == "" {
		return p
	}
	packed := false
	err := jsonparser.ObjectEach([]byte(line), func(key, value []byte, kind jsonparser.ValueType, _ int) error {
		if kind != jsonparser.String {
			return nil
		}
		text, err := jsonparser.Unescape(value, nil)
		if string(key) == "_entry" {
			p.line = string(text)
			packed = true
			return err
		}
		if err != nil {
			text = nil
		}
		name := string(appendLabelName(nil, string(key)))
		delete(p.labels, name)
		p.found(name, valid(string(text)))
		return nil
	})
	if line[0] != '{' {
		p.err = EntryError{classJSON, "expecting json object(6), but it is not"}
	} else if err != nil {
		p.err = EntryError{classJSON, err.Error()}
	}
	if p.err.Class != "" || !packed {
		p.line, p.labels = line, map[string]string{}
	}
	return p
}

func FuzzUnpack(f *testing.F) {
	f.Add(`{"a":"x\n","n":1,"_entry":"y","b":[{}]}`, "a")
	f.Add(`{"_entry":"\u00e4","a.b":"\ud83d"} `, "a_b")
	f.Fuzz(func(t *testing.T, line, name string) {
		got := newParser(t, "| unpack", all, labels.EmptyLabels(), nil).parse(line)
		if !odd(line) {
			require.Equal(t, oracleUnpack(line), got)
		}
		one := newParser(t, "| unpack", wants(name), labels.EmptyLabels(), nil).parse(line)
		require.Equal(t, got.restrict(name), one)
	})
}
