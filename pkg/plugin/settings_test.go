package plugin

import (
	"strings"
	"testing"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/stretchr/testify/require"
)

func TestSettings(t *testing.T) {
	f := func(raw string, want settings) {
		t.Helper()
		require.Equal(t, want, parseSettings([]byte(raw)))
	}
	plain := settings{maxLines: linesDefault}
	f("", plain)
	f("null", plain)
	f(`{"maxLines":""}`, plain)
	f(`{"maxLines":null,"tenant":null,"derivedFields":null,"alertmanager":{"x":[1]},"keepCookies":7}`, plain)
	f(`{"tenant":" t ","maxLines":"5","derivedFields":[]}`, settings{tenant: "t", maxLines: 5})
	f(`{"tenant":1234}`, settings{tenant: "1234", maxLines: linesDefault})
}

// TestFaultySettings holds that every query is answered whatever stands in jsonData, and what Save & test says of it.
func TestFaultySettings(t *testing.T) {
	f := func(raw, want string) {
		t.Helper()
		process := newProcess()
		process.status = stored()
		i := newInstance(t, newPlugin(t, process, nil), raw)
		require.NoError(t, askOne(t, i, logQuery).Error)
		require.Equal(t, linesDefault, process.asked[0].Limit)
		h := healthOf(t, i, pluginContext(1, "Viewer"))
		require.Equal(t, backend.HealthStatusError, h.Status)
		const running = "Woodshed 0.3 is running: 12 streams, 4.1 M lines, 380 MB, oldest 6 days. Listening on 127.0.0.1:3110. "
		require.Equal(t, running+want, h.Message)
	}
	f(`{`, "The settings of the data source could not be read, so the defaults are in force: unexpected end of JSON input.")
	f(`[1]`, "The settings of the data source could not be read, so the defaults are in force: json: cannot unmarshal array into Go value of type map[string]json.RawMessage.")
	f(`{"maxLines":"many"}`, `The line limit of the data source is "many", which is not a whole number; 1,000 lines are in force.`)
	f(`{"maxLines":-4}`, "The line limit of the data source is -4, but at least 1 is needed; 1,000 lines are in force.")
	f(`{"maxLines":0}`, "The line limit of the data source is 0, but at least 1 is needed; 1,000 lines are in force.")
	f(`{"maxLines":1.5}`, "The line limit of the data source is 1.5, which is not a whole number; 1,000 lines are in force.")
	f(`{"maxLines":{}}`, "The line limit of the data source is {}, which is not a whole number; 1,000 lines are in force.")
	f(`{"tenant":{"a":"b"}}`, `The tenant of the data source is {"a":"b"}, which is no name; the first tenant of the organisation is read.`)
	f(`{"derivedFields":"x"}`, "The derived fields of the data source are not a list, so there are no links from logs.")
	f(`{"derivedFields":[{"name":"a","matcherRegex":"ok"},{"name":"trace","matcherRegex":"trace=(\\w+"}]}`,
		`Link 2 from logs does not work: the regular expression of "trace" has a fault: missing closing ): trace=(\w+.`)
	f(`{"derivedFields":[{"matcherRegex":"a"}, 3, {"name":"b"}, {"name":"c","matcherRegex":"x","matcherType":"xpath"}]}`,
		`Link 1 from logs does not work: it has no name. Link 2 from logs does not work: its setting is no text. `+
			`Link 3 from logs does not work: "b" has no matcherRegex. The same is true of 1 more link from logs.`)
	f(`{"maxLines":0,"derivedFields":[{"name":"c","matcherRegex":"x","matcherType":"xpath"}]}`,
		`The line limit of the data source is 0, but at least 1 is needed; 1,000 lines are in force. `+
			`Link 1 from logs does not work: the matcherType of "c" is "xpath"; it is regex or label.`)
}

// TestDerivedRegexFaults holds that only what no browser can read is called a fault.
func TestDerivedRegexFaults(t *testing.T) {
	f := func(expr, want string) {
		t.Helper()
		require.Equal(t, want, regexFault(expr))
	}
	f(`trace_?id[=:]"?(\w+)`, "")
	f(`(?=a)(?<!b)(?<id>\d+)\k<id>\1`, "") // JavaScript's alone
	f(`(?i)(?P<id>x)`, "")                 // Go's alone
	f(`[\w-x]\u0041`, "")
	f(`(a`, "missing closing ): (a")
	f(`a)`, "unexpected ): a)")
	f(`[a`, "missing closing ]: [a")
	f(`*a`, "missing argument to repetition operator: *")
	f(`a**`, "invalid nested repetition operator: **")
	f(`a\`, "trailing backslash at end of expression")
	f("("+strings.Repeat("é", 60), "missing closing ): ("+strings.Repeat("é", 39)+"…")
}

func TestMoreLinesThanAQueryReturns(t *testing.T) {
	process := newProcess()
	process.status = stored()
	h := healthOf(t, newInstance(t, newPlugin(t, process, nil), `{"maxLines":9000}`), pluginContext(1, "Viewer"))
	require.Equal(t, backend.HealthStatusOk, h.Status)
	require.Contains(t, h.Message, "Warning: The data source asks for 9,000 lines by default, and one query returns at most 5,000 (grafana.rows_max).")
}

// FuzzSettings holds that no settings stop a query.
func FuzzSettings(f *testing.F) {
	f.Add(`{"tenant":"a","maxLines":"100","derivedFields":[{"name":"a","matcherRegex":"(","matcherType":"label"}]}`)
	f.Add(`{"derivedFields":[[]]}`)
	f.Fuzz(func(t *testing.T, raw string) {
		s := parseSettings([]byte(raw))
		require.Positive(t, s.maxLines)
		for _, fault := range s.faults {
			require.NotEmpty(t, fault)
		}
	})
}
