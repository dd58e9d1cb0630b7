package plugin

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/config"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// streamList is a Querier over a list of label sets: it looks at each of them each time.
type streamList struct {
	*process
	list []labels.Labels
	many uint64 // what Stats says instead
}

func (s *streamList) inScope(scope storage.Scope) (in []labels.Labels) {
	for _, set := range s.list {
		holds := true
		for _, m := range scope.Matchers {
			holds = holds && m.Matches(set.Get(m.Name))
		}
		if holds {
			in = append(in, set)
		}
	}
	return in
}

func (s *streamList) Series(_ context.Context, _ model.TenantID, scope storage.Scope) ([]labels.Labels, error) {
	return s.inScope(scope), nil
}

func (s *streamList) LabelValues(_ context.Context, _ model.TenantID, name string, scope storage.Scope) (values []string, _ error) {
	for _, set := range s.inScope(scope) {
		values = append(values, set.Get(name))
	}
	return values, nil
}

func (s *streamList) Stats(_ context.Context, _ model.TenantID, scope storage.Scope) (storage.Stats, error) {
	return storage.Stats{Streams: max(s.many, uint64(len(s.inScope(scope))))}, nil
}

func countsOf(t *testing.T, s *streamList, target string) (got countsJSON) {
	t.Helper()
	p := newPlugin(t, s.process, func(*config.Config) {})
	p.Querier = s
	status, body := call(t, newInstance(t, p, ""), "GET", target)
	require.Equal(t, 200, status, body)
	require.NoError(t, json.Unmarshal([]byte(body), &got))
	require.Equal(t, "success", got.Status)
	return got
}

func TestCounts(t *testing.T) {
	s := &streamList{process: newProcess(), list: []labels.Labels{
		labels.FromStrings("app", "api", "stream", "stdout"),
		labels.FromStrings("app", "api", "stream", "stderr"),
		labels.FromStrings("app", "Web.Front", "stream", "stdout"),
		labels.FromStrings("app", "webhook", "node", "a|b"),
		labels.FromStrings("other", "x"),
	}}
	f := func(target string, params url.Values, want ...countJSON) {
		t.Helper()
		if want == nil {
			want = []countJSON{}
		}
		got := countsOf(t, s, target+"?"+params.Encode())
		require.Equal(t, countsJSON{Status: "success", Data: want, Total: uint64(len(want))}, got)
	}
	stdout := url.Values{"query": {`{stream="stdout"}`}}
	f("labels/counts", nil, countJSON{"app", 3}, countJSON{"node", 1}, countJSON{"other", 1}, countJSON{"stream", 2})
	f("labels/counts", stdout, countJSON{"app", 2}, countJSON{"stream", 1})
	f("labels/counts", url.Values{"search": {"O"}}, countJSON{"node", 1}, countJSON{"other", 1})
	f("label/app/counts", nil, countJSON{"Web.Front", 1}, countJSON{"api", 2}, countJSON{"webhook", 1})
	f("label/app/counts", stdout, countJSON{"Web.Front", 1}, countJSON{"api", 1})
	f("label/app/counts", url.Values{"search": {"WEB"}}, countJSON{"Web.Front", 1}, countJSON{"webhook", 1})
	f("label/app/counts", url.Values{"search": {"b."}}, countJSON{"Web.Front", 1})
	f("label/node/counts", url.Values{"search": {"|"}}, countJSON{"a|b", 1})
	f("label/node/counts", url.Values{"search": {")("}})
	f("label/nobody/counts", nil)
}

// TestCountsAreBounded holds that a label with very many values can be searched, and says how many there are.
func TestCountsAreBounded(t *testing.T) {
	s := &streamList{process: newProcess()}
	for i := range 2_500 {
		s.list = append(s.list, labels.FromStrings("pod", fmt.Sprintf("pod-%04d", i)))
	}
	for _, many := range []uint64{0, countsStreamsMax + 1} {
		s.many = many
		got := countsOf(t, s, "label/pod/counts")
		require.Len(t, got.Data, countsMax)
		require.Equal(t, "pod-0999", got.Data[countsMax-1].Text)
		require.EqualValues(t, 2_500, got.Total)
		require.Equal(t, many > 0, got.Uncounted)

		got = countsOf(t, s, "label/pod/counts?search=D-24")
		require.Len(t, got.Data, 100)
		require.EqualValues(t, 100, got.Total)
		require.Equal(t, many == 0, got.Data[0].Count == 1)
	}
	s.names = []string{"app", "pod"}
	got := countsOf(t, s, "labels/counts?search=po")
	require.Equal(t, countsJSON{Status: "success", Data: []countJSON{{"pod", 0}}, Total: 1, Uncounted: true}, got)
}

func TestCountFaults(t *testing.T) {
	_, i := newDefault(t)
	for _, target := range []string{"labels/counts", "label/a/counts"} {
		status, body := call(t, i, "GET", target+"?search="+strings.Repeat("x", searchBytesMax+1))
		require.Equal(t, 400, status)
		require.Contains(t, body, "at most 1024 are read")
		status, _ = call(t, i, "GET", target+"?query=%7B")
		require.Equal(t, 400, status)
		status, _ = call(t, i, "POST", target)
		require.Equal(t, 404, status)
	}
	for _, target := range []string{"label/counts", "label//counts", "label/a/b/counts", "label/a/counts/x", "labels/counts/"} {
		status, _ := call(t, i, "GET", target)
		require.Equal(t, 404, status, target)
	}
}
