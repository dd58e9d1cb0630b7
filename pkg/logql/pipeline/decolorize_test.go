package pipeline

import (
	"strings"
	"testing"

	"github.com/grafana/regexp"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// escapes is the regular expression of github.com/chalk/strip-ansi (MIT) that Loki uses.
var escapes = regexp.MustCompile("[\u001B\u009B][[\\]()#;?]*(?:(?:(?:[a-zA-Z\\d]*(?:;[a-zA-Z\\d]*)*)?\u0007)|(?:(?:\\d{1,4}(?:;\\d{0,4})*)?[\\dA-PRZcf-ntqry=><~]))")

func decolorized(line string) string {
	r := row{Line: line, arena: &arena{}}
	(&decolorizeOp{}).apply(&r)
	return r.Line
}

func TestDecolorize(t *testing.T) {
	f := func(line, want string) {
		t.Helper()
		require.Equal(t, want, decolorized(line))
		require.Equal(t, want, escapes.ReplaceAllString(line, ""))
	}
	f("", "")
	f("plain [31m", "plain [31m")
	f("\x1b[31mred\x1b[0m", "red")
	f("\x1b[1;38;5;200mx\x1b[my", "xy")
	f("a\u009b31mb", "ab")
	f("a\x9b31mb", "a\x9b31mb") // no UTF-8
	f("\x1b]0;title\ax", "x")
	f("\x1b]8;;http://a\ax", "ttp://a\ax")
	f("\x1b[12x", "x")
	f("\x1b[1;x", ";x")
	f("\x1b[1;2345678m", "78m")
	f("\x1b[;5mx", "x")
	f("\x1b", "\x1b")
	f("\x1b[", "\x1b[")
	f("\x1b\x1b[31mx", "\x1bx")
	f("\x1b[31\u009b0mé", "é")
}

func TestDecolorizeTwin(t *testing.T) {
	pieces := rapid.SampledFrom([]string{"\x1b", "\u009b", "\xc2", "\x9b", "[", "]", "(", "#", "?", ";", "\a", "0", "12", "345", "678901", "m", "K", "R", "Q", "x", "z", "~", "=", "é", " ", "title"})
	rapid.Check(t, func(rt *rapid.T) {
		line := strings.Join(rapid.SliceOfN(pieces, 0, 20).Draw(rt, "line"), "")
		require.Equal(rt, escapes.ReplaceAllString(line, ""), decolorized(line), "%q", line)
	})
}

func FuzzDecolorize(f *testing.F) {
	for _, line := range []string{"\x1b[31mred\x1b[0m", "\x1b]0;a;b\ax", "\u009b1;2;m", "\x1b[12345;6x"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		require.Equal(t, escapes.ReplaceAllString(line, ""), decolorized(line))
	})
}
