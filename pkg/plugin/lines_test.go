package plugin

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/config"
	"github.com/woodshed-logs/woodshed/pkg/logql/engine"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// storeOf answers log queries from these entries, which stand in the store's order.
func storeOf(entries []engine.Entry) func(context.Context, engine.Params) (*engine.Result, error) {
	return func(_ context.Context, p engine.Params) (*engine.Result, error) {
		r := &engine.Result{Type: engine.ResultStreams}
		in := slices.Clone(entries)
		if p.Direction == storage.Backward {
			slices.Reverse(in)
		}
		for _, e := range in {
			if p.Start <= e.Timestamp && e.Timestamp < p.End && len(r.Entries) < p.Limit {
				r.Entries = append(r.Entries, e)
			}
		}
		r.Stats = engine.Stats{Bytes: 10, EntriesReturned: uint64(len(r.Entries))}
		return r, nil
	}
}

// entriesAt makes an entry at each of these times.
func entriesAt(times ...model.Timestamp) []engine.Entry {
	out := make([]engine.Entry, len(times))
	for n, at := range times {
		out[n] = engine.Entry{Timestamp: at, Line: fmt.Sprint("line ", n), ID: fmt.Sprintf("%016x_0", n), Labels: labels.FromStrings("app", "api"), Level: "info"}
	}
	return out
}

// idsOf lists the IDs of a logs frame.
func idsOf(f *data.Frame) []string {
	var out []string
	field, _ := f.FieldByName("id")
	for n := range field.Len() {
		out = append(out, field.At(n).(string))
	}
	return out
}

