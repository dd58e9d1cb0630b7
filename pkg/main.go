// Command gpx_woodshed is a Grafana datasource plugin, a log server, and their command line: which of them depends on who
// starts it. Grafana sets a cookie in the environment; a person writes a subcommand, and gets help without one.
package main

import (
	"context"
	"os"

	"github.com/woodshed-logs/woodshed/pkg/app"
	"github.com/woodshed-logs/woodshed/pkg/cli"
)

func main() {
	args := os.Args[1:]
	if app.StartedByGrafana() && len(args) == 0 {
		os.Exit(app.RunPlugin())
	}
	os.Exit(cli.Run(context.Background(), args, cli.OSStdio(), cli.Deps{Version: app.Version(), Server: app.RunServer, Gate: app.NewGate}))
}
