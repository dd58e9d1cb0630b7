package cli

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/woodshed-logs/woodshed/pkg/logdb"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

var restoreCommand = command{
	name:    "restore",
	args:    "BACKUP DATADIR",
	summary: "make a data directory of a backup",
	about: `
  gpx_woodshed restore /srv/backup/2026-01-02 /var/lib/grafana/woodshed-logs-datasource

Verifies the backup, copies it, and gives the finished tree its name: it stands there whole or not at all. DATADIR is empty
or not there, and no store runs on it. Run it as the user that runs the store, then start the store on DATADIR.
`,
	flags: func(set *flag.FlagSet, e *env) func(context.Context, []string) error {
		r := &restore{env: e}
		set.BoolVar(&r.link, "link", false, "hard-link the files instead of copying them, where that is possible")
		set.BoolVar(&r.noVerify, "no-verify", false, "do not read the backup first; damage is restored with it")
		set.BoolVar(&r.quiet, "quiet", false, "no progress and no notes on standard error")
		set.BoolVar(&r.json, "json", false, "print a JSON object")
		return r.run
	},
}

// restore is one run of the command.
type restore struct {
	env                         *env
	link, noVerify, quiet, json bool
}

func (r *restore) run(ctx context.Context, args []string) error {
	if len(args) != 2 || args[0] == "" || args[1] == "" {
		return usagef("name the backup and the data directory to be")
	}
	from, err := filepath.Abs(args[0])
	if err != nil {
		return err
	}
	to, err := filepath.Abs(args[1])
	if err != nil {
		return err
	}
	if err := r.check(to); err != nil {
		return err
	}
	start := time.Now()
	bar := r.env.newProgress(r.quiet)
	report, err := logdb.Restore(ctx, logdb.RestoreConfig{
		FS: vfs.OS(), Backup: from, Dir: to, Link: r.link, NoVerify: r.noVerify, Progress: bar.tell,
	})
	bar.clear()
	var damaged *logdb.DamagedBackupError
	if errors.As(err, &damaged) {
		for _, d := range damaged.Damage {
			fmt.Fprintf(r.env.Out, "damage: %s\n", d)
		}
		return fmt.Errorf("%s is damaged and nothing was restored; use another backup, or take it with its damage: --no-verify", from)
	}
	if err != nil {
		return err
	}
	return r.print(report, to, time.Since(start))
}

// check refuses a directory that a store has open, and one whose owner could not read what is written.
func (r *restore) check(dir string) error {
	info, held, err := vfs.LockOwner(filepath.Join(dir, "LOCK"))
	if err != nil {
		return err
	}
	if held {
		return fmt.Errorf("%s is open in another process (%s); stop it, or choose another directory", dir, info)
	}
	if _, err := os.Stat(dir); err == nil {
		return mayWrite(dir)
	}
	if os.Geteuid() == 0 && !r.quiet {
		fmt.Fprintf(r.env.Err, "note: %s will belong to root; if the store runs as another user, give it to that one: chown -R grafana: %s\n", dir, dir)
	}
	return nil
}

func (r *restore) print(report logdb.BackupReport, to string, took time.Duration) error {
	b := backupReport(report)
	w := bufio.NewWriter(r.env.Out)
	if r.json {
		if err := writeJSONLine(w, b); err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
	} else {
		fmt.Fprintf(w, "%s: %s of %s, %s lines, %s on disk, %s; as of %s UTC, in %s\n", to, plural(b.Blocks, "block", "blocks"), plural(b.Tenants, "tenant", "tenants"),
			humanize.Comma(int64(b.Entries)), bytesText(b.Bytes), linkedText(&b), clock(b.Made), took.Round(10*time.Millisecond))
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}
