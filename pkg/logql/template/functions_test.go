package template

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"text/template/parse"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
)

// What is said here was compared with what a running Loki answers.
func TestFunctions(t *testing.T) {
	e := newTestEntry()
	called := map[string]bool{}
	f := func(text, want string) {
		t.Helper()
		trees, err := syntax.ParseTemplate("line", text)
		require.NoError(t, err)
		noteCalls(called, trees["line"].Root)
		got, err := mustCompile(t, text).Append(nil, e)
		require.NoError(t, err)
		require.Equal(t, want, string(got), text)
	}
	testTextFunctions(f)
	testNumberFunctions(f)
	testTimeFunctions(f)
	testBuiltins(f)
	for name := range syntax.TemplateFunctions() {
		require.True(t, called[name] || name == "call", "%s has no test", name) // nothing can be called with call
	}
}

// noteCalls notes the functions in a template.
func noteCalls(called map[string]bool, n parse.Node) {
	for _, word := range strings.FieldsFunc(n.String(), func(r rune) bool { return strings.ContainsRune(" (){}|", r) }) {
		called[word] = true
	}
}

func testTextFunctions(f func(text, want string)) {
	f(`{{ToLower "ÄB"}} {{lower "ÄB"}} {{ToUpper "äb"}} {{"äb" | upper}}`, `äb äb ÄB ÄB`)
	f(`{{title "hello wOrld-foo it's 'x"}}`, `Hello WOrld-Foo It'S 'X`)
	f(`{{TrimSpace " a\n"}}|{{trim " a\n"}}|`, `a|a|`)
	f(`{{Trim "xaxbx" "x"}} {{TrimLeft "xaxbx" "x"}} {{TrimRight "xaxbx" "x"}}`, `axb axbx xaxb`)
	f(`{{TrimPrefix "xxa" "x"}} {{TrimSuffix "axx" "x"}}`, `xa ax`)
	f(`{{"xaxbx" | trimAll "x"}} {{"xxa" | trimPrefix "x"}} {{"axx" | trimSuffix "x"}}`, `axb xa ax`)
	f(`{{Replace "aaa" "a" "b" 2}} {{Replace "aaa" "a" "b" -1}} {{Replace "ab" "" "-" -1}}`, `bba bbb -a-b-`)
	f(`{{"aaa" | replace "a" "b"}} {{replace "x" "b" "aaa"}}`, `bbb aaa`)
	f(`{{trunc 2 "hello"}}|{{trunc -2 "hello"}}|{{trunc -9 "hello"}}|{{trunc 0 "hello"}}|{{trunc 9 "hello"}}|{{trunc -5 "hello"}}`, `he|lo|hello||hello|hello`)
	f(`{{trunc 2 "héllo"}}`, "h\xc3")
	f(`{{substr 1 50 .app}} {{substr -1 2 .app}} {{substr 3 -1 .app}} {{substr 1 2 .app}} {{substr 0 -1 .app}}`, `pi ap  p api`)
	f(`{{alignLeft 5 .app}}|{{alignLeft 2 .app}}|{{alignLeft -2 .app}}|{{alignLeft 3 .app}}|{{alignLeft 0 .app}}|{{alignLeft 2 "äöü"}}`, `api  |ap|api|api||äö`)
	f(`{{alignRight 5 .app}}|{{alignRight 2 .app}}|{{alignRight -2 .app}}|{{alignRight 3 .app}}|{{alignRight 0 .app}}|{{alignRight 2 "äöü"}}`, `  api|pi|api|api||öü`)
	f(`{{indent 2 "a\nb"}}|{{nindent 1 "a\nb"}}|{{indent 0 "a"}}`, "  a\n  b|\n a\n b|a")
	f(`{{repeat 3 "ab"}}|{{repeat 0 "ab"}}|{{repeat 9999999999 ""}}`, `ababab||`)
	f(`{{contains "l" "hello"}} {{hasPrefix "he" "hello"}} {{hasSuffix "he" "hello"}}`, `true true false`)
	f(`{{if .msg | contains "world"}}yes{{else}}no{{end}}`, `yes`)
	f(`{{urlencode "a b/ä"}} {{urldecode "a+b%2F"}}`, `a+b%2F%C3%A4 a b/`)
	f(`{{b64enc "é"}} {{b64dec "w6k="}} {{b64dec "YQ"}} {{b64dec "YWI"}} {{b64dec ""}}`, `w6k= é a ab `)
	f(`{{b64dec "a"}}; {{b64dec "###"}}`, `illegal base64 data at input byte 0; illegal base64 data at input byte 0`)
	f(`{{regexReplaceAll "(a)(p)" .app "$2$1"}} {{regexReplaceAll "x*" "ab" "-"}} {{regexReplaceAll "(?P<n>p)" .app "[${n}]"}}`, `pai -a-b- a[p]i`)
	f(`{{regexReplaceAllLiteral "a" .app "$1"}}`, `$1pi`)
	f(`{{count "" .app}} {{count "p|a" .app}} {{.app | count "x"}}`, `4 2 0`)
	f(`{{__line__}}|{{__line__ | trunc 3}}`, `GET /a 200|GET`)
}

