package plugin

import (
	"log/slog"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/backend/datasource"

	"github.com/woodshed-logs/woodshed/pkg/config"
)

// Serve answers Grafana's handshake at once and then its requests, until Grafana calls Shutdown. Grafana allows two
// seconds from there to the end of the process.
func (p *Plugin) Serve() error {
	return datasource.Manage(config.PluginID, p.NewInstance, datasource.ManageOpts{})
}

// NewLogger writes lines from level on to Grafana's log.
func NewLogger(level slog.Leveler) *slog.Logger {
	return slog.New(NewLogHandler(backend.Logger, level))
}
