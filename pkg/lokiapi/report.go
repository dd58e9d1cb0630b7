package lokiapi

import (
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

// Report is how the store is at one moment. Zero fields are unknown and left out of what is shown.
type Report struct {
	Ready bool
	// State is one or two words: ready, opening, replaying, stopping, failed.
	State string
	// Detail says in a sentence why the store is not ready and what to do.
	Detail string
	Replay Progress

	Started time.Time
	DataDir string
	Listen  string

	Streams, Entries    uint64
	RawBytes, DiskBytes uint64
	Oldest              model.Timestamp
	EntriesPerSecond    float64
	BytesPerSecond      float64
	Retention           string   // in words
	Removed             string   // what retention removed since the start, in words
	Space               string   // of the disk, in words
	Memory              []string // who gets how much of the memory limit, in sentences

	LastFlush, LastCompaction time.Time

	Refusals []Refusals
	Warnings []string // what a person should know of although everything works
	Errors   []string // what failed lately
}

// Progress is how much of the log was replayed, in bytes.
type Progress struct{ Done, Total uint64 }

// Refusals are entries that were refused in the last 15 minutes for one reason.
type Refusals struct {
	Tenant  model.TenantID
	Entries uint64
	Reason  string // in words, with what to do about it
}

// words renders the report line by line, for /ready?verbose and the status page.
func (rp Report) words() []string {
	lines := []string{"state: " + rp.stateWords()}
	add := func(shown bool, format string, args ...any) {
		if shown {
			lines = append(lines, fmt.Sprintf(format, args...))
		}
	}
	add(rp.DataDir != "", "data: %s", rp.DataDir)
	add(rp.Retention != "", "retention: %s", rp.Retention)
	add(rp.Removed != "", "removed: %s", rp.Removed)
	add(rp.Space != "", "disk: %s", rp.Space)
	for _, m := range rp.Memory {
		add(true, "memory: %s", m)
	}
	for _, rf := range rp.Refusals {
		add(true, "refused: %s", rf.words())
	}
	for _, w := range rp.Warnings {
		add(true, "warning: %s", oneLine(w))
	}
	for _, e := range rp.Errors {
		add(true, "error: %s", oneLine(e))
	}
	return lines
}

func (rp Report) stateWords() string {
	state := rp.State
	if state == "" {
		state = "not ready"
		if rp.Ready {
			state = "ready"
		}
	}
	if rp.Replay.Total > 0 && !rp.Ready {
		state += fmt.Sprintf(", %s of %s of the log replayed (%.0f %%)", humanize.Bytes(rp.Replay.Done), humanize.Bytes(rp.Replay.Total),
			100*float64(min(rp.Replay.Done, rp.Replay.Total))/float64(rp.Replay.Total))
	}
	if rp.Detail != "" {
		state += ": " + oneLine(rp.Detail)
	}
	return state
}

func (rf Refusals) words() string {
	noun := "entries"
	if rf.Entries == 1 {
		noun = "entry"
	}
	s := fmt.Sprintf("%s %s in the last 15 minutes: %s", humanize.Comma(int64(min(rf.Entries, 1<<62))), noun, oneLine(rf.Reason))
	if rf.Tenant != "" && rf.Tenant != model.DefaultTenant {
		s += fmt.Sprintf(" (tenant %s)", rf.Tenant)
	}
	return s
}

// oneLine keeps a text from faking other lines of the report.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' }), " ")
}

// spell writes a duration as people say it: 6d 3h, 3m 20s, 4s.
func spell(d time.Duration) string {
	d = max(d, 0).Round(time.Second)
	units := []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}}
	for i, u := range units {
		if d < u.size && u.size > time.Second {
			continue
		}
		s := fmt.Sprintf("%d%s", d/u.size, u.name)
		if rest := d % u.size; i+1 < len(units) && rest >= units[i+1].size {
			s += fmt.Sprintf(" %d%s", rest/units[i+1].size, units[i+1].name)
		}
		return s
	}
	return "0s"
}