func testNumberFunctions(f func(text, want string)) {
	f(`{{int "12.9"}} {{int "0x1f"}} {{int "08"}} {{int "1e3"}} {{int true}} {{int false}} {{int "-.5"}} {{int "+7"}} {{int 3.99}} {{int -3.99}}`, `12 31 0 0 1 0 0 7 3 -3`)
	f(`{{int "1_000"}} {{int "x"}} {{int nil}} {{int "."}} {{int "1.2.3"}} {{int "--1.0"}} {{int "+-1.0"}} {{int "1.x"}} {{int now}} {{int 'a'}} {{int (fromJson "[]")}}`, `1000 0 0 0 0 0 0 0 0 97 0`)
	f(`{{int "9223372036854775807"}} {{int "9223372036854775808"}}`, `9223372036854775807 0`)
	f(`{{float64 "12.9"}} {{float64 "0x1p4"}} {{float64 "1e3"}} {{float64 true}} {{float64 ""}} {{float64 7}} {{float64 "inf"}} {{float64 "x"}} {{float64 "1e999"}}`, `12.9 16 1000 1 0 7 +Inf 0 0`)
	f(`{{add}} {{add 1 "2" true}} {{add .n 1.9}} {{sub 5 "2"}} {{mul 2 "3" 1.9}} {{mul 4}} {{div 7 2}} {{div -7 2}} {{mod 7 3}} {{mod -7 3}}`, `0 4 8 3 6 4 3 -3 1 -1`)
	f(`{{max 1 "5" 2.9}} {{min 1 "x"}} {{max 3}} {{maxf 1 2.5}} {{minf 1 "0.5"}}`, `5 0 3 2.5 0.5`)
	f(`{{addf 0.1 0.2}} {{addf}} {{subf 1}} {{subf 1 0.9}} {{mulf 1.1 1.1}} {{mulf 1e300 1e300}}`, `0.3 0 1 0.1 1.21 +Inf`)
	f(`{{divf 1 3}} {{divf 2 3}} {{divf -2 3}} {{divf 1 8}} {{divf 1e-10 3}} {{divf 10 4 5}}`, `0.3333333333333333 0.6666666666666667 -0.6666666666666667 0.125 3.33333e-11 0.5`)
	f(`{{addf "1.5" 1.5 | subf "5" 1.5 | mulf "10.5" | divf "20.2"}}`, `3.8476190476190477`)
	f(`{{round (addf "1.5" 1.5 | subf "3.5" | mulf "10.5" | divf "20.4") 5 .2}}`, `3.88572`)
	f(`{{round -1.2 0}} {{round 3.14159 2}} {{round 2.5 0 0.6}} {{round 123.555555 3}} {{round 1234 -2}} {{round "2.5" 0}}`, `-2 3.14 2 123.556 1200 3`)
	f(`{{ceil 1.2}} {{floor -1.2}} {{ceil "1.0"}} {{floor .f}}`, `2 -2 1 2`)
	f(`{{bytes "3 kB"}} {{bytes "3MB"}} {{bytes "1KiB"}}`, `3000 3e+06 1024`)
	f(`{{duration "1m1.5s"}} {{duration_seconds "3ms"}}`, `61.5 0.003`)
	f(`{{default "a" 0}} {{default "a" ""}} {{default "a"}} {{default "a" false}} {{default "a" (fromJson "[]")}} {{default "a" 0.0}} {{default "a" nil}}`, `a a a a a a a`)
	f(`{{.app | default "-"}} {{.absent | default "-"}} {{default "-" 7}} {{default "-" true}} {{default "-" (fromJson "[1]")}}`, `api - 7 true [1]`)
	f(`{{fromJson .json}} {{fromJson "x"}} {{(fromJson .json).c}} {{index (fromJson .json).a 1}} {{fromJson "null"}}`, `map[a:[1 2 map[b:<nil>]] c:5] <no value> 5 2 <no value>`)
	f(`{{range $i, $e := fromJson "[1,\"a\"]"}}{{$i}}{{$e}}{{end}}`, `011a`)
}

