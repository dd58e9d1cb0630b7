package syntax

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"
)

// equalMatchers ignores what a matcher has compiled.
var equalMatchers = cmp.Comparer(func(a, b *labels.Matcher) bool {
	return a == b || a != nil && b != nil && a.Type == b.Type && a.Name == b.Name && a.Value == b.Value
})

// requireReadsBack checks that the printed tree is the same tree.
func requireReadsBack(t require.TestingT, e Expr) {
	again, err := Parse(e.String())
	require.NoError(t, err, e.String())
	require.Empty(t, cmp.Diff(e, again, equalMatchers), e.String())
}

// Each query, and how it is printed. One line or more for every construct of the language.
func TestPrint(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		e, err := Parse(text)
		require.NoError(t, err, text)
		require.Equal(t, want, e.String())
		requireReadsBack(t, e)
	}
	// Selectors, strings, comments, keywords as names.
	f(`{app="api"}`, `{app="api"}`)
	f(`{ a = "b" , c != "d", e=~"f.*" ,g !~ "h" }`, `{a="b", c!="d", e=~"f.*", g!~"h"}`)
	f("{a=~`\\d+`}", `{a=~"\\d+"}`)
	f("{a=`raw\nline`} # to the end\n  |= \"tab\\t\\u00e9\\x41\"", `{a="raw\nline"} |= "tab\téA"`)
	f(`{json="a", by="b", sum="c", größe="d"}`, `{json="a", by="b", sum="c", größe="d"}`)
	f(`({a="b"} |= "c")`, `{a="b"} |= "c"`)
	f(`{a!=""}`, `{a!=""}`)
	// Line filters.
	f(`{a="b"}|="c"!="d"|~"e"!~"f"|>"<_>g"!>"h<_>"`, `{a="b"} |= "c" != "d" |~ "e" !~ "f" |> "<_>g" !> "h<_>"`)
	f(`{a="b"} |= "c" or "d" or ip("10.0.0.0/8") != ip("::1") or "e"`, `{a="b"} |= "c" or "d" or ip("10.0.0.0/8") != ip("::1") or "e"`)
	f(`{a="b"} |= ip("10.0.0.1-10.0.0.9") |> ""`, `{a="b"} |= ip("10.0.0.1-10.0.0.9") |> ""`)
	// Parsers and formats.
	f(`{a="b"} | JSON | unpack | decolorize`, `{a="b"} | json | unpack | decolorize`)
	f(`{a="b"} | json c="d.e[0]", f, g="[\"h i\"]"`, `{a="b"} | json c="d.e[0]", f="f", g="[\"h i\"]"`)
	f(`{a="b"} | logfmt --strict --keep-empty c, d="e"`, `{a="b"} | logfmt --strict --keep-empty c="c", d="e"`)
	f(`{a="b"} | logfmt --keep-empty`, `{a="b"} | logfmt --keep-empty`)
	f(`{a="b"} | regexp "(?P<x>\\w+)" | pattern "<y> - <_>"`, `{a="b"} | regexp "(?P<x>\\w+)" | pattern "<y> - <_>"`)
	f(`{a="b"} | line_format "{{.x}}" | label_format c=d,e="{{.f}}"`, `{a="b"} | line_format "{{.x}}" | label_format c=d, e="{{.f}}"`)
	f(`{a="b"} | drop c,d="e" | keep f=~"g", h`, `{a="b"} | drop c, d="e" | keep f=~"g", h`)
	f(`{a="b"} | json != "x" | logfmt !~ "y"`, `{a="b"} | json != "x" | logfmt !~ "y"`)
	f(`{a="b"} | distinct c | distinct d, drop, d`, `{a="b"} | distinct c | distinct d, drop`)
	f(`{a="b"} | distinct="c" | distinct > 5`, `{a="b"} | distinct="c" | distinct > 5`)
	// Label filters.
	f(`{a="b"} | c="d" | e!="f" | g=~"h" | i!~"j"`, `{a="b"} | c="d" | e!="f" | g=~"h" | i!~"j"`)
	f(`{a="b"} | c=5 | d==5 | e!=-1.5e3 | f>+.5 | g>=1 | h<2 | i<=3`,
		`{a="b"} | c == 5 | d == 5 | e != -1500 | f > 0.5 | g >= 1 | h < 2 | i <= 3`)
	f(`{a="b"} | c>1h30m | d<1.5s | e=250us | f>1y2w3d | g<-5m`, `{a="b"} | c > 1h30m | d < 1s500ms | e == 250µs | f > 382d | g < -5m`)
	f(`{a="b"} | c>5KB | d<1.5MiB | e==3B | f>=10GB | g<=1TiB | h>5k`, `{a="b"} | c > 5KB | d < 1536KiB | e == 3B | f >= 10GB | g <= 1TiB | h > 5KB`)
	f(`{a="b"} | c=ip("1.2.3.4") or d!=ip("::1/64")`, `{a="b"} | c = ip("1.2.3.4") or d != ip("::1/64")`)
	f(`{a="b"} | c="1" and d="2" or e="3" and f="4"`, `{a="b"} | (c="1" and d="2") or (e="3" and f="4")`)
	f(`{a="b"} | c="1", d="2" e="3"`, `{a="b"} | c="1" and d="2" and e="3"`)
	f(`{a="b"} | c="1", d="2" or e="3"`, `{a="b"} | c="1" and (d="2" or e="3")`)
	f(`{a="b"} | c="1" d="2" or e="3"`, `{a="b"} | c="1" and (d="2" or e="3")`)
	f(`{a="b"} | c="1" or d="2", e="3"`, `{a="b"} | c="1" or (d="2" and e="3")`)
	f(`{a="b"} | (c="1" or d="2") and ((e="3"))`, `{a="b"} | (c="1" or d="2") and e="3"`)
	f(`{a="b"} | json="x" | (json != "x") | by > 5 | ip="1"`, `{a="b"} | json="x" | (json!="x") | by > 5 | ip="1"`)
	f(`{a="b"} | rate="a" | sum > 5 | duration > 1s`, `{a="b"} | rate="a" | sum > 5 | duration > 1s`)
	// Ranges.
	f(`rate({a="b"}[5m])`, `rate({a="b"} [5m])`)
	f(`COUNT_OVER_TIME({a="b"} |= "x" [1d12h])`, `count_over_time({a="b"} |= "x" [1d12h])`)
	f(`bytes_rate({a="b"}[5m] |= "x")`, `bytes_rate({a="b"} |= "x" [5m])`)
	f(`bytes_over_time(({a="b"} |= "x")[5m] offset 1h)`, `bytes_over_time({a="b"} |= "x" [5m] offset 1h)`)
	f(`absent_over_time((({a="b"})[5m] offset -1h30m))`, `absent_over_time({a="b"} [5m] offset -1h30m)`)
	f(`rate({a="b"}[5m] offset -1w)`, `rate({a="b"} [5m] offset -1w)`)
	f(`sum_over_time({a="b"} | unwrap c [5m])`, `sum_over_time({a="b"} | unwrap c [5m])`)
	f(`sum_over_time({a="b"}[5m] offset 1ns | json | unwrap c)`, `sum_over_time({a="b"} | json | unwrap c [5m] offset 1ns)`)
	f(`rate_counter(({a="b"})[5m] | unwrap c)`, `rate_counter({a="b"} | unwrap c [5m])`)
	f(`avg_over_time({a="b"} | json | unwrap bytes(c) | __error__="" | d>5 [5m]) by (e)`,
		`avg_over_time({a="b"} | json | unwrap bytes(c) | __error__="" | d > 5 [5m]) by (e)`)
	f(`min_over_time({a="b"} | unwrap duration(c) [5m]) without (e, f)`, `min_over_time({a="b"} | unwrap duration(c) [5m]) without (e, f)`)
	f(`max_over_time({a="b"} | unwrap duration_seconds(c) [5m]) by ()`, `max_over_time({a="b"} | unwrap duration_seconds(c) [5m]) by ()`)
	f(`quantile_over_time(0.99, {a="b"} | unwrap c [5m])`, `quantile_over_time(0.99, {a="b"} | unwrap c [5m])`)
	for _, op := range []string{"stdvar", "stddev", "first", "last"} {
		f(op+`_over_time({a="b"} | unwrap c [0s])`, op+`_over_time({a="b"} | unwrap c [0s])`)
	}
	// Vectors.
	f(`sum by (a, b) (rate({a="b"}[1m]))`, `sum by (a, b)(rate({a="b"} [1m]))`)
	f(`sum(rate({a="b"}[1m])) without (by, on)`, `sum without (by, on)(rate({a="b"} [1m]))`)
	f(`avg(max(min(count(stddev(stdvar(rate({a="b"}[1m])))))))`, `avg(max(min(count(stddev(stdvar(rate({a="b"} [1m])))))))`)
	f(`topk by (a) (3, bottomk(4, rate({a="b"}[1m])))`, `topk by (a)(3, bottomk(4, rate({a="b"} [1m])))`)
	f(`sort(sort_desc(approx_topk(1, rate({a="b"}[1m]))))`, `sort(sort_desc(approx_topk(1, rate({a="b"} [1m]))))`)
	f(`label_replace(vector(1.5), "a", "$1", "b", "(.*)")`, `label_replace(vector(1.5), "a", "$1", "b", "(.*)")`)
	// Operators.
	f(`1 + 2 * 3 ^ 4 ^ 5 % 6 - 7 / 8`, `((1 + ((2 * (3 ^ (4 ^ 5))) % 6)) - (7 / 8))`)
	f(`vector(1) or vector(2) and vector(3) unless vector(4)`, `(vector(1) or ((vector(2) and vector(3)) unless vector(4)))`)
	f(`1 + 1 == bool 2 * 1 > 3`, `(((1 + 1) == bool (2 * 1)) > 3)`)
	f(`-1 - -2 + +3`, `((-1 - -2) + 3)`)
	f(`-2 ^ 2`, `(-2 ^ 2)`)
	f(`1e300 * 1e-7`, `(1e+300 * 1e-07)`)
	f(`vector(1) < bool on (a, by) group_left (c) vector(2)`, `(vector(1) < bool on (a, by) group_left (c) vector(2))`)
	f(`vector(1) * ignoring () group_right vector(2)`, `(vector(1) * ignoring () group_right () vector(2))`)
	f(`(((vector(1)))) != vector(2)`, `(vector(1) != vector(2))`)
	f(`vector(1) >= vector(2) <= vector(3)`, `((vector(1) >= vector(2)) <= vector(3))`)
}

