package plugin

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
)

func checkOf(t *testing.T, i *Instance, query string) checkJSON {
	t.Helper()
	status, body := call(t, i, "GET", "check?query="+url.QueryEscape(query))
	require.Equal(t, 200, status, body)
	var out checkJSON
	require.NoError(t, json.Unmarshal([]byte(body), &out))
	return out
}

func TestCheck(t *testing.T) {
	f, i := newDefault(t)
	f.ready = make(chan struct{}) // the parser needs no store
	require.Equal(t, checkJSON{OK: true, Kind: "logs"}, checkOf(t, i, `{app="api"} | distinct host`))
	require.Equal(t, checkJSON{OK: true, Kind: "metric"}, checkOf(t, i, `approx_topk(3, sum by (a) (rate({app="api"} |> "<_> x" [5m] offset 1h)))`))
	require.Equal(t, checkJSON{
		Error: "parse error at line 1, col 14: syntax error: unexpected IDENTIFIER, expecting STRING or ip", Hint: "put the text in quotes",
		Line: 1, Column: 14, EndLine: 1, EndColumn: 21,
	}, checkOf(t, i, `{run="x"} |= timeout`))
	require.Equal(t, checkJSON{
		Error: `parse error : stage '|~ "("' : error parsing regexp: missing closing ): ` + "`(`",
		Line:  2, Column: 4, EndLine: 2, EndColumn: 10,
	}, checkOf(t, i, "{run=\"größe\"}\n   |~ \"(\""))
	require.Equal(t, 19, checkOf(t, i, `{größe="größe"} | ,`).Column, "columns are characters")
	end := checkOf(t, i, `{app="api"`)
	require.Equal(t, "close the selector with }", end.Hint)
	require.Equal(t, end.Column, end.EndColumn, "nothing stands at the end")
	require.Equal(t, 11, end.Column)
}

// TestCheckSaysWhatARunSays compares the two for queries of every kind of fault.
func TestCheckSaysWhatARunSays(t *testing.T) {
	_, i := newDefault(t)
	for _, query := range []string{
		`{a=`, `{a="b"} |= x`, `{a=~".*"}`, `{a=~"("}`, `rate({a="b"})`, `rate({a="b"}[5x])`, `sum by (a) ({a="b"})`, `topk(rate({a="b"}[1m]))`,
		`{a="b"} | json x="["`, `{a="b"} | line_format "{{"`, `sum_over_time({a="b"}[1m])`, `"`, `{a="b"} | pattern "x"`, `1 +`,
	} {
		_, _, err := inspectQuery(query)
		require.Error(t, err, query)
		got := checkOf(t, i, query)
		require.False(t, got.OK)
		require.Equal(t, err.Error(), got.Error)
		require.Equal(t, syntax.Hint(err.Error()), got.Hint)
		require.Positive(t, got.Line)
		require.Positive(t, got.Column)
		require.Positive(t, got.EndColumn)
	}
}

func TestCheckIsBounded(t *testing.T) {
	_, i := newDefault(t)
	status, body := call(t, i, "GET", "check?query="+strings.Repeat("x", queryBytesMax+1))
	require.Equal(t, 400, status)
	require.Contains(t, body, "at most 131072 are read")
}
