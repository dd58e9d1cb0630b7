package app

import (
	"fmt"
	"time"

	"github.com/woodshed-logs/woodshed/pkg/cli"
	"github.com/woodshed-logs/woodshed/pkg/config"
	"github.com/woodshed-logs/woodshed/pkg/distributor"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// NewGate makes the distributor of a server with the default limits, for benchmarks of a store without a server.
func NewGate(a storage.Appender, now func() time.Time) (cli.Pusher, error) {
	cfg := config.Default()
	overrides, err := cfg.TenantLimits()
	if err != nil {
		return nil, fmt.Errorf("limits: %w", err)
	}
	streams, _ := a.(distributor.Streams) // a store that does not know its streams has no limit of them
	d, err := distributor.New(distributor.Config{Limits: overrides, Appender: a, Streams: streams, Clock: now})
	if err != nil {
		return nil, err
	}
	return d, nil
}