func TestPageHasSeamRestAndTail(t *testing.T) {
	process, i := newDefault(t)
	at := model.TimestampOf(t0.Add(-time.Minute))
	entries := entriesAt(at-9, at-9, at-5, at-5, at-5, at-3, at-1, at, at, at)
	process.exec = storeOf(entries)
	f := func(body string, want ...int) data.Frames {
		t.Helper()
		resp := askOne(t, i, `{"expr":"{app=\"api\"}",`+body+`}`)
		require.NoError(t, resp.Error)
		var ids []string
		for _, n := range want {
			ids = append(ids, entries[n].ID)
		}
		require.Equal(t, ids, idsOf(resp.Frames[0]))
		return resp.Frames
	}
	f(fmt.Sprintf(`"maxLines":2,"endNs":"%d","seamNs":1`, at+1), 9, 8, 7, 6, 5)
	f(fmt.Sprintf(`"maxLines":3,"endNs":"%d","seamNs":1`, at+1), 9, 8, 7, 6, 5, 4, 3, 2) // the tail completes a nanosecond
	f(fmt.Sprintf(`"maxLines":1,"startNs":"%d","seamNs":1,"direction":"forward"`, at-9), 0, 1, 2, 3, 4)
	f(fmt.Sprintf(`"maxLines":1,"startNs":"%d","direction":"forward"`, at-4), 5)
	f(fmt.Sprintf(`"maxLines":1,"startNs":"%d","endNs":"%d","fillNs":5`, at-9, at-2), 5)
	f(fmt.Sprintf(`"maxLines":1,"startNs":"%d","endNs":"%d","fillNs":1000000`, at-9, at-2), 5, 4, 3, 2, 1, 0)
	f(fmt.Sprintf(`"maxLines":1,"startNs":"%d","endNs":"%d","fillNs":1000000,"direction":"forward"`, at-5, at), 2, 3, 4, 5, 6)
	f(fmt.Sprintf(`"maxLines":5,"startNs":"%d","endNs":"%d","seamNs":1000`, at-1, at+1), 9, 8, 7, 6)
	f(fmt.Sprintf(`"maxLines":1,"endNs":"%d","wholeNs":10`, at+1), 9, 8, 7)
	f(fmt.Sprintf(`"maxLines":4,"endNs":"%d","wholeNs":10`, at+1), 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
	f(fmt.Sprintf(`"maxLines":1,"startNs":"%d","wholeNs":10,"direction":"forward"`, at-6), 2, 3, 4, 5, 6)

	// Context around entry 8: it is on the screen, its neighbours of the same nanosecond are not.
	got := f(fmt.Sprintf(`"maxLines":2,"endNs":"%d","seamNs":1,"omitId":"%s"`, at+1, entries[8].ID), 9, 7, 6, 5)
	golden(t, "logs_context", got)
	require.EqualValues(t, 30, got[0].Meta.Stats[0].Value, "of all three parts")
}

func TestPageSaysWhatItCannotHold(t *testing.T) {
	process := newProcess()
	i := newInstance(t, newPlugin(t, process, func(c *config.Config) { c.Grafana.RowsMax = 3 }), "")
	at := model.TimestampOf(t0.Add(-time.Minute))
	process.exec = storeOf(entriesAt(at-1, at, at, at, at, at))
	body := fmt.Sprintf(`{"expr":"{app=\"api\"}","maxLines":2,"endNs":"%d","seamNs":1}`, at+1)
	resp := askOne(t, i, body)
	require.NoError(t, resp.Error)
	require.Equal(t, 4, resp.Frames[0].Rows())
	golden(t, "logs_page_cut", resp.Frames)
	require.Equal(t, "More than 3 lines stand within 1ns at the beginning of this page, and one query may return no more "+
		"(grafana.rows_max, max_entries_limit_per_query): some are missing. Narrow the query to see them.", customOf(t, resp.Frames[0]).Error)
}

func TestLimitOfAPageTellsWhetherThereIsMore(t *testing.T) {
	process, i := newDefault(t)
	at := model.TimestampOf(t0.Add(-time.Minute))
	process.exec = storeOf(entriesAt(at-9, at-9, at-1, at))
	f := func(maxLines, rows, limit int) {
		t.Helper()
		got := askOne(t, i, fmt.Sprintf(`{"expr":"{app=\"api\"}","maxLines":%d,"endNs":"%d","seamNs":1}`, maxLines, at+1)).Frames[0]
		require.Equal(t, rows, got.Rows())
		require.Equal(t, limit, customOf(t, got).Limit)
	}
	f(1, 2, 2) // "2 lines shown": there is more
	f(4, 4, 5) // all, though as many as were asked for
	f(10, 4, 10)
}

// TestScrollingFindsEveryLineOnce walks through a store as Explore does, by times in milliseconds, in both orders, among
// clusters of one nanosecond and of one millisecond that are larger than a page.
func TestScrollingFindsEveryLineOnce(t *testing.T) {
	process, i := newDefault(t)
	rng := rand.New(rand.NewPCG(1, 2))
	first := model.TimestampOf(t0.Add(-time.Minute))
	var times []model.Timestamp
	for n, at := 0, first; n < 40; n++ {
		at = at.Add(time.Duration(rng.IntN(5_000_000)))
		for range rng.IntN(30) { // of one nanosecond
			times = append(times, at)
		}
		for range rng.IntN(30) { // of about one millisecond
			at = at.Add(time.Duration(rng.IntN(40_000)))
			times = append(times, at)
		}
	}
	entries := entriesAt(times...)
	process.exec = storeOf(entries)
	const ms = 1_000_000
	for _, direction := range []string{"backward", "forward"} {
		seen := map[string]bool{}
		edge := ""
		pages := 0
		for {
			pages++
			resp := askOne(t, i, fmt.Sprintf(`{"expr":"{app=\"api\"}","maxLines":10,"direction":%q,"fillNs":1001000000%s}`, direction, edge))
			require.NoError(t, resp.Error)
			before := len(seen)
			ids := idsOf(resp.Frames[0])
			for _, id := range ids {
				seen[id] = true
			}
			if len(seen) == before {
				break
			}
			field, _ := resp.Frames[0].FieldByName("timestamp")
			last := model.TimestampOf(field.At(len(ids) - 1).(time.Time))
			edge = fmt.Sprintf(`,"seamNs":%d,"endNs":"%d"`, ms, (last/ms+1)*ms)
			if direction == "forward" {
				edge = fmt.Sprintf(`,"seamNs":%d,"startNs":"%d"`, ms, last/ms*ms)
			}
		}
		require.Len(t, seen, len(entries), direction)
		require.Greater(t, pages, 10)
	}
}

func TestPagingFaults(t *testing.T) {
	process, i := newDefault(t)
	f := func(body, text string) {
		t.Helper()
		require.ErrorContains(t, askOne(t, i, `{"expr":"{app=\"api\"}",`+body+`}`).Error, text)
	}
	f(`"startNs":"x"`, `"x" is not a time in nanoseconds between the years 1678 and 2262`)
	f(`"endNs":"9223372036854775808"`, "is not a time in nanoseconds")
	f(`"endNs":1.5`, "is not a time in nanoseconds")
	f(`"startNs":"5","endNs":"4"`, "startNs 5 lies behind endNs 4.")
	f(`"seamNs":-1`, "seamNs is -1; it must lie between 0 and 60000000000.")
	f(`"wholeNs":60000000001`, "wholeNs is 60000000001")
	f(`"fillNs":60000000001`, "fillNs is 60000000001; it must lie between 0 and 60000000000.")
	f(`"omitId":"`+fmt.Sprintf("%065d", 1)+`"`, "omitId is no ID of a line: it is 65 bytes long.")
	require.Empty(t, process.asked)

	require.NoError(t, askOne(t, i, `{"expr":"{app=\"api\"}","startNs":"","endNs":null,"seamNs":"","omitId":""}`).Error)
	require.Len(t, process.asked, 1)
	require.NoError(t, askOne(t, i, `{"expr":"{app=\"api\"}","startNs":7,"endNs":"9","tenant":"other","orgId":2}`).Error)
	require.Equal(t, model.Timestamp(7), process.asked[1].Start)
	require.Equal(t, model.Timestamp(9), process.asked[1].End)
	require.Equal(t, process.asked[0].Tenant, process.asked[1].Tenant, "nothing in a query chooses the tenant")
}
