package derive

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

// testOptions are Loki's defaults.
func testOptions() Options {
	return Options{
		Version:        Version1,
		ServiceNames:   []string{"service", "app", "application", "app_name", "name", "container", "job"},
		DiscoverLevels: true,
		LevelFields: []string{
			"level", "LEVEL", "Level", "log.level", "severity", "SEVERITY", "Severity", "SeverityText", "lvl", "LVL", "Lvl",
			"severity_text", "Severity_Text", "SEVERITY_TEXT",
		},
		JSONMaxDepth: 2,
	}
}

// derived derives one entry of a stream.
func derived(t *testing.T, o Options, labelsText string, e model.Entry) model.Entry {
	t.Helper()
	d := New(o)
	s, err := d.Stream(labelsText)
	require.NoError(t, err)
	d.Entry(s, &e)
	return e
}
