package pipeline

import (
	"errors"
	"strings"
	"testing"

	"github.com/buger/jsonparser"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/internal/jsontext"
)

func TestJSON(t *testing.T) {
	f := func(line string, want ...string) {
		t.Helper()
		p := newParser(t, "| json", all, labels.FromStrings("app", "api", "pod_id", "p"), pairs("trace", "abc"))
		for range 3 { // a line is parsed in the same way when its keys are known
			got := p.parse(line)
			delete(got.labels, "trace")
			require.Equal(t, append([]string{}, want...), got.text())
			require.Equal(t, line, got.line)
		}
	}
	f(`{}`)
	f(` { } `)
	f(`{"a":"b"}`, "a=b")
	f(`{"a":"b"} and more`, "a=b")
	f(`{"a":"b",}`, "a=b")
	f(" {\n\"a\" : \"b\" ,\r\n\t\"c\"\t:\t1 }", "a=b", "c=1")
	f(`{"a":{"b":{"c":"d"},"e":1},"f":true}`, "a_b_c=d", "a_e=1", "f=true")
	f(`{"a":1.50,"b":-1e+9,"c":0x7,"d":12ab}`, "a=1.50", "b=-1e+9", "c=0x7", "d=12ab")
	f(`{"a":true,"b":false,"c":null,"d":"null"}`, "a=true", "b=false", "d=null")
	f(`{"a":[1,{"b":"]"}],"c":"d","e":{"f":[]}}`, "c=d")
	f(`{"a":""}`, "a=")
	f(`{"a":{}}`)
	// Names.
	f(`{"a b":1,"c.d-e":2,"1":3,"ü":4,"@t":5}`, "_1=3", "_=4", "_t=5", "a_b=1", "c_d_e=2")
	f(`{"1":{"2":"x"}}`, "_1_2=x")
	f(`{"a":{" ":{"b":1}," ":2}}`, "a=2", "a_b=1")
	f(`{" ":{"b":1}," ":2,"":{"":3}}`, "b=1")
	f(`{"\u0061\n\"":1}`, "a__=1")
	f(`{"__error__":"x","__error_details__":"y","a":1}`, "a=1")
	// The first one counts; what is no value does not.
	f(`{"a":1,"a":2}`, "a=1")
	f(`{"a":null,"a":[],"a":{},"a":2}`, "a=2")
	f(`{"a.b":1,"a_b":2,"a":{"b":3}}`, "a_b=1")
	f(`{"a":{"b":1},"a":{"b":2,"c":3}}`, "a_b=1", "a_c=3")
	// Clashes.
	f(`{"app":1,"trace":2,"pod":{"id":3}}`, "app_extracted=1", "pod_id_extracted=3", "trace_extracted=2")
	f(`{"app":1,"app_extracted":2,"app":3}`, "app_extracted=1")
	f(`{"app_extracted":2,"app":1}`, "app_extracted=2")
	// Escapes.
	f(`{"a":"\"\\\/\b\f\n\r\t"}`, "a=\"\\/\b\f\n\r\t")
	f(`{"a":"\u00e4\u20AC\ud83d\ude00"}`, "a=ä€😀")
	f(`{"a":"x\\","b":"\\\"","c":1}`, `a=x\`, `b=\"`, "c=1")
	f(`{"a":"x\ud83dy","b":"\ude00","c":"\ud83d\u0041"}`, "a=x y", "b= ", "c= A")
	f(`{"a":"\x","b":"\u12","c":"\ud83d\u12","d":1}`, "a=", "b=", "c=", "d=1")
	f("{\"a\":\"x\xffy\",\"b\":\"\\n\xff\",\"c\":\"\ufffd\",\"d\":\"ä\"}", "a=x y", "b=\n ", "c= ", "d=ä")
	f("{\"a\":\"x\ny\"}", "a=x\ny")
}

func TestJSONFaults(t *testing.T) {
	f := func(line, fault string, want ...string) {
		t.Helper()
		p := newParser(t, "| json", all, labels.EmptyLabels(), nil)
		for range 3 {
			require.Equal(t, append(want, "JSONParserErr: "+fault), p.parse(line).text())
			require.Equal(t, EntryError{"JSONParserErr", fault}, oracleJSON(line).err)
		}
	}
	f(``, faultObject)
	f(`plain text`, faultObject)
	f(`[1]`, faultObject)
	f(`"a":1`, faultObject)
	f(`{`, faultJSON)
	f(`{n}`, faultObject)
	f(`{"a`, faultJSON)
	f(`{"a"`, faultJSON)
	f(`{"a" 1}`, faultJSON)
	f(`{"a":`, faultJSON)
	f(`{"\x":1}`, faultEscape)
	f(`{"a":1,"b":tru}`, faultValue, "a=1")
	f(`{"a":1,"b":}`, faultValue, "a=1")
	f(`{"a":1,"b":undefined}`, faultValue, "a=1")
	f(`{"a":1,"b":'x'}`, faultValue, "a=1")
	f(`{"a":1,"b":"x`, faultString, "a=1")
	f(`{"a":1,"b":"x\"}`, faultString, "a=1")
	f(`{"a":1,"b":[1,2}`, faultArray, "a=1")
	f(`{"a":1`, faultArray, "a=1")
	f(`{"a":1,`, faultArray, "a=1")
	f(`{"a":1 "b":2}`, faultObject, "a=1")
	f(`{"a":1,"b":{"c":2,"d"}}`, faultJSON, "a=1", "b_c=2")
	f(`{"a":1,"b":{"c":2,"d":{"e":3,x}}}`, faultObject, "a=1", "b_c=2", "b_d_e=3")
	// Of an object that is not closed nothing is known.
	f(`{"a":1,"b":{"c":2,"d":3`, faultObject, "a=1")
	f(`{"a":1,"b":{"c":{"d":3},"e`, faultObject, "a=1")
	f(`{"a":1,"b":{`, faultObject, "a=1")
}

// A stage that was before it, and one that comes behind.
func TestJSONStages(t *testing.T) {
	f := func(stages, line string, want ...string) {
		t.Helper()
		got := newParser(t, stages, all, labels.FromStrings("app", "api"), nil).parse(line)
		require.Equal(t, want, got.text())
	}
	f(`| json | json`, `{"a":"1","app":"x"}`, "a=1", "app_extracted=x")
	f(`| json | a="1"`, `{"a":"1"}`, "a=1")
	f(`| json | app_extracted="x" | app="api"`, `{"app":"x"}`, "app_extracted=x")
	f(`| json | a > 5`, `{"a":"x"}`, "a=x", `LabelFilterErr: strconv.ParseFloat: parsing "x": invalid syntax`)
}

// What was dropped before: a name of the stream stays taken, one of the metadata does not, and what a parser made it makes
// but once. Where an object is not closed everything in it is taken back.
func TestJSONDropped(t *testing.T) {
	f := func(stages, line string, want ...string) {
		t.Helper()
		p := newParser(t, stages, all, labels.FromStrings("app", "api"), pairs("meta", "m", "other", "o"))
		for range 2 {
			p.batch.Lines[0] = line
			p.batch.Selected.Fill(1)
			require.NoError(t, p.pipeline.Run(p.batch, 0))
			got := parsed{labels: map[string]string{}, err: p.batch.Errors[0]}
			own, _ := p.batch.Labels(0)
			for _, l := range own {
				got.labels[l.Name] = l.Value
			}
			require.Equal(t, want, got.text())
		}
	}
	f(`| drop app | json`, `{"app":1}`, "app_extracted=1", "meta=m", "other=o")
	f(`| drop meta | json`, `{"meta":1,"meta":2}`, "meta=1", "other=o")
	f(`| json | drop a | json`, `{"a":1,"b":2}`, "b=2", "meta=m", "other=o")
	f(`| drop meta, other | json`, `{"meta":1,"x":{"y":1},"o":{"t":1},"other":2}`, "meta=1", "o_t=1", "other=2", "x_y=1")
	f(`| drop meta, other | json`, `{"meta":1,"a":{" ":1,"b":2},"":{"other":2`, "a=1", "a_b=2", "meta=1", "JSONParserErr: "+faultObject)
}

func TestJSONKnownKeys(t *testing.T) {
	// Lines of different shapes, one after the other: what is expected must never change what is found.
	p := newParser(t, "| json", all, labels.EmptyLabels(), nil)
	lines := []string{
		`{"a":1,"b":{"c":2,"d":3},"e":4}`, `{"b":{"d":3,"c":2},"a":1}`, `{"e":4,"a":{"b":5}}`, `{"a" :1,"b":{"c":{"d":6}}}`, `{"a":1,"ab":2}`,
		`{"a\n":1,"ab":2,"b":{}}`, `{"b":[],"e":{"c":2}}`,
	}
	for range 3 {
		for _, line := range lines {
			require.Equal(t, oracleJSON(line), p.parse(line))
		}
	}
	// More keys than are remembered.
	for i := range 3 * jsonKeysMax {
		key := strings.Repeat("k", i%7+1) + string(rune('a'+i%26)) + strings.Repeat("z", i/26%90)
		line := `{"` + key + string(rune('a'+i/2340)) + `":{"x":"y"}}`
		require.Equal(t, oracleJSON(line), p.parse(line))
	}
}

func TestJSONWanted(t *testing.T) {
	line := `{"a":1,"b":{"c":"\n","d":{"e":3}},"app":"x","bc":5,"b_c":7,"f":"g"}`
	want := newParser(t, "| json", all, labels.FromStrings("app", "api"), nil).parse(line)
	f := func(names ...string) {
		t.Helper()
		got := newParser(t, "| json", wants(names...), labels.FromStrings("app", "api"), nil).parse(line)
		require.Equal(t, want.restrict(names...), got)
	}
	f()
	f("a")
	f("b_c")
	f("b_d_e", "f")
	f("app")
	f("app_extracted")
	f("bc", "nothing")
	f("b", "b_d")
}

// A name as long as all that it stands in would be quadratic in the line.
func TestJSONDeep(t *testing.T) {
	const depth = 50_000
	line := strings.Repeat(`{"a":`, depth) + `1` + strings.Repeat(`}`, depth)
	got := newParser(t, "| json", all, labels.EmptyLabels(), nil).parse(line)
	require.Equal(t, parsed{labels: map[string]string{}, line: line}, got)
	got = newParser(t, "| json", all, labels.EmptyLabels(), nil).parse(line[:len(line)-1])
	require.Equal(t, faultArray, got.err.Details)
	got = newParser(t, "| json", all, labels.EmptyLabels(), nil).parse(line[:len(line)-2])
	require.Equal(t, faultObject, got.err.Details)
}

// oracleJSON is the stage by way of jsonparser, without a stream or metadata.
func oracleJSON(line string) parsed {
	p := parsed{labels: map[string]string{}, line: line}
	var walk func(prefix string, data []byte) error
	walk = func(prefix string, data []byte) error {
		return jsonparser.ObjectEach(data, func(key, value []byte, kind jsonparser.ValueType, _ int) error {
			name := string(appendNestedName([]byte(prefix), string(key)))
			text := string(value)
			switch kind {
			case jsonparser.Object:
				return walk(name, value)
			case jsonparser.String:
				unescaped, err := jsonparser.Unescape(value, nil)
				text = valid(string(unescaped))
				if err != nil {
					text = ""
				}
			case jsonparser.Number, jsonparser.Boolean:
			default:
				return nil
			}
			p.found(name, text)
			return nil
		})
	}
	if err := walk("", []byte(line)); err != nil {
		p.err = EntryError{Class: "JSONParserErr", Details: err.Error()}
	}
	return p
}

// odd reports whether brackets do not pair, or a number or word has a bracket or a quote in it. jsonparser, which searches
// for the end of an object before it looks inside, then sees other objects than those that are there.
func odd(line string) bool {
	var open []byte
	before := byte(' ')
	for i := 0; i < len(line); i++ {
		c := line[i]
		word := !jsonEnds[before] && !strings.ContainsRune(`:[{"`, rune(before))
		switch c {
		case '"':
			if word {
				return true
			}
			end := jsontext.StringEnd(line, i+1)
			if end < 0 {
				return false
			}
			i = end - 1
		case '{', '[':
			if word {
				return true
			}
			open = append(open, c+2)
		case '}', ']':
			if len(open) == 0 {
				return false // the end of what is read
			}
			if open[len(open)-1] != c {
				return true
			}
			open = open[:len(open)-1]
		}
		before = c
	}
	return false
}

func FuzzJSON(f *testing.F) {
	f.Add(`{"a":1,"b":{"c":"\u00e4\n","d":[1,{}]},"e":null,"app":true}`, "a")
	f.Add(`{"a":{"b":{"c":1},"d`, "a_b_c")
	f.Add(" {\"a\":\"x\xff\"} ", "a")
	f.Add(`{"a":"\ud83dx","\"":-1,"":{"":2}}`, "_")
	f.Fuzz(func(t *testing.T, line, name string) {
		every := newParser(t, "| json", all, labels.EmptyLabels(), nil)
		got := every.parse(line)
		require.Equal(t, got, every.parse(line))
		if !odd(line) {
			require.Equal(t, oracleJSON(line), got)
		}
		one := newParser(t, "| json", wants(name), labels.EmptyLabels(), nil)
		one.parse(`{"a":1,"b":2}`)
		require.Equal(t, got.restrict(name), one.parse(line))
		every.parse(`{"` + name + `":{"b":2}}`)
		require.Equal(t, got, every.parse(line))
	})
}

func FuzzUnescapeJSON(f *testing.F) {
	f.Add(`\u00e4\ud83d\ude00\n\"`)
	f.Add(`\ud83d\ud83d\ude00\u12`)
	f.Fuzz(func(t *testing.T, raw string) {
		want, err := jsonparser.Unescape([]byte(raw), nil)
		got, ok := appendUnescaped(nil, raw, &jsonEscapes)
		require.Equal(t, err == nil, ok)
		if ok {
			require.Equal(t, string(want), string(got))
		} else {
			require.True(t, errors.Is(err, jsonparser.MalformedStringEscapeError))
		}
	})
}