func TestParseErrors(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		_, err := Parse(text)
		require.EqualError(t, err, want, text)
		var pe *ParseError
		require.ErrorAs(t, err, &pe)
	}
	f(``, `parse error at line 1, col 1: syntax error: unexpected $end`)
	f(`{app="x"`, `parse error at line 1, col 9: syntax error: unexpected $end, expecting } or ,`)
	f(`{app="x",}`, `parse error at line 1, col 10: syntax error: unexpected }, expecting IDENTIFIER`)
	f(`{`, `parse error at line 1, col 2: syntax error: unexpected $end, expecting IDENTIFIER or }`)
	f(`{app}`, `parse error at line 1, col 5: syntax error: unexpected }, expecting = or =~ or !~ or !=`)
	f(`{app=x}`, `parse error at line 1, col 6: syntax error: unexpected IDENTIFIER, expecting STRING`)
	f(`{app="x"} |= `, `parse error at line 1, col 14: syntax error: unexpected $end, expecting STRING or ip`)
	f(`{app="x"} |~ error`, `parse error at line 1, col 14: syntax error: unexpected IDENTIFIER, expecting STRING or ip`)
	f("{app=\"x\"}\n  | ", `parse error at line 2, col 5: syntax error: unexpected $end`)
	f("{größe=\"ü\"} x", `parse error at line 1, col 13: syntax error: unexpected IDENTIFIER`)
	f(`{app="x"} error`, `parse error at line 1, col 11: syntax error: unexpected IDENTIFIER`)
	f(`{app="x"} | unwrap y`, `parse error at line 1, col 13: syntax error: unexpected unwrap`)
	f(`{app="x} |= "y"`, `parse error at line 1, col 14: syntax error: unexpected IDENTIFIER, expecting } or ,`)
	f(`{app="x`, `parse error at line 1, col 6: literal not terminated`)
	f("{app=\"x\ny\"}", `parse error at line 1, col 6: literal not terminated`)
	f(`{app="x\q"}`, `parse error at line 1, col 6: invalid char escape`)
	f("{app=\"\xff\"}", `parse error at line 1, col 6: invalid UTF-8 encoding`)
	f("{app=\"x\"} # \xff", `parse error at line 1, col 11: invalid UTF-8 encoding`)
	f(`{app="x"} @ 5`, `parse error at line 1, col 11: syntax error: unexpected character '@'`)
	f(`{app=~"["}`, "parse error : error parsing regexp: missing closing ]: `[`")
	f(`{app="x"} |~ "["`, "parse error : stage '|~ \"[\"' : error parsing regexp: missing closing ]: `[`")
	f(`{app="x"} |= ip("x")`, `parse error : stage '|= ip("x")' : ip: invalid pattern: "x"`)
	f(`{app="x"} |~ ip("::1")`, `parse error : stage '|~ ip("::1")' : ip: invalid operation`)
	f(`{app="x"} |= ip("10.0.0.9-10.0.0.1")`, `parse error : stage '|= ip("10.0.0.9-10.0.0.1")' : ip: invalid pattern: "10.0.0.9-10.0.0.1"`)
	f(`{app="x"} | addr=ip("y")`, `parse error : stage '| addr = ip("y")' : ip: invalid pattern: "y"`)
	f(`{app="x"} | addr>ip("y")`, `parse error at line 1, col 18: syntax error: unexpected ip`)
	f(`{app="x"} | addr=~ip("y")`, `parse error at line 1, col 19: syntax error: unexpected ip, expecting STRING`)
	f(`{app="x"} |> "<a>"`, `parse error : stage '|> "<a>"' : named captures are not allowed: found '<a>'`)
	f(`{app="x"} |> "<_><_>"`, `parse error : stage '|> "<_><_>"' : found consecutive capture '<_><_>': invalid expression`)
	f(`{app="x"} | pattern "x"`, `parse error : invalid pattern parser: at least one capture is required`)
	f(`{app="x"} | pattern ""`, `parse error : invalid pattern parser: syntax error: unexpected $end, expecting IDENTIFIER or LITERAL`)
	f(`{app="x"} | pattern "<a> <a>"`, `parse error : invalid pattern parser: duplicate capture name (a): invalid expression`)
	f(`{app="x"} | regexp "x"`, `parse error : invalid regexp parser: at least one named capture must be supplied`)
	f(`{app="x"} | regexp "(?P<a>"`, "parse error : invalid regexp parser: error parsing regexp: missing closing ): `(?P<a>`")
	f(`{app="x"} | json a="b..c"`, `parse error : stage '| json a="b..c"' : cannot parse expression [b..c]: syntax error: a key must follow the dot`)
	f(`{app="x"} | json a="b[c]"`, `parse error : stage '| json a="b[c]"' : cannot parse expression [b[c]]: cannot use "c" as array index`)
	f(`{app="x"} | json a="b c"`, `parse error : stage '| json a="b c"' : cannot parse expression [b c]: syntax error: unexpected FIELD`)
	f(`{app="x"} | json a="[ ]"`, `parse error : stage '| json a="[ ]"' : cannot parse expression [[ ]]: cannot use " " as array index`)
	f(`{app="x"} | logfmt a="b c"`, `parse error : stage '| logfmt a="b c"' : cannot parse expression [b c]: syntax error: unexpected KEY`)
	f(`{app="x"} | logfmt a=" "`, `parse error : stage '| logfmt a=" "' : cannot parse expression [ ]: syntax error: unexpected $end`)
	f(`{app="x"} | json a="é"`, `parse error : stage '| json a="é"' : cannot parse expression [é]: unexpected char é`)
	f(`{app="x"} | logfmt a="b.c"`, `parse error : stage '| logfmt a="b.c"' : cannot parse expression [b.c]: unexpected char .`)
	f(`{app="x"} | line_format "{{"`, `parse error : stage '| line_format "{{"' : invalid line template: template: line:1: unclosed action`)
	f(`{app="x"} | line_format "{{.a | foo}}"`, `parse error : stage '| line_format "{{.a | foo}}"' : invalid line template: template: line:1: function "foo" not defined`)
	f(`{app="x"} | label_format b="{{template \"label\"}}"`, `parse error : stage '| label_format b="{{template \"label\"}}"' : invalid template for label 'b': template: label: a template calls itself`)
	f(`{app="x"} | label_format a=b, a=c`,
		`parse error : stage '| label_format a=b, a=c' : multiple label name 'a' not allowed in a single format operation`)
	f(`{app="x"} | label_format __error__=b`, `parse error : stage '| label_format __error__=b' : __error__ cannot be formatted`)
	f(`{app="x"} | a=~5`, `parse error at line 1, col 16: syntax error: unexpected NUMBER, expecting STRING`)
	f(`{app="x"} | a>"5"`, `parse error at line 1, col 15: syntax error: unexpected STRING`)
	f(`{app="x"} | a>5 and`, `parse error at line 1, col 20: syntax error: unexpected $end, expecting IDENTIFIER or (`)
	f(`{app="x"} | a`, `parse error at line 1, col 14: syntax error: unexpected $end`)

	f(`rate({app="x"})`, `parse error at line 1, col 15: syntax error: unexpected )`)
	f(`rate({app="x"}[5minutes])`, `parse error at line 1, col 15: unknown unit "minutes" in duration "5minutes"`)
	f(`rate({app="x"}[5])`, `parse error at line 1, col 15: not a valid duration string: "5"`)
	f(`rate({app="x"}[5m)`, `parse error at line 1, col 15: missing closing ']' in duration`)
	f(`rate({app="x"}[5m:1m])`, `parse error at line 1, col 15: unknown unit "m:" in duration "5m:1m"`)
	f(`rate({app="x"}[5m] offset 5)`, `parse error at line 1, col 27: syntax error: unexpected NUMBER, expecting DURATION`)
	f(`rate(x)`, `parse error at line 1, col 6: syntax error: unexpected IDENTIFIER, expecting NUMBER or { or (`)
	f(`rate`, `parse error at line 1, col 1: syntax error: unexpected IDENTIFIER`)
	f(`unknown({app="x"}[5m])`, `parse error at line 1, col 1: syntax error: unexpected IDENTIFIER`)
	f(`min({app="x"}[5m])`, `parse error at line 1, col 14: syntax error: unexpected RANGE`)
	f(`stddev({app="x"})`, `parse error at line 1, col 17: syntax error: unexpected )`)
	f(`sum by (rate({app="x"}[5m]))`, `parse error at line 1, col 9: syntax error: unexpected RATE, expecting IDENTIFIER or )`)
	f(`vector(x)`, `parse error at line 1, col 8: syntax error: unexpected IDENTIFIER, expecting NUMBER`)
	f(`bool 1`, `parse error at line 1, col 1: syntax error: unexpected bool`)
	f(`1e999`, `parse error : unable to parse literal as a float: strconv.ParseFloat: parsing "1e999": value out of range`)
	f(`label_replace(vector(1), "a")`, `parse error at line 1, col 29: syntax error: unexpected ), expecting ,`)
	f(`label_replace(vector(1), "a", "b", "c", "\\q")`,
		"parse error : invalid regex in label_replace: error parsing regexp: invalid escape sequence: `\\q`")

	const noMatcher = `parse error : queries require at least one regexp or equality matcher that does not have an empty-compatible value. ` +
		`For instance, app=~".*" does not meet this requirement, but app=~".+" will`
	f(`{}`, noMatcher)
	f(`{app=~".*"}`, noMatcher)
	f(`{app!="x"}`, noMatcher)
	f(`1 + rate({app=""}[5m])`, noMatcher)
	f(`sum_over_time({app="x"}[5m])`, `parse error : invalid aggregation sum_over_time without unwrap`)
	f(`count_over_time({app="x"} | unwrap y [5m])`, `parse error : invalid aggregation count_over_time with unwrap`)
	f(`rate({app="x"} | distinct y [5m])`, "parse error : distinct keeps lines and has no meaning in rate; to count the values of "+
		"a label, count series: count(sum by (a) (count_over_time(…)))")
	f(`{app="x"} | distinct`, `parse error at line 1, col 21: syntax error: unexpected $end`)
	f(`{app="x"} | distinct "y"`, `parse error at line 1, col 22: syntax error: unexpected STRING`)
	f(`rate({app="x"}[5m]) by (y)`, `parse error : grouping not allowed for rate aggregation`)
	f(`sum(rate({app="x"}[5m]) by (y))`, `parse error : grouping not allowed for rate aggregation`)
	f(`approx_topk(2, rate({app="x"}[5m])) by (y)`, `parse error : grouping not allowed for approx_topk aggregation`)
	f(`sort(rate({app="x"}[5m])) by (y)`, `parse error : sort and sort_desc doesn't allow grouping by `)
	f(`topk(rate({app="x"}[5m]))`, `parse error : parameter required for operation topk`)
	f(`topk(0, rate({app="x"}[5m]))`, `parse error : invalid parameter (must be greater than 0) topk(0`)
	f(`topk(1.5, rate({app="x"}[5m]))`, `parse error : invalid parameter topk(1.5,`)
	f(`sum(3, rate({app="x"}[5m]))`, `parse error : unsupported parameter for operation sum(3,`)
	f(`rate(3, {app="x"}[5m])`, `parse error : parameter 3 not supported for operation rate`)
	f(`quantile_over_time({app="x"} | unwrap y [5m])`, `parse error : parameter required for operation quantile_over_time`)
	f(`{app="x"} + vector(1)`, `parse error : unexpected type for left leg of binary operation (+): log query`)
	f(`vector(1) - {app="x"}`, `parse error : unexpected type for right leg of binary operation (-): log query`)
	f(`1 or vector(1)`, `parse error : unexpected literal for left leg of logical/set binary operation (or): 1.000000`)
	f(`vector(1) and 1 + 1`, `parse error : unexpected literal for right leg of logical/set binary operation (and): 2.000000`)
	// The outermost fault of meaning goes first, and a fault of the grammar before any.
	f(`topk(sum_over_time({}[5m]))`, `parse error : parameter required for operation topk`)
	f(`sum_over_time({}[5m]) +`, `parse error at line 1, col 24: syntax error: unexpected $end`)
}

