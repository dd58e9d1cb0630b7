package pipeline

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/buger/jsonparser"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
)

func TestJSONPath(t *testing.T) {
	const document = `{"app":"foo","with space":"v","ÜFT8👌":"w","null":null,"bool":false,"n":1.50,"esc":"a\"\u00e4\n",` +
		`"pod":{"uuid":"u","deployment":{"ref":"r", "params": [1,2,{"x":[[7,"y"]]},"str\"ing"]}}}`
	f := func(extractions, line string, want ...string) {
		t.Helper()
		p := newParser(t, "| json "+extractions, all, labels.FromStrings("stream", "s"), pairs("meta", "m"))
		for range 2 {
			got := p.parse(line)
			require.Equal(t, line, got.line)
			if got.labels["meta"] == "m" {
				delete(got.labels, "meta")
			}
			require.Equal(t, append([]string{}, want...), got.text())
		}
	}
	f(`app`, document, "app=foo")
	f(`x="app", y="pod.uuid", z="pod.deployment.ref"`, document, "x=foo", "y=u", "z=r")
	f("a=`[\"with space\"]`, b=`[\"ÜFT8👌\"]`", document, "a=v", "b=w")
	f("a=`pod[\"uuid\"]`, b=`[\"pod\"][\"uuid\"]`, c=`[\"pod\"].uuid`", document, "a=u", "b=u", "c=u")
	f(`a="pod.deployment.params[0]", b="pod.deployment.params[3]", c="pod.deployment.params[9]"`, document, "a=1", `b=str"ing`, "c=")
	f(`a="pod.deployment.params[2].x[0][1]", b="pod.deployment.params[2].x[0]"`, document, "a=y", `b=[7,"y"]`)
	f(`a="pod.deployment.params", b="pod.deployment"`, document,
		`a=[1,2,{"x":[[7,"y"]]},"str\"ing"]`, `b={"ref":"r", "params": [1,2,{"x":[[7,"y"]]},"str\"ing"]}`)
	f(`a="null", b="bool", c="n", d="esc", e="nope", f="pod.nope", g="app.nope", h="app[0]", i="pod[0]"`, document,
		"a=", "b=false", "c=1.50", "d=a\"ä\n", "e=", "f=", "g=", "h=", "i=")
	f(`a="[1]", b="[2].x"`, `[1, "two" , {"x":3}]`, "a=two", "b=3")
	f(`a`, `{}`, "a=")
	f(`a`, `[]`, "a=")
	f(`a`, `"text"`, "a=")
	f(`a`, ``)
	// The first one counts, but for null it is found, too.
	f(`a`, `{"a":1,"a":2}`, "a=1")
	f(`a`, `{"a":null,"a":2}`, "a=")
	f(`a="b.c"`, `{"b":1,"b":{"x":1},"b":{"c":2}}`, "a=2")
	f(`a="b", c="b"`, `{"b":1}`, "a=1", "c=1")
	f(`a="b", a="c"`, `{"b":1,"c":2}`, "a=2")
	f(`a="\u0062"`, `{"\u0062":1}`, "a=1")
	// Names that are taken.
	f(`stream`, `{"stream":1}`, "stream_extracted=1")
	f(`stream`, `{"x":1}`)
	f(`meta`, `{"meta":1}`, "meta_extracted=1")
	f(`meta`, `{"x":1}`)
	// Only where a path ends it matters what is broken.
	f(`a`, `text`, "JSONParserErr: ")
	f(`a`, ` {"a":1}`, "JSONParserErr: ")
	f(`a`, `"a":1`, "a=", "JSONParserErr: "+faultJSON)
	f(`a`, `{"a":1} "b":2`, "a=1")
	f(`a,b`, `{"a":1} "b":2`, "a=1", "b=", "JSONParserErr: "+faultJSON)
	f(`a,b`, `{"a":1}{"b":2}`, "a=1", "b=2")
	f(`a,b`, `{"a":1 "b":2}`, "a=1", "b=2")
	f(`a,b`, `{x,"a":1,"b":2`, "a=1", "b=2")
	f(`a,b`, `{"a":1,"b":"cut of`, "a=1", "b=", "JSONParserErr: "+faultString)
	f(`a,b`, `{"a":1,"b":{"x":2`, "a=1", "b=", "JSONParserErr: "+faultObject)
	f(`a,b`, `{"a":1,"b":[2`, "a=1", "b=", "JSONParserErr: "+faultArray)
	f(`a,b`, `{"a":tru,"b":1}`, "a=", "b=1", "JSONParserErr: "+faultValue)
	f(`a,b`, `{"a":1,"b":`, "a=1", "b=", "JSONParserErr: "+faultJSON)
	f(`x="a[0].b",c="a[1]"`, `{"a":[{"b":1`, "c=", "x=")
	f(`x="a[0].b",c="a[1]"`, `{"a":[{"b":1},"cut of`, "c=", "x=1")
	f(`a,b`, `{"a":1,"cut of`, "a=1", "b=")
	f(`a,b`, `{"a":1,"c":{"b":2`, "a=1", "b=")
	f(`a`, "{\"a\":\"x\xff\"}", "a=x ")
	f(`a`, "{\"a\":[\"x\xff\"]}", `a=["x "]`)
	f(`a`, `{"a":"\x"}`, "a=")
}

