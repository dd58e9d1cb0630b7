package pipeline

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-logfmt/logfmt"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"
)

func TestLogfmt(t *testing.T) {
	f := func(line string, want ...string) {
		t.Helper()
		for _, flag := range []string{"", "--strict "} {
			p := newParser(t, "| logfmt "+flag, all, labels.FromStrings("app", "api"), pairs("trace", "abc"))
			for range 3 {
				got := p.parse(line)
				delete(got.labels, "trace")
				require.Equal(t, append([]string{}, want...), got.text())
				require.Equal(t, line, got.line)
			}
		}
	}
	f(``)
	f(`  `)
	f(`a=b`, "a=b")
	f(` a=b  c=d `, "a=b", "c=d")
	f("a=b\tc=d\x01e=f\n", "a=b", "c=d", "e=f")
	f(`a="b c"d=e`, "a=b c", "d=e")
	f(`a="b=c" d=1.50`, "a=b=c", "d=1.50")
	f(`a="\"\\\/\'\b\f\n\r\t"`, "a=\"\\/'\b\f\n\r\t")
	f(`a="\u00e4\u20AC\ud83d\ude00" b="x\ud83dy"`, "a=ä€😀", "b=x y")
	f("a=\"x\ny\tz\"", "a=x\ny\tz")
	f(`a=\n b=C:\dir`, `a=\n`, `b=C:\dir`)
	f("a=x\xffy b=\"\xff\" c=\ufffd d=ä", "a=x y", "b= ", "c= ", "d=ä")
	f(`a="x\\" b=1`, `a=x\`, "b=1")
	// Names.
	f(`a.b-c=1 2=3 ü=4 @t=5`, "_2=3", "_=4", "_t=5", "a_b_c=1")
	f(`__error__=x a=1`, "a=1")
	// Keys without a value, and the first one counts.
	f(`a b=1 c= d="" e`, "b=1")
	f(`a= a=1 a=2`, "a=1")
	f(`a.b=1 a_b=2`, "a_b=1")
	f(`app=1 trace=2 app=3`, "app_extracted=1", "trace_extracted=2")
}

func TestLogfmtFaults(t *testing.T) {
	f := func(line string, loose []string, details string, strict ...string) {
		t.Helper()
		require.Equal(t, loose, newParser(t, "| logfmt", all, labels.EmptyLabels(), nil).parse(line).text())
		require.Equal(t, append(strict, "LogfmtParserErr: logfmt syntax error at "+details),
			newParser(t, "| logfmt --strict", all, labels.EmptyLabels(), nil).parse(line).text())
	}
	f(`foobar====wqe=sdad1r`, []string{}, "pos 8 : unexpected '='")
	f(`a=1 =b c=2`, []string{"a=1", "c=2"}, "pos 5 : unexpected '='", "a=1")
	f("a=1 b\ufffd=x c=2", []string{"a=1", "c=2"}, "pos 9 : invalid key", "a=1")
	f("a=1 b\xff c=2", []string{"a=1", "c=2"}, "pos 7 : invalid key", "a=1")
	f("a=1 b\xff", []string{"a=1"}, "pos 7 : invalid key", "a=1")
	f(`a=1 b"c=2 d=3`, []string{"a=1", "d=3"}, `pos 6 : unexpected '"'`, "a=1")
	f(`a=b=c d=1`, []string{"d=1"}, "pos 4 : unexpected '='")
	f(`a=b"c" d=1`, []string{"d=1"}, `pos 4 : unexpected '"'`)
	f(`a="\x"b=1 c=2`, []string{"b=1", "c=2"}, "pos 7 : invalid quoted value")
	f(`a="\u12" c=2`, []string{"c=2"}, "pos 9 : invalid quoted value")
	f(`a=1 b="x c=2`, []string{"a=1"}, "pos 13 : unterminated quoted value", "a=1")
	f(`a=1 b="x c=2\"`, []string{"a=1"}, "pos 15 : unterminated quoted value", "a=1")
}

func TestLogfmtKeepEmpty(t *testing.T) {
	f := func(line string, want ...string) {
		t.Helper()
		require.Equal(t, want, newParser(t, "| logfmt --keep-empty", all, labels.FromStrings("app", "x"), nil).parse(line).text())
	}
	f(`a b=1 c= d="" app`, "a=", "app_extracted=", "b=1", "c=", "d=")
	f(`a= a=1`, "a=")
	f("just words, and =x more", "and=", "just=", "more=", "words_=")
}

func TestLogfmtList(t *testing.T) {
	f := func(list, line string, want ...string) {
		t.Helper()
		p := newParser(t, "| logfmt "+list, all, labels.FromStrings("app", "api"), nil)
		for range 2 {
			require.Equal(t, want, p.parse(line).text())
		}
	}
	f(`a`, `a=1 b=2`, "a=1")
	f(`a, x="b", y="b", z`, `a=1 b=2`, "a=1", "x=2", "y=2", "z=")
	f(`a`, ``, "a=")
	f(`a="b"`, `a=1 b=2`, "a=2")
	f(`a="b"`, `b=2 a=1`, "a=2")
	f(`a="b", b="a"`, `b=2 a=1`, "a=2", "b=1")
	f(`a="b_c"`, `b.c=1`, "a=1")
	f("a=`\"b.c\"`", `b.c=1`, "a=1")
	f(`a`, `a=1 a=2`, "a=2")
	f(`a`, `a=1 a=`, "a=")
	f(`a`, `a=1 a`, "a=")
	f(`app, a`, `app=1 app=2 a=3`, "a=3", "app_extracted=2")
	f(`app`, `a=3`, []string{}...)
	f("a", "a=x\xff", "a=x ")
	f(`a`, `a=1 b=" a=2`, "a=1")
	f(`--strict a, b`, `a=1 b=" a=2`, "a=1", "b=", "LogfmtParserErr: logfmt syntax error at pos 12 : unterminated quoted value")

	stages := func(stages, line string, want ...string) {
		t.Helper()
		require.Equal(t, want, newParser(t, stages, all, labels.EmptyLabels(), nil).parse(line).text())
	}
	stages(`| logfmt | logfmt a="b"`, `a=1 b=2`, "a=2", "b=2")
	stages(`| logfmt | logfmt a="c"`, `a=1 b=2`, "a=", "b=2")
	stages(`| logfmt a="b" | logfmt`, `a=1 b=2`, "a=2", "b=2")
	taken := newParser(t, `| logfmt | logfmt app, x="app"`, all, labels.FromStrings("app", "api"), nil)
	require.Equal(t, []string{"app_extracted=1", "x=2"}, taken.parse(`app=1 app=2`).text())
	stages(`| logfmt | json`, `{"a":"b c=d e"}`, "a=b c=d e", "c=d")
}

func TestLogfmtKnownKeys(t *testing.T) {
	p := newParser(t, "| logfmt", all, labels.EmptyLabels(), nil)
	lines := []string{
		`a=1 b="2" c=3`, `b=2 a=1`, `c=3 b`, `a=1 ab=2`, `a= b=2 c=3`, `a=1 a=2 c="`, `c=1 =x b=2`, `a=1 c=3`,
	}
	for range 3 {
		for _, line := range lines {
			require.Equal(t, oracleLogfmt(line, false, false), p.parse(line))
		}
	}
	one := newParser(t, "| logfmt", wants("x"), labels.EmptyLabels(), nil)
	for i := range 3 * logfmtKeysMax { // more keys than are remembered
		line := fmt.Sprintf("k%d=v x=%d", i, i)
		require.Equal(t, oracleLogfmt(line, false, false), p.parse(line))
		require.Equal(t, []string{fmt.Sprint("x=", i)}, one.parse(line).text())
	}
}

// oracleLogfmt is the stage by way of go-logfmt, without a stream or metadata, for lines without line feeds.
func oracleLogfmt(line string, strict, keepEmpty bool) parsed {
	p := parsed{labels: map[string]string{}, line: line}
	for rest := line; ; {
		d := logfmt.NewDecoder(strings.NewReader(rest))
		for d.ScanRecord() {
			for d.ScanKeyval() {
				name := string(appendLabelName(nil, string(d.Key())))
				if len(d.Value()) > 0 || keepEmpty {
					p.found(name, valid(string(d.Value())))
				}
			}
		}
		var fault *logfmt.SyntaxError
		if !errors.As(d.Err(), &fault) {
			return p
		}
		if strict {
			at := len(line) - len(rest) + fault.Pos
			p.err = EntryError{Class: "LogfmtParserErr", Details: fmt.Sprintf("logfmt syntax error at pos %d : %s", at, fault.Msg)}
			return p
		}
		rest = rest[fault.Pos-1:]
		if fault.Msg != "invalid quoted value" {
			rest = rest[logfmtBlank([]byte(rest), 0):]
		}
	}
}

func FuzzLogfmt(f *testing.F) {
	f.Add(`a=1 b="x\"y" c d= "=`, "a")
	f.Add("a=\xff b\xff=1 c=\"\\u00e4\\ud83d\\'\" e=\"", "c")
	f.Add(`a=b=c a="\x"b=1`, "b")
	f.Fuzz(func(t *testing.T, line, name string) {
		for _, flags := range []string{"", "--strict ", "--keep-empty ", "--strict --keep-empty "} {
			p := newParser(t, "| logfmt "+flags, all, labels.EmptyLabels(), nil)
			got := p.parse(line)
			if !strings.ContainsAny(line, "\r\n") && len(line) < 1<<15 {
				require.Equal(t, oracleLogfmt(line, strings.Contains(flags, "strict"), strings.Contains(flags, "empty")), got)
			}
			p.parse("a=1 b=2 " + name + "=3")
			require.Equal(t, got, p.parse(line))
			one := newParser(t, "| logfmt "+flags, wants(name), labels.EmptyLabels(), nil)
			one.parse("a=1 b=2")
			require.Equal(t, got.restrict(name), one.parse(line))
		}
		newParser(t, "| logfmt a, b", all, labels.EmptyLabels(), nil).parse(line)
	})
}