func TestParseSelector(t *testing.T) {
	f := func(text, wantSelector, wantMatchers string) {
		t.Helper()
		for _, c := range []struct {
			parse func(string) ([]*labels.Matcher, error)
			want  string
		}{{ParseSelector, wantSelector}, {ParseMatchers, wantMatchers}} {
			ms, err := c.parse(text)
			if err != nil {
				require.Equal(t, c.want, err.Error())
				continue
			}
			require.Equal(t, c.want, (&LogExpr{Matchers: ms}).String())
		}
	}
	const only = "only label matchers are supported"
	noMatcher := (&ParseError{Msg: matchersMessage}).Error()
	f(`{a="b", c=~"d"}`, `{a="b", c=~"d"}`, `{a="b", c=~"d"}`)
	f(`{}`, `{}`, noMatcher)
	f(`{a=~".*"}`, `{a=~".*"}`, noMatcher)
	f(`{a="b"} |= "x"`, only, only)
	f(`rate({a="b"}[1m])`, only, only)
	f(`{a=`, `parse error at line 1, col 4: syntax error: unexpected $end, expecting STRING`,
		`parse error at line 1, col 4: syntax error: unexpected $end, expecting STRING`)
}

// No text is too deep, too long or too expensive: it is refused, soon.
func TestBounds(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		_, err := Parse(text)
		require.ErrorContains(t, err, want)
	}
	f(strings.Repeat("(", 100_000), "nested too deep")
	f(strings.Repeat("sum(", 30_000), "nested too deep")
	f("1"+strings.Repeat("^1", 60_000), "nested too deep")
	f(strings.Repeat("rate(", 2)+strings.Repeat("(", 100_000), "unexpected RATE")
	f("rate("+strings.Repeat("(", 100_000), "nested too deep")
	f(`{a="b"} | `+strings.Repeat("(", 100_000), "nested too deep")
	f(`{a="b"} | x>1`+strings.Repeat(`, x>1 or x>1`, 8_000), "nested too deep")
	f("1"+strings.Repeat("+1", 60_000), "too many binary operators")
	f(strings.Repeat(" ", queryBytesMax), "input size too long (131072 > 131072)")
	f(`{a="b"} |~ "`+strings.Repeat("a{1000}", 1000)+`"`, "regular expressions are too large")
	f(`{a="b"} `+strings.Repeat(`|~ "(abc){300}" `, 1000), "regular expressions are too large")
	f(`{a="b"} | line_format "{{`+strings.Repeat("(", 100_000)+`"`, "max expression depth exceeded")

	long, err := Parse(`{a="b"} | x=""` + strings.Repeat(` or x=""`, 3_000))
	require.NoError(t, err)
	require.Len(t, long.(*LogExpr).Stages[0].(*LabelFilterStage).Filter.(*OrFilter).Filters, 3_001)
	requireReadsBack(t, long)
	long, err = Parse(`{a="b"} | x=""` + strings.Repeat(`, x=""`, 3_000))
	require.NoError(t, err)
	requireReadsBack(t, long)
}

