package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

func TestJSONPush(t *testing.T) {
	f := func(body string, want ...string) {
		t.Helper()
		r, err := Decode([]byte(body), typeJSON, "", Options{})
		require.NoError(t, err, body)
		require.Equal(t, want, printed(r), body)
		r.Release()
	}
	f(`{}`)
	f(`null`)
	f(` {"streams" : [ ] } ` + "\n\t\r")
	f(`{"streams":null}`)
	f(`{"STREAMS":[{"stream":{"a":"b"}}]}`, `{a="b"}`)
	f(`{"other":[1,{"x":[]}],"streams":[{"stream":{"a":"b"},"more":-1.5e3,"values":[["1","x"]]}]}`, `{a="b"}`, `1 x`)
	f(`{"streams":[{"values":[["1","x"]],"stream":{"a":"b"}}]}`, `{a="b"}`, `1 x`)
	f(`{"streams":[{"stream":{}}]}`, `{}`)
	f(`{"streams":[{"stream":{"b":"1","a":"2","b":"3"}}]}`, `{a="2", b="3"}`)
	f(`{"streams":[{"stream":{"a":5,"b":true,"c":null,"d":{"e":["f"]},"g":""}}]}`, `{a="5", b="true", c="null", d="{\"e\":[\"f\"]}", g=""}`)
	f(`{"streams":[{"stream":{"a":"b"},"values":null}]}`, `{a="b"}`)
	f(`{"streams":[{"stream":{"a":"b"},"values":[null,["1","x"],null]}]}`, `{a="b"}`, `1 x`)
	f(`{"streams":[{"stream":{"a":"b"},"values":[["1","x",{},"more",7]]}]}`, `{a="b"}`, `1 x`)
	f(`{"streams":[{"stream":{"a":"b"},"values":[["-9223372036854775808","x"],["9223372036854775807","y"]]}]}`,
		`{a="b"}`, `-9223372036854775808 x`, `9223372036854775806 y`)
	f(`{"streams":[{"stream":{"a":"b"},"values":[[],["1"]]}]}`, `{a="b"}`, `-9223372036854775808 `, `1 `)
	f(`{"streams":[{"stream":{"a":"b"},"values":[["1","x",{"k":"v","l":"","k":"w"}]]}]}`, `{a="b"}`, `1 x k=v l= k=w`)
	f(`{"streams":[{"stream":{"a":"\"\u00e9\\"},"values":[["1","\ud83d\ude00 \n\t\r\b\f\/\\ \u0041",{"\u006b":"\u0076"}]]}]}`,
		`{a="\"é\\"}`, "1 😀 \n\t\r\b\f/\\ A k=v")
	f(`{"streams":[{"stream":{"a":"b"},"values":[["1","half \ud83d, \ude00 and \ud83dx\ud83d\u0041"]]}]}`,
		`{a="b"}`, "1 half \uFFFD, \uFFFD and \uFFFDx\uFFFDA")
	f("{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":[[\"1\",\"raw \n\t \xff\"]]}]}", `{a="b"}`, "1 raw \n\t \xff")
}

// printed shows labels and entries of a request, a line for each.
func printed(r *Request) (out []string) {
	for _, s := range r.Streams {
		if r.LabelsParsed {
			out = append(out, s.Labels.String())
		} else {
			out = append(out, "text "+s.LabelsText)
		}
		for _, e := range s.Entries {
			line := fmt.Sprintf("%d %s", e.Timestamp, e.Line)
			for _, p := range e.Metadata {
				line += " " + p.Name + "=" + p.Value
			}
			out = append(out, line)
		}
	}
	return out
}

func TestBadJSON(t *testing.T) {
	f := func(body, text string) {
		t.Helper()
		class, got := refusal(t, []byte(body), typeJSON, "", Options{})
		require.Equal(t, Malformed, class)
		require.Equal(t, text, got, body)
	}
	f(``, `EOF`)
	f("  \n", `EOF`)
	f("\x00", `invalid JSON at byte 0: the push must be an object`)
	f(`[]`, `invalid JSON at byte 0: the push must be an object`)
	f(`{`, `invalid JSON at byte 1: expected a key`)
	f(`{"streams"`, `invalid JSON at byte 10: expected a colon`)
	f(`{"streams":`, `invalid JSON at byte 11: streams must be an array`)
	f(`{"streams":{}}`, `invalid JSON at byte 11: streams must be an array`)
	f(`{"streams":[null]}`, `invalid JSON at byte 12: a stream must be an object`)
	f(`{"streams":[]`, `invalid JSON at byte 13: expected a comma or the end of an object`)
	f(`{"streams":[{}`, `invalid JSON at byte 14: expected a comma or the end of an array`)
	f(`{"streams":[]}x`, `invalid JSON at byte 14: text behind the end`)
	f(`{"streams":[]}{"streams":[]}`, `invalid JSON at byte 14: text behind the end`)
	f(`{"streams":[]} `+"\x00", `invalid JSON at byte 15: text behind the end`)
	f(`{"streams":[{"stream":[]}]}`, `invalid JSON at byte 22: stream must be an object`)
	f(`{"streams":[{"stream":{"a":}}]}`, `invalid JSON at byte 27: expected a value`)
	f(`{"streams":[{"stream":{"a":"b}}]}`, `invalid JSON at byte 27: a string does not end`)
	f(`{"streams":[{"stream":{"a":"\"`, `invalid JSON at byte 30: a string does not end`)
	f(`{"streams":[{"stream":{"a":"\q"}}]}`, `invalid JSON at byte 28: unknown escape in a string`)
	f(`{"streams":[{"stream":{"a":"\u12x4"}}]}`, `invalid JSON at byte 28: unknown escape in a string`)
	f(`{"streams":[{"values":{}}]}`, `invalid JSON at byte 22: values must be an array`)
	f(`{"streams":[{"values":["1"]}]}`, `invalid JSON at byte 23: a value must be an array`)
	f(`{"streams":[{"values":[[1,"x"]]}]}`, `invalid JSON at byte 24: a timestamp must be a string of nanoseconds`)
	f(`{"streams":[{"values":[["","x"]]}]}`, `invalid JSON at byte 26: a timestamp must be a string of nanoseconds`)
	f(`{"streams":[{"values":[["1.5","x"]]}]}`, `invalid JSON at byte 29: a timestamp must be a string of nanoseconds`)
	f(`{"streams":[{"values":[["+1","x"]]}]}`, `invalid JSON at byte 28: a timestamp must be a string of nanoseconds`)
	f(`{"streams":[{"values":[["9223372036854775808","x"]]}]}`, `invalid JSON at byte 45: a timestamp must be a string of nanoseconds`)
	f(`{"streams":[{"values":[["1",5]]}]}`, `invalid JSON at byte 28: a line must be a string`)
	f(`{"streams":[{"values":[["1",null]]}]}`, `invalid JSON at byte 28: a line must be a string`)
	f(`{"streams":[{"values":[["1","x",null]]}]}`, `invalid JSON at byte 32: structured metadata must be an object`)
	f(`{"streams":[{"values":[["1","x",{"a":5}]]}]}`, `invalid JSON at byte 37: a value of structured metadata must be a string`)
	f(`{"streams":[{"values":[["1","x",{"a":{"b":"c"}}]]}]}`, `invalid JSON at byte 37: a value of structured metadata must be a string`)
	f(`{"x":`+strings.Repeat("[", jsonDepthMax+1), fmt.Sprintf(`invalid JSON at byte %d: values are nested too deep`, 5+jsonDepthMax))
	f(`{"x":[}`, `invalid JSON at byte 6: expected a value`)
	f(`{"x":[1}`, `invalid JSON at byte 7: expected a comma or the end of a value`)
	f(`{"x":{"y":1]`, `invalid JSON at byte 11: expected a comma or the end of a value`)
	f(`{"x":{1:1}}`, `invalid JSON at byte 6: expected a key`)
	f(`{"x":01}`, `invalid JSON at byte 7: expected a value`)
}

func TestTooManyLabels(t *testing.T) {
	set := strings.Repeat(`"a":"",`, labelsCountMax-1) + `"a":""`
	r, err := Decode([]byte(`{"streams":[{"stream":{`+set+`}}]}`), typeJSON, "", Options{})
	require.NoError(t, err)
	r.Release()
	class, text := refusal(t, []byte(`{"streams":[{"stream":{`+set+`,"b":""}}]}`), typeJSON, "", Options{})
	require.Equal(t, TooLarge, class)
	require.Equal(t, "request body too large: a stream has more than 4096 labels", text)
}

func TestLegacyJSON(t *testing.T) {
	legacy := Options{LegacyJSON: true}
	f := func(body string, want ...string) {
		t.Helper()
		r, err := Decode([]byte(body), typeJSON, "", legacy)
		require.NoError(t, err, body)
		require.False(t, r.LabelsParsed)
		require.Equal(t, want, printed(r), body)
		r.Release()
	}
	f(`{"streams":[{"labels":"{a=\"b\"}","entries":[{"ts":"1970-01-01T00:00:00.000000007Z","line":"x"},{"ts":"1970-01-01T01:00:00+01:00","line":"y"}]}]}`,
		`text {a="b"}`, `7 x`, `0 y`)
	f(`{"streams":[{"Labels":"{}","Entries":[{"Ts":"2300-01-01T00:00:00Z","Line":"x","structuredMetadata":{"k":"v"},"more":[]},null,{}]}]}`,
		`text {}`, `9223372036854775806 x k=v`, `-9223372036854775808 `, `-9223372036854775808 `)
	f(`{"streams":[{"labels":null,"entries":null,"more":1}]}`, `text `)
	bad := func(body, text string) {
		t.Helper()
		_, got := refusal(t, []byte(body), typeJSON, "", legacy)
		require.Equal(t, text, got, body)
	}
	bad(`{"streams":[{"labels":{}}]}`, `invalid JSON at byte 22: labels must be a string`)
	bad(`{"streams":[{"entries":[{"ts":1}]}]}`, `invalid JSON at byte 30: a timestamp must be a string in RFC 3339 format`)
	bad(`{"streams":[{"entries":[{"ts":"today"}]}]}`, `invalid JSON at byte 37: a timestamp must be a string in RFC 3339 format`)
	bad(`{"streams":[{"entries":[{"line":1}]}]}`, `invalid JSON at byte 32: a line must be a string`)
	bad(`{"streams":[{"entries":[[]]}]}`, `invalid JSON at byte 24: an entry must be an object`)
}

// What encoding/json writes is read back.
func TestJSONRoundTrip(t *testing.T) {
	type stream struct {
		Stream map[string]string `json:"stream"`
		Values [][]any           `json:"values"`
	}
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"plain", "with \"quotes\" and \\", "é\n\u2028😀", ""}))
	rapid.Check(t, func(t *rapid.T) {
		var streams []stream
		var want []string
		for range rapid.IntRange(0, 3).Draw(t, "streams") {
			name := rapid.StringMatching("[a-z]{1,5}").Draw(t, "name")
			s := stream{Stream: map[string]string{name: text.Draw(t, "value")}}
			want = append(want, fmt.Sprintf("{%s=%q}", name, s.Stream[name]))
			for range rapid.IntRange(0, 4).Draw(t, "values") {
				ts := rapid.Int64Max(int64(TimestampMax)).Draw(t, "ts")
				key, value, line := text.Draw(t, "key"), text.Draw(t, "value"), text.Draw(t, "line")
				s.Values = append(s.Values, []any{fmt.Sprint(ts), line, map[string]string{key: value}})
				want = append(want, fmt.Sprintf("%d %s %s=%s", ts, line, key, value))
			}
			streams = append(streams, s)
		}
		body, err := json.Marshal(map[string]any{"streams": streams})
		require.NoError(t, err)
		r, err := Decode(body, typeJSON, "", Options{})
		require.NoError(t, err)
		require.Equal(t, want, printed(r))
		r.Release()
	})
}

