package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/woodshed-logs/woodshed/pkg/logdb"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

var verifyCommand = command{
	name:    "verify",
	args:    "[DIR]",
	summary: "read every byte of a store and tell what is damaged; rebuild damaged indexes",
	about: `
  gpx_woodshed verify
  gpx_woodshed verify --repair
  gpx_woodshed verify /srv/backup/2026-01-02

Compares every checksum of blocks, state and write-ahead log, beside the store or without one, and decodes everything.
What a running store is about to write or to remove is no damage. --repair builds a damaged or missing index.db again from
chunks.bin and changes nothing else; the store may go on running. Exit code 1 means damage that is still there.
`,
	flags: func(set *flag.FlagSet, e *env) func(context.Context, []string) error {
		v := &verify{}
		v.register(set, e)
		set.StringVar(&v.tenant, "tenant", "", "only blocks of this tenant, and not the log (`name`)")
		set.StringVar(&v.block, "block", "", "only this block, and not the log (`ulid`)")
		set.BoolVar(&v.repair, "repair", false, "build damaged indexes again")
		set.BoolVar(&v.json, "json", false, "print a JSON object")
		return v.run
	},
}

// verify is one run of the command.
type verify struct {
	storeFiles
	tenant, block string
	repair, json  bool
}

func (v *verify) run(ctx context.Context, args []string) error {
	if err := v.take(args); err != nil {
		return err
	}
	if err := v.locate(ctx); err != nil {
		return err
	}
	defer v.close()
	if v.repair {
		if err := mayWrite(v.dir); err != nil {
			return err
		}
	}
	start := time.Now()
	bar := v.env.newProgress(v.quiet)
	found, err := logdb.Verify(ctx, logdb.VerifyConfig{
		FS: vfs.OS(), Dir: v.dir, Tenant: model.TenantID(v.tenant), Block: v.block, Repair: v.repair, ScratchDir: os.TempDir(), Live: v.locked,
		Progress: func(done, total int64) { bar.tell("verify", done, total) },
		Found: func(f logdb.Finding) {
			if !v.json {
				bar.clear()
				v.tell(f)
			}
		},
	})
	bar.clear()
	if err != nil {
		return v.explain(err)
	}
	if err := v.print(found, time.Since(start)); err != nil {
		return err
	}
	if found.Count(logdb.FindingDamage) > 0 {
		return errDamage
	}
	return nil
}

// tell prints one finding.
func (v *verify) tell(f logdb.Finding) {
	p := &printer{safe: v.env.Terminal}
	fmt.Fprintf(v.env.Out, "%s: %s: %s\n", f.Kind, p.shown(f.File), p.shown(f.Problem))
	if f.Entries > 0 {
		// The day decides which backup has them.
		fmt.Fprintf(v.env.Out, "    %s of tenant %s, %s to %s UTC, cannot be read\n", plural(int(f.Entries), "line", "lines"), p.shown(string(f.Tenant)), clock(f.From), clock(f.To))
	}
	if f.Advice != "" {
		fmt.Fprintf(v.env.Out, "    %s\n", p.shown(f.Advice))
	}
}

func (v *verify) print(found *logdb.Verification, took time.Duration) error {
	w := bufio.NewWriter(v.env.Out)
	if v.json {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		if err := enc.Encode(found); err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
	} else {
		v.summarize(w, found, took)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

func (v *verify) summarize(w *bufio.Writer, found *logdb.Verification, took time.Duration) {
	fmt.Fprintf(w, "%s: %s (%s lines, %s) read in %s\n", found.Dir, plural(found.Blocks, "block", "blocks"), humanize.Comma(int64(found.Entries)),
		bytesText(found.Bytes), took.Round(10*time.Millisecond))
	if l := &found.Log; l.Segments > 0 {
		fmt.Fprintf(w, "log: %s, %s, %s not yet in blocks\n", plural(l.Segments, "segment", "segments"),
			plural(int(l.Records), "record", "records"), plural(int(l.Entries), "line", "lines"))
	}
	if found.Vanished > 0 {
		fmt.Fprintf(w, "%s meanwhile by the running store\n", plural(found.Vanished, "block was removed", "blocks were removed"))
	}
	damage, repaired := found.Count(logdb.FindingDamage), found.Count(logdb.FindingRepaired)
	if repaired > 0 {
		fmt.Fprintf(w, "%s repaired\n", plural(repaired, "index was", "indexes were"))
	}
	switch {
	case damage == 0:
		put(w, "no damage\n")
	case found.Lost() == 0:
		fmt.Fprintf(w, "damage in %s; no line is known to be lost\n", plural(damage, "place", "places"))
	default:
		fmt.Fprintf(w, "damage in %s; %s be read\n", plural(damage, "place", "places"), plural(int(found.Lost()), "line cannot", "lines cannot"))
	}
}
