package plugin

import (
	"fmt"
	"time"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

// State is what the store does.
type State string

// The states of a store. A degraded one may or may not answer queries: Store.Ready tells.
const (
	StateStarting  State = "starting"
	StateReplaying State = "replaying"
	StateReady     State = "ready"
	StateDegraded  State = "degraded"
)

// Notice is a sentence for people. Text may be shown to everybody who may query; Detail, shown to Admins in its place
// when it is set, may also name paths, owners and commands. Where organisations are kept apart, an Admin is one of many:
// what may name another's tenant has Apart, which is shown to everybody in the place of both.
type Notice struct {
	Text   string
	Detail string
	Apart  string
}

// For returns the sentence for an Admin or for anybody else.
func (n Notice) For(admin bool) string {
	if admin && n.Detail != "" {
		return n.Detail
	}
	return n.Text
}

// notice picks the sentence for whoever asks.
func (i *Instance) notice(n Notice, admin bool) string {
	if n.Apart != "" && i.p.keptApart() {
		return n.Apart
	}
	return n.For(admin)
}

// keptApart reports whether organisations must not learn of each other's tenants.
func (p *Plugin) keptApart() bool { return p.Config.AuthEnabled || len(p.Config.OrgTenants) > 0 }

// Refusal counts entries that were refused in the last 15 minutes for one reason.
type Refusal struct {
	Tenant  model.TenantID
	Reason  string // as in woodshed_discarded_entries_total
	Entries uint64
	// Text is the whole sentence: 1,204 entries were refused in the last 15 minutes: timestamp 8 h in the future (clock or
	// time zone of the agent?).
	Text string
}

// StatusInfo describes the store of the process.
type StatusInfo struct {
	Version  string
	State    State
	Reason   Notice  // of StateDegraded
	Progress float64 // of StateReplaying, 0 to 1

	Listen      string // the address that is open, "" for none
	ListenError Notice // why none is open; empty when that is meant
	DataDir     string

	Streams, Entries, Bytes uint64    // of all tenants; Bytes of lines and metadata, uncompressed
	DiskBytes               uint64    // blocks and write-ahead log
	Oldest                  time.Time // of the oldest entry; zero when there is none

	Retention string   // how long logs are kept, in words
	Space     string   // free space and what is kept free, in words; empty when unknown
	Memory    []string // who gets how much of the memory limit, in sentences

	Warnings []Notice  // of the store, the directory and the configuration
	Refusals []Refusal // of the last 15 minutes
}

// notReadyText says in one sentence why there is no answer yet.
func notReadyText(s StatusInfo) string {
	switch s.State {
	case StateReplaying:
		return fmt.Sprintf("The store is replaying: %s. Try again in a moment.", percentText(s.Progress))
	case StateDegraded:
		if s.Reason.Text != "" {
			return s.Reason.Text
		}
		return "The store is not open."
	}
	return "The store is starting. Try again in a moment."
}