func TestJSONPathStages(t *testing.T) {
	f := func(stages, line string, want ...string) {
		t.Helper()
		require.Equal(t, want, newParser(t, stages, all, labels.FromStrings("stream", "s"), nil).parse(line).text())
	}
	f(`| json | json a="b"`, `{"a":1,"b":2}`, "a=2", "b=2") // replaces
	f(`| json | json a="c"`, `{"a":1,"b":2}`, "a=1", "b=2") // but not with nothing
	f(`| json a="b" | json`, `{"a":1,"b":2}`, "a=2", "b=2") // the first stays
	f(`| json stream="b" | json`, `{"stream":1,"b":2}`, "b=2", "stream_extracted=2")
	p := newParser(t, `| json a, b`, wants("b"), labels.EmptyLabels(), nil)
	require.Equal(t, []string{"b="}, p.parse(`{"a":1}`).text())
}

// oraclePath finds the value by way of encoding/json, in a document that is valid.
func oraclePath(t *testing.T, document json.RawMessage, steps []syntax.PathStep) (json.RawMessage, bool) {
	if len(steps) == 0 {
		return document, true
	}
	d := json.NewDecoder(strings.NewReader(string(document)))
	open, err := d.Token()
	require.NoError(t, err)
	step := steps[0]
	for index := 0; d.More() && (open == json.Delim('{') || open == json.Delim('[')); index++ {
		matches := step.Key == "" && step.Index == index
		if open == json.Delim('{') {
			key, err := d.Token()
			require.NoError(t, err)
			matches = step.Key != "" && key == step.Key
		}
		var value json.RawMessage
		require.NoError(t, d.Decode(&value))
		if matches {
			if found, ok := oraclePath(t, value, steps[1:]); ok {
				return found, true
			}
		}
	}
	return nil, false
}

func FuzzJSONPath(f *testing.F) {
	f.Add(`{"a":{"b":[1,{"c":"\u00e4"}]},"a":2}`, "a.b[1].c", "a")
	f.Add(`[[1],{"a":null}] `, "[0][0]", "[1].a")
	f.Add(`{"a":"x`, "a", "b")
	f.Fuzz(func(t *testing.T, line, a, b string) {
		parse, err := newJSONPathOp([]syntax.Extraction{{Label: "a", Path: a}, {Label: "b", Path: b}})
		if err != nil {
			return
		}
		p := newOpParser(t, parse, Needs{AllNames: true})
		got := p.parse(line)
		require.Equal(t, got, p.parse(line))
		if !json.Valid([]byte(line)) || !utf8.ValidString(line) || strings.ContainsAny(line[:1], " \t\r\n0123456789-tfn") {
			return
		}
		require.Empty(t, got.err)
		for label, path := range map[string]string{"a": a, "b": b} {
			steps, err := syntax.ParseJSONPath(path)
			require.NoError(t, err)
			value, _ := oraclePath(t, json.RawMessage(line), steps)
			want := string(value)
			switch {
			case want == "null":
				want = ""
			case strings.HasPrefix(want, `"`):
				require.NoError(t, json.Unmarshal(value, &want))
			}
			require.Equal(t, strings.ReplaceAll(want, "\ufffd", " "), got.labels[label])
		}
	})
}

