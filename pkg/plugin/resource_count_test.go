package plugin

import (
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

func TestCountLines(t *testing.T) {
	f, i := newDefault(t)
	f.counts = []*storage.Counts{{Entries: []int64{40_000, 8_000}}, {Entries: []int64{210}}}
	ask := func(query, want string) {
		t.Helper()
		status, body := call(t, i, "GET", "count?"+lastHour+"&query="+url.QueryEscape(query))
		require.Equal(t, 200, status, body)
		require.JSONEq(t, want, body)
	}
	ask(`{app="api"}`, `{"counted":true,"entries":48210}`)
	require.Equal(t, model.Interval{Start: model.TimestampOf(t0.Add(-time.Hour)), End: model.TimestampOf(t0)}, f.scopes[0].Interval, "as a run, without its end")
	ask(`{app="api"} | json | line_format "x" | label_format a=b | drop a | keep b | decolorize`, `{"counted":true,"entries":48210}`)
	asked := len(f.scopes)
	ask(`{app="api"} |= "x"`, `{"counted":false,"entries":0}`)
	ask(`{app="api"} | json | status="503"`, `{"counted":false,"entries":0}`)
	ask(`{app="api"} | distinct a`, `{"counted":false,"entries":0}`)
	ask(`rate({app="api"}[5m])`, `{"counted":false,"entries":0}`)
	require.Len(t, f.scopes, asked, "nothing was read")

	status, body := call(t, i, "GET", "count?start=10&end=10&query="+url.QueryEscape(`{app="api"}`))
	require.Equal(t, 200, status)
	require.JSONEq(t, `{"counted":true,"entries":0}`, body)
	status, _ = call(t, i, "GET", "count?query=%7Ba=")
	require.Equal(t, 400, status)
}