func testTimeFunctions(f func(text, want string)) {
	local := func(sec int64) string { return time.Unix(sec, 0).String() }
	f(`{{__timestamp__ | unixEpoch}} {{__timestamp__ | unixEpochMillis}} {{__timestamp__ | unixEpochNanos}}`, `1661518453 1661518453244 1661518453244672570`)
	f(`{{(__timestamp__).UTC.Format "2006-01-02T15:04:05.999"}}`, `2022-08-26T12:54:13.244`)
	f(`{{date "2006-01-02 15:04" __timestamp__}}`, time.Unix(1661518453, 0).Format("2006-01-02 15:04"))
	f(`{{date "2006-01-02 15" 86400}}`, time.Unix(86400, 0).Format("2006-01-02 15"))
	f(`{{date "2006" "x" | len}} {{sub (unixEpoch now) (unixEpoch now)}}`, `4 0`)
	f(`{{unixToTime "19503"}}`, local(19503*86400))
	f(`{{unixToTime "1679577215"}}`, local(1679577215))
	f(`{{unixToTime "1257894000000"}} {{unixToTime "1673798889902000" | unixEpochNanos}}`, local(1257894000)+" 1673798889902000000")
	f(`{{unixToTime "1000000000000000000" | unixEpochNanos}}`, `1000000000000000000`)
	f(`{{toDateInZone "2006-01-02T15:04:05.999999999Z" "UTC" "2023-03-10T01:32:40.340485723Z" | unixEpochNanos}}`, `1678411960340485723`)
	f(`{{toDateInZone "2006-01-02" "Nowhere/X" "2020-01-02"}} {{toDateInZone "2006-01-02" "UTC" "x" | unixEpoch}}`, `2020-01-02 00:00:00 +0000 UTC -62135596800`)
	f(`{{toDateInZone "2006-01-02" "Asia/Tokyo" "1970-01-02" | unixEpoch}}`, `54000`)
	f(`{{sub (unixEpoch (toDate "2006-01-02" "2021-11-02")) (unixEpoch (toDate "2006-01-02" "2021-11-01"))}}`, `86400`)
	f(`{{date "2006-01-02" (toDate "2006-01-02" "2021-11-02")}} {{unixEpoch (toDate "2006" "x")}}`, `2021-11-02 -62135596800`)
}

func testBuiltins(f func(text, want string)) {
	f(`{{printf "%-5s|%5d|%q|%T|%v|%05.1f|%x" .app 3 .app .app nil 2.25 "hi"}}`, `api  |    3|"api"|string|<nil>|002.2|6869`)
	f(`{{printf "%[2]s %[1]s %*[4]d|%[3]*[4]d" .app .n 4 5}}|{{printf "%d" .app}}|{{printf "%s"}}`, `7 api %!(BADWIDTH)5|   5|%!d(string=api)|%!s(MISSING)`)
	f(`{{print .app 1 2 .app}}{{println 1 "x"}}`, "api1 2api1 x\n")
	f(`{{html "<a>"}} {{js "'"}} {{urlquery "a b" "&"}}`, `&lt;a&gt; \' a+b%26`)
	f(`{{and .app .n}} {{or .absent .n}} {{not .app}} {{len .app}} {{index . "app"}} {{slice .msg 1 3}}`, `7 7 false 3 api el`)
	f(`{{eq .app "api"}} {{ne .app "api"}} {{lt 1 2}} {{le 2 2}} {{gt 1 2}} {{ge 1 2}} {{eq .app "x" "api"}}`, `true false true true false false true`)
	f(`{{range 3}}x{{.}}{{end}}{{with .absent}}y{{else}}z{{end}}{{range $k, $v := .}}{{$k}} {{end}}`, `x0x1x2zapp f json msg n status `)
	f(`{{range 5}}{{if eq . 1}}{{continue}}{{end}}{{if eq . 3}}{{break}}{{end}}{{.}}{{end}}`, `02`)
	f(`{{define "t"}}<{{.}}>{{end}}{{template "t" .app}}{{block "u" 7}}{{.}}{{end}}`, `<api>7`)
	f(`{{.}}`, `map[app:api f:2.5 json:{"a":[1,2,{"b":null}],"c":5} msg:hello world n:7 status:200]`)
}

// The parser of queries knows the names, this package what they do.
func TestFunctionNames(t *testing.T) {
	var r run
	for name := range r.functions() {
		require.Contains(t, syntax.TemplateFunctions(), name)
	}
	for _, name := range slices.Sorted(maps.Keys(syntax.TemplateFunctions())) {
		_, err := Compile("line", "{{"+name+"}}")
		require.NoError(t, err)
	}
	for _, name := range []string{"env", "expandenv", "getHostByName", "genCA", "until", "seq", "tpl", "include", "regexMatch"} {
		_, err := Compile("line", "{{"+name+"}}")
		require.EqualError(t, err, `template: line:1: function "`+name+`" not defined`)
	}
}