func FuzzDecodeJSON(f *testing.F) {
	f.Add([]byte(`{"streams":[{"stream":{"app":"api","b":5},"values":[["1","one\u00e9"],null,["2","two",{"trace_id":"abc"}]]}]}`), false)
	f.Add([]byte(`{"streams":[{"labels":"{a=\"b\"}","entries":[{"ts":"2023-11-14T22:13:20Z","line":"x"}]}]}`), true)
	f.Add([]byte(`{"x":[{"y":[1,-2.5e+3,true,null,"\""]}],"streams":null} `), false)
	f.Fuzz(func(t *testing.T, body []byte, legacy bool) {
		o := Options{BodyBytesMax: 1 << 20, DecompressedBytesMax: 1 << 20, LegacyJSON: legacy}
		first, err := Decode(bytes.Clone(body), typeJSON, "", o)
		second, againErr := Decode(bytes.Clone(body), typeJSON, "", o)
		require.Equal(t, err, againErr)
		if err == nil {
			require.Equal(t, printed(first), printed(second))
			require.Equal(t, len(body), first.DecompressedBytes)
			first.Release()
			second.Release()
		}
	})
}

// Strings mean what they mean to encoding/json, as far as that takes them.
func FuzzJSONString(f *testing.F) {
	f.Add([]byte(`"plain"`))
	f.Add([]byte(`"\ud83d\ude00\ud83d \u0041\n\"\\\/"`))
	f.Fuzz(func(t *testing.T, quoted []byte) {
		if len(quoted) == 0 || quoted[0] != '"' {
			return
		}
		var want string
		wantErr := json.Unmarshal(quoted, &want)
		d := jsonReader{b: bytes.Clone(quoted)}
		got, err := d.string()
		if wantErr != nil || !utf8.Valid(quoted) {
			return // stricter about control characters, and laxer about what is no UTF-8
		}
		require.NoError(t, err, "%q", quoted)
		require.Equal(t, want, got)
		require.NoError(t, d.end())
	})
}

// What is stepped over is what encoding/json calls a value.
func FuzzSkipValue(f *testing.F) {
	f.Add([]byte(`{"a":[1,{"b":null}],"c":"\"}","d":-0.5e-7}`))
	f.Add([]byte(` [ [ ] , { } ] `))
	f.Fuzz(func(t *testing.T, value []byte) {
		d := jsonReader{b: bytes.Clone(value)}
		_, err := d.skipValue()
		if !json.Valid(value) || bytes.Count(value, []byte("["))+bytes.Count(value, []byte("{")) > jsonDepthMax {
			return
		}
		require.NoError(t, err, "%q", value)
		require.NoError(t, d.end())
		require.Equal(t, value, d.b, "nothing is unescaped")
	})
}

func TestEntriesOfOneStreamInTwoPlaces(t *testing.T) {
	r, err := Decode([]byte(`{"streams":[{"values":[["1","x"]],"stream":{"a":"b"},"values":[["2","y"]]}]}`), typeJSON, "", Options{})
	require.NoError(t, err)
	require.Equal(t, []model.Entry{{Timestamp: 1, Line: "x"}, {Timestamp: 2, Line: "y"}}, r.Streams[0].Entries)
	r.Release()
}
