package tests

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	prommodel "github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/internal/testkit"
)

// dashboard is what these tests read of one that is bundled.
type dashboard struct {
	Title  string `json:"title"`
	Panels []struct {
		ID          int               `json:"id"`
		Type        string            `json:"type"`
		Title       string            `json:"title"`
		Description string            `json:"description"`
		Targets     []json.RawMessage `json:"targets"`
		FieldConfig struct {
			Defaults struct {
				NoValue string `json:"noValue"`
			} `json:"defaults"`
		} `json:"fieldConfig"`
	} `json:"panels"`
}

// bundledDashboards reads those that plugin.json includes.
func bundledDashboards(t *testing.T) map[string]dashboard {
	t.Helper()
	var plugin struct {
		Includes []struct{ Type, Name, Path string } `json:"includes"`
	}
	readJSON(t, filepath.Join("..", "plugin.json"), &plugin)
	out := map[string]dashboard{}
	for _, include := range plugin.Includes {
		require.Equal(t, "dashboard", include.Type)
		var d dashboard
		readJSON(t, filepath.Join("..", "src", filepath.FromSlash(include.Path)), &d)
		require.Equal(t, include.Name, d.Title)
		out[include.Path] = d
	}
	return out
}

func readJSON(t *testing.T, name string, into any) {
	t.Helper()
	b, err := os.ReadFile(filepath.Clean(name))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, into), name)
}

// Both dashboards show the same, and no panel is empty without a word.
func TestDashboardsAreBundled(t *testing.T) {
	all := bundledDashboards(t)
	require.Len(t, all, 2)
	panels := map[string][]string{}
	for path, d := range all {
		ids := map[int]bool{}
		for _, p := range d.Panels {
			require.False(t, ids[p.ID], "%s: panel %d comes twice", path, p.ID)
			ids[p.ID] = true
			if p.Type == "row" || p.Type == "text" {
				continue
			}
			panels[path] = append(panels[path], p.Title)
			require.NotEmpty(t, p.Description, p.Title)
			require.NotEmpty(t, p.FieldConfig.Defaults.NoValue, p.Title)
			require.NotEmpty(t, p.Targets, p.Title)
		}
	}
	require.Equal(t, panels["dashboards/store.json"], panels["dashboards/store-prometheus.json"])
}

// busyPlugin is a process in which everything that is counted by label happened once, where that can be brought about.
func busyPlugin(t *testing.T) *plugin {
	t.Helper()
	p := startPlugin(t)
	now := time.Now()
	testkit.MustPush(t, p.url, "", testkit.Stream(stderrLabels, now, testkit.Lines("x", 5)...))
	old := testkit.ProtobufBody(t, testkit.Stream(stderrLabels, now.AddDate(-1, 0, 0), "too old"))
	status, _, err := testkit.Push(patience(t), p.url, "", testkit.ContentProtobuf, old)
	require.NoError(t, err)
	require.Equal(t, http.StatusBadRequest, status)
	for _, expr := range []string{`{stream="stderr"}`, `{stream=`} {
		_, err := p.Query(patience(t), viewer, testkit.DataQuery("A", fmt.Sprintf(`{"expr":%q}`, expr)))
		require.NoError(t, err)
	}
	return p
}

// TestStoreDashboard asks a running store what each panel asks.
func TestStoreDashboard(t *testing.T) {
	p := busyPlugin(t)
	for _, panel := range bundledDashboards(t)["dashboards/store.json"].Panels {
		for _, target := range panel.Targets {
			resp, err := p.Query(patience(t), viewer, testkit.DataQuery("A", string(target)))
			require.NoError(t, err)
			require.NoError(t, resp.Responses["A"].Error, "%s: %s", panel.Title, target)
			require.NotEmpty(t, resp.Responses["A"].Frames, panel.Title)
		}
	}
}

// TestPrometheusDashboard parses each expression, and compares the metrics and labels that it names with those of a running
// store.
func TestPrometheusDashboard(t *testing.T) {
	p := busyPlugin(t)
	text, err := p.Metrics(patience(t), admin)
	require.NoError(t, err)
	parse := expfmt.NewTextParser(prommodel.UTF8Validation)
	families, err := parse.TextToMetricFamilies(strings.NewReader(text))
	require.NoError(t, err)
	known := map[string][]string{} // the labels of each metric
	for name, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				known[name] = append(known[name], l.GetName())
			}
		}
		known[name] = append(known[name], "instance", prommodel.MetricNameLabel) // a scrape adds the instance
		if len(f.GetMetric()) > 0 && f.GetMetric()[0].GetHistogram() != nil {
			known[name+"_bucket"], known[name+"_count"] = append(slices.Clone(known[name]), "le"), known[name]
		}
	}
	promql := parser.NewParser(parser.Options{})
	seen := 0
	for _, panel := range bundledDashboards(t)["dashboards/store-prometheus.json"].Panels {
		for _, target := range panel.Targets {
			var query struct {
				Expr         string `json:"expr"`
				LegendFormat string `json:"legendFormat"`
			}
			require.NoError(t, json.Unmarshal(target, &query))
			expr, err := promql.ParseExpr(strings.NewReplacer("$__rate_interval", "1m", "$__interval", "15s", "$__range", "1h").Replace(query.Expr))
			require.NoError(t, err, "%s: %s", panel.Title, query.Expr)
			parser.Inspect(expr, func(node parser.Node, path []parser.Node) error {
				selector, ok := node.(*parser.VectorSelector)
				if !ok {
					return nil
				}
				seen++
				have, ok := known[selector.Name]
				require.True(t, ok, "%s: no metric is called %s", panel.Title, selector.Name)
				for _, m := range selector.LabelMatchers {
					require.Contains(t, have, m.Name, "%s: %s", panel.Title, selector.Name)
				}
				for _, above := range path {
					if by, ok := above.(*parser.AggregateExpr); ok {
						require.Subset(t, have, by.Grouping, "%s: %s", panel.Title, query.Expr)
					}
				}
				return nil
			})
		}
	}
	require.Greater(t, seen, 30)
}

// What is remembered outlives the process, to the last entry: an upgrade keeps the graphs.
func TestStatisticsOutliveTheProcess(t *testing.T) {
	p := busyPlugin(t)
	wantRefused := func(p *plugin, want float64) {
		t.Helper()
		testkit.Eventually(t, "the refusals are counted", func() error { // a sample is taken at most once a second
			resp, err := p.Query(patience(t), viewer, testkit.DataQuery("A", `{"queryType":"stats","stat":"refused_entries","by":"none","instant":true}`))
			if err != nil {
				return err
			}
			a := resp.Responses["A"]
			if a.Error != nil || len(a.Frames) == 0 || len(a.Frames[0].Fields) < 2 {
				return errors.Join(a.Error, errors.New("no sample yet"))
			}
			if n := a.Frames[0].Fields[1].At(0); n != want {
				return fmt.Errorf("%v entries", n)
			}
			return nil
		})
	}
	wantRefused(p, 1)
	p.Kill()
	require.FileExists(t, filepath.Join(p.dir, "history.bin"))

	again := launchPlugin(t, p.addr, p.dir)
	again.waitReady(t)
	wantRefused(again, 1)

	again.Kill()
	require.NoError(t, os.WriteFile(filepath.Join(p.dir, "history.bin"), []byte("rubbish"), 0o600))
	third := launchPlugin(t, p.addr, p.dir)
	third.waitReady(t)
	wantRefused(third, 0) // nothing is known, and the store runs
	require.Contains(t, third.Log(), "begins empty")
}