// oracleEachKey is the stage by way of jsonparser.EachKey.
func oracleEachKey(t *testing.T, line string, paths ...string) parsed {
	p := parsed{labels: map[string]string{}, line: line}
	if line == "" {
		return p
	}
	if !strings.Contains(`{["`, line[:1]) {
		p.err = EntryError{Class: classJSON}
		return p
	}
	var keys [][]string
	for i, path := range paths {
		steps, err := syntax.ParseJSONPath(path)
		require.NoError(t, err)
		keys = append(keys, nil)
		for _, step := range steps {
			if step.Key == "" {
				step.Key = fmt.Sprintf("[%d]", step.Index)
			}
			keys[i] = append(keys[i], step.Key)
		}
		p.labels[string(rune('a'+i))] = ""
	}
	jsonparser.EachKey([]byte(line), func(i int, value []byte, kind jsonparser.ValueType, err error) {
		text := string(value)
		switch {
		case errors.Is(err, jsonparser.MalformedJsonError) && i >= 0 && strings.HasSuffix(line, ","):
			return // of an array that ends there; the fork that Loki uses does not call it an error
		case err != nil:
			p.err = EntryError{Class: classJSON, Details: err.Error()}
			return
		case kind == jsonparser.String:
			text, _ = jsonparser.ParseString(value)
		case kind == jsonparser.Null:
			text = ""
		}
		p.labels[string(rune('a'+i))] = valid(text)
	}, keys...)
	return p
}

// Documents as Loki's users have them: valid, cut off, with something behind.
func TestJSONPathLikeLoki(t *testing.T) {
	documents := []string{
		`{"a":{"b":[1,{"c":"\u00e4"}],"d":null},"e":"x\"y","f":[[1,2],["three"]],"a b":true}`,
		`{ "e" : 1 , "a" : { "b" : [ ] , "b" : [ "x" , { "c" : -1.5 } ] } , "e" : 2 }`,
		`[{"a":1},{"a":{"b":2}},"s",[4]]`, `{"x":{"y":{"z":[{"a":{"b":1}}]}},"a":{"b":2}}`, `{"e":[],"f":{},"a":{"b":{"c":1}}}`,
	}
	paths := [][]string{
		{"e"}, {"a"}, {"a.b"}, {"a.b[1].c", "e"}, {"a.d", "a.b[0]"}, {"f[1][0]", "f[0]"}, {`["a b"]`, "a.d", "nope"}, {"[1].a.b", "[0].a"}, {"[2]", "[3]"}, {"a", "a.b", "a.b[0]"}, {"x.y.z[0].a.b", "a.b"},
	}
	tails := []string{"", " trailing", "}", "]", ` "e":5`, `,"e":5}`, "\n", `{"e":7}`}
	for _, document := range documents {
		for _, p := range paths {
			var extractions []syntax.Extraction
			for i, path := range p {
				extractions = append(extractions, syntax.Extraction{Label: string(rune('a' + i)), Path: path})
			}
			op, err := newJSONPathOp(extractions)
			require.NoError(t, err)
			parser := newOpParser(t, op, Needs{AllNames: true})
			for _, tail := range tails {
				require.Equal(t, oracleEachKey(t, document+tail, p...), parser.parse(document+tail), "%s of %s", p, document+tail)
			}
			for cut := range document {
				require.Equal(t, oracleEachKey(t, document[:cut], p...), parser.parse(document[:cut]), "%s of %s", p, document[:cut])
			}
		}
	}
}