func TestWalk(t *testing.T) {
	e, err := Parse(`label_replace(sum(rate({a="b"}[1m])) / vector(2), "a", "b", "c", "d") + 1`)
	require.NoError(t, err)
	var seen []string
	Walk(e, func(e Expr) bool {
		seen = append(seen, e.String())
		_, isAggregation := e.(*VectorAggregation)
		return !isAggregation
	})
	require.Equal(t, []string{
		`(label_replace((sum(rate({a="b"} [1m])) / vector(2)), "a", "b", "c", "d") + 1)`,
		`label_replace((sum(rate({a="b"} [1m])) / vector(2)), "a", "b", "c", "d")`,
		`(sum(rate({a="b"} [1m])) / vector(2))`, `sum(rate({a="b"} [1m]))`, `vector(2)`, `1`,
	}, seen)
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{
		`{app="api"} |= "x" or ip("1.2.3.4") | json a="b.c" | c>5 and (d<1h or e!=5KB) | line_format "{{.x}}"`,
		`sum by (a) (rate({a="b"} | logfmt --strict | unwrap bytes(c) | __error__="" [5m] offset -1h))`,
		`topk(3, vector(1) * on (a) group_left (b) label_replace(vector(2), "a", "$1", "b", "(.*)")) ^ -1.5e3`,
		`{a=~".+"} | json != "x" | drop a, b="c" | label_format a=b, c="d" | pattern "<a> <_>" # end`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := Parse(text)
		if err != nil {
			require.NotContains(t, err.Error(), "syntax.", "no Go name leaks")
			return
		}
		requireReadsBack(t, e)
	})
}
