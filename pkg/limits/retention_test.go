package limits

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

const day = 24 * time.Hour

func TestRetentionDefault(t *testing.T) {
	l := Default()
	require.Equal(t, Retention{}, l.Retention(), "kept for ever")
	require.False(t, l.Retention().Removes())
	require.Equal(t, "kept for ever", l.Retention().String())
}

func TestRetentionOrder(t *testing.T) {
	l, err := read(`
retention_period: 30d
retention_stream:
  - {selector: '{app="low"}', period: 1d}
  - {selector: '{app="ever"}', priority: 2, period: 0s}
  - {selector: '{app="long"}', priority: 2, period: 2w}
  - {selector: '{app="negative"}', priority: -1, period: 1d}
  - {selector: '{app="short"}', priority: 2, period: 48h}
  - {selector: '{app="short too"}', priority: 2, period: 2d}
`)
	require.NoError(t, err)
	require.NoError(t, l.Validate())
	require.Empty(t, l.Warnings())
	require.Equal(t, Retention{Period: 30 * day, Rules: []RetentionRule{
		{Selector: `{app="short"}`, Priority: 2, Period: 2 * day},
		{Selector: `{app="short too"}`, Priority: 2, Period: 2 * day},
		{Selector: `{app="long"}`, Priority: 2, Period: 14 * day},
		{Selector: `{app="ever"}`, Priority: 2},
		{Selector: `{app="low"}`, Period: day},
		{Selector: `{app="negative"}`, Priority: -1, Period: day},
	}}, l.Retention())
	require.True(t, l.Retention().Removes())
	require.Equal(t, `kept for 30d; {app="short"} for 2d; {app="short too"} for 2d; {app="long"} for 2w; {app="ever"} for ever; `+
		`{app="low"} for 1d; {app="negative"} for 1d`, l.Retention().String())

	require.Equal(t, `{app="low"}`, l.RetentionStream[0].Selector, "the limits themselves stay as they were written")
}

func TestRetentionRemoves(t *testing.T) {
	f := func(want bool, text string) {
		t.Helper()
		l, err := read(text)
		require.NoError(t, err)
		require.Equal(t, want, l.Retention().Removes())
	}
	f(false, "retention_period: 0")
	f(true, "retention_period: 24h")
	f(false, "retention_stream: [{selector: '{a=\"b\"}', period: 0s}]")
	f(true, "retention_stream: [{selector: '{a=\"b\"}', period: 1d}]")
}

func TestRetentionValidate(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		l, err := read(text)
		require.NoError(t, err)
		require.EqualError(t, l.Validate(), want)
	}
	f("retention_period: 23h", "retention_period: 23h is less than 24h, the shortest that logs can be kept; 0 keeps them for ever")
	f("retention_stream: [{selector: '{a=\"b\"}', period: 1h}]",
		`retention_stream: {a="b"}: 1h is less than 24h, the shortest that logs can be kept; 0 keeps them for ever`)
	f("retention_stream: [{selector: '{a=\"b\"}', period: 24h}, {selector: ' ', period: 24h}]", "retention_stream: rule 2 has no selector")
	f("retention_stream: [{selector: '"+strings.Repeat("x", selectorBytesMax+1)+"', period: 24h}]", "retention_stream: the selector of rule 1 is longer than 4096 bytes")
	f("retention_stream: ["+strings.Repeat("{selector: x, period: 24h},", retentionRulesMax+1)+"]", "retention_stream: more than 1000 rules")
}

func TestRetentionBadYAML(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		_, err := read(text)
		require.ErrorContains(t, err, want)
	}
	f("retention_period: a month", `line 1: "a month" is not a duration`)
	f("retention_stream: 24h", "cannot unmarshal")
	f("retention_stream: [24h]", "line 1: expected a rule of retention_stream")
	f("retention_stream:\n  - selektor: x\n    period: 24h", `line 2: unknown key "selektor" in a rule of retention_stream; it has selector, priority and period`)
	f("retention_stream:\n  - selector: x\n    selector: y\n    period: 24h", "line 3: selector is given twice")
	f("retention_stream:\n  - selector: x", "line 2: a rule of retention_stream needs a selector and a period")
	f("retention_stream:\n  - selector: x\n    period:", "line 2: a rule of retention_stream needs a selector and a period")
	f("retention_stream:\n  - period: 24h", "line 2: a rule of retention_stream needs a selector and a period")
	f("retention_stream:\n  - {selector: x, period: 24h, priority: high}", "cannot unmarshal")
}

// The list of a tenant replaces the list for everybody, and each of the two limits is replaced alone, as in Loki.
func TestRetentionOverrides(t *testing.T) {
	var file struct {
		Limits    Limits                     `yaml:"limits_config"`
		Overrides map[model.TenantID]Partial `yaml:"overrides"`
	}
	file.Limits = Default()
	require.NoError(t, yaml.Unmarshal([]byte(`
limits_config:
  retention_period: 30d
  retention_stream:
    - {selector: '{env="dev"}', priority: 1, period: 1d}
    - {selector: '{env="test"}', priority: 1, period: 2d}
overrides:
  period: {retention_period: 1w}
  rules: {retention_stream: [{selector: '{app="audit"}', period: 0s}]}
  none: {retention_stream: [], retention_period: 0}
`), &file))
	o, err := New(file.Limits, file.Overrides)
	require.NoError(t, err)
	f := func(tenant model.TenantID, want string) {
		t.Helper()
		require.Equal(t, want, o.For(tenant).Retention().String())
	}
	f("anybody", `kept for 30d; {env="dev"} for 1d; {env="test"} for 2d`)
	f("period", `kept for 1w; {env="dev"} for 1d; {env="test"} for 2d`)
	f("rules", `kept for 30d; {app="audit"} for ever`)
	f("none", `kept for ever`)

	var bad Partial
	require.NoError(t, yaml.Unmarshal([]byte("retention_period: 1h"), &bad))
	_, err = New(Default(), map[model.TenantID]Partial{"a": bad})
	require.ErrorContains(t, err, "overrides: tenant a: retention_period: 1h is less than 24h")
}

func TestRetentionRoundTrip(t *testing.T) {
	l, err := read("retention_period: 720h\nretention_stream:\n  - selector: '{app=\"a\", env=~\"x|y\"}'\n    priority: 3\n    period: 36h\n")
	require.NoError(t, err)
	text, err := yaml.Marshal(l)
	require.NoError(t, err)
	require.Contains(t, string(text), "retention_period: 30d\n")
	require.Contains(t, string(text), "period: 1d12h\n")
	again, err := read(string(text))
	require.NoError(t, err)
	require.Equal(t, l, again)
}

// The example of docs/limits.md works, and says what the text below it says.
func TestRetentionDocs(t *testing.T) {
	doc, err := os.ReadFile("../../docs/limits.md")
	require.NoError(t, err)
	block := regexp.MustCompile("(?s)## Keeping.*?```yaml\n(.*?)```").FindStringSubmatch(string(doc))
	require.NotNil(t, block)
	var file struct {
		Limits    Limits                     `yaml:"limits_config"`
		Overrides map[model.TenantID]Partial `yaml:"overrides"`
	}
	file.Limits = Default()
	require.NoError(t, yaml.Unmarshal([]byte(block[1]), &file))
	o, err := New(file.Limits, file.Overrides)
	require.NoError(t, err)
	const rules = `{app="audit"} for ever; {env="dev"} for 1d`
	require.Equal(t, "kept for 30d; "+rules, o.For("anybody").Retention().String())
	require.Equal(t, "kept for 90d; "+rules, o.For("team-b").Retention().String())
}
