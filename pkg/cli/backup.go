package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/woodshed-logs/woodshed/pkg/logdb"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

var backupCommand = command{
	name:    "backup",
	args:    "DEST",
	summary: "write everything that is stored to another directory, also while the store runs",
	about: `
  gpx_woodshed backup /srv/backup/2026-01-02
  gpx_woodshed backup --copy /mnt/other-disk/woodshed
  gpx_woodshed backup --data-dir /var/lib/woodshed /srv/backup/2026-01-02     (also when no store runs)

DEST is a directory that is empty or not there. A running store makes the backup itself, so DEST is written with its rights.
Everything that was acknowledged before is in it. Files are hard-linked where that is possible: such a backup costs no
space and no time, and is lost with the disk; copy it elsewhere, or use --copy. A DEST without backup.json is unfinished.
`,
	flags: func(set *flag.FlagSet, e *env) func(context.Context, []string) error {
		b := &backup{}
		b.register(set, e)
		set.BoolVar(&b.copy, "copy", false, "copy files that could be hard-linked")
		set.BoolVar(&b.json, "json", false, "print a JSON object")
		return b.run
	},
}

// backup is one run of the command.
type backup struct {
	storeFiles
	copy, json bool
	dest       string
}

// backupReport is what a backup holds, as the listener says it and as --json prints it.
type backupReport struct {
	Version  int       `json:"version"`
	Made     time.Time `json:"made"`
	Instance string    `json:"instance"`
	Tenants  int       `json:"tenants"`
	Blocks   int       `json:"blocks"`
	Entries  uint64    `json:"entries"`
	RawBytes uint64    `json:"raw_bytes"`
	Bytes    int64     `json:"bytes"`
	Copied   int64     `json:"copied_bytes"`
	LeftOut  []string  `json:"left_out,omitempty"`
}

func (b *backup) run(ctx context.Context, args []string) error {
	if len(args) != 1 || args[0] == "" {
		return usagef("name one directory to write to")
	}
	dest, err := filepath.Abs(args[0])
	if err != nil {
		return err
	}
	b.dest = dest
	start := time.Now()
	bar := b.env.newProgress(b.quiet)
	report, err := b.make(ctx, bar)
	bar.clear()
	if err != nil {
		return err
	}
	return b.print(report, time.Since(start))
}

// make lets the running store make the backup, or makes it here when none runs.
func (b *backup) make(ctx context.Context, bar *progress) (*backupReport, error) {
	if b.dir == "" {
		if err := b.open(); err != nil {
			return nil, err
		}
		defer b.close()
		report, err := b.remote(ctx, bar)
		var dial *net.OpError
		if !b.addrUsual || !errors.As(err, &dial) || dial.Op != "dial" {
			return report, err
		}
		if b.dir = b.usualDir(); b.dir == "" {
			return nil, fmt.Errorf("%w; or, when no store runs, name its files with --data-dir", err)
		}
	}
	if err := b.locate(ctx); err != nil {
		return nil, err
	}
	defer b.close()
	if !b.locked && !b.addrGiven {
		return b.local(ctx, bar)
	}
	running, err := b.running(ctx)
	if err != nil {
		return nil, err
	}
	if running == nil {
		return nil, fmt.Errorf("%s is open in %s, and nothing that belongs to it answers at %s: name its listener with --addr, or stop it", b.dir, b.ownerText(), b.shown())
	}
	return b.remote(ctx, bar)
}

// backupReply is one line of the listener's answer.
type backupReply struct {
	Done   int64         `json:"done"`
	Total  int64         `json:"total"`
	Report *backupReport `json:"report"`
	Error  string        `json:"error"`
}

// remote asks the running store and follows its progress.
func (b *backup) remote(ctx context.Context, bar *progress) (*backupReport, error) {
	b.timeout = backupTimeMax
	params := url.Values{"dir": {b.dest}, "copy": {strconv.FormatBool(b.copy)}}
	a, err := b.send(ctx, http.MethodPost, "/woodshed/api/v1/backup", params, nil)
	var status *statusError
	if errors.As(err, &status) {
		switch status.status {
		case http.StatusNotFound:
			return nil, fmt.Errorf("%s has no backups: is it a Woodshed of this version?", b.shown())
		case http.StatusBadRequest:
			return nil, errors.New(status.text) // the directory, not the conversation
		}
	}
	if err != nil {
		return nil, err
	}
	defer a.close()
	lines := json.NewDecoder(a)
	for {
		var line backupReply
		if err := lines.Decode(&line); err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			return nil, fmt.Errorf("the store ended before the backup was whole (%w): %s is no backup; remove it and try again", err, b.dest)
		}
		switch {
		case line.Error != "":
			return nil, errors.New(line.Error)
		case line.Report != nil:
			return line.Report, nil
		}
		bar.tell("backup", line.Done, line.Total)
	}
}

// local opens the store here for as long as the backup takes. What is in the log comes into blocks first.
func (b *backup) local(ctx context.Context, bar *progress) (_ *backupReport, err error) {
	if err := mayWrite(b.dir); err != nil {
		return nil, err
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	info := fmt.Sprintf("pid %d, host %s, Woodshed %s, gpx_woodshed backup, since %s", os.Getpid(), host, b.env.version, time.Now().UTC().Format(time.RFC3339))
	lock, err := vfs.Lock(filepath.Join(b.dir, "LOCK"), []byte(info))
	if err != nil {
		return nil, b.explain(err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	db, err := logdb.Open(ctx, logdb.Config{
		FS: vfs.OS(), Dir: b.dir, Instance: host, CheckInterval: backupTimeMax, Logger: slog.New(slog.DiscardHandler),
		Progress: func(done, total int64) { bar.tell("replay the log", done, total) },
	})
	if err != nil {
		return nil, b.explain(err)
	}
	report, err := db.Backup(ctx, logdb.BackupRequest{Dest: b.dest, Copy: b.copy, Progress: func(done, total int64) { bar.tell("backup", done, total) }})
	if err = errors.Join(err, db.Close()); err != nil {
		return nil, b.explain(err)
	}
	out := backupReport(report)
	return &out, nil
}

func (b *backup) print(r *backupReport, took time.Duration) error {
	for _, left := range r.LeftOut {
		b.note("left out: %s", left)
	}
	w := bufio.NewWriter(b.env.Out)
	if b.json {
		if err := writeJSONLine(w, r); err != nil {
			return fmt.Errorf("write the report: %w", err)
		}
	} else {
		fmt.Fprintf(w, "%s: %s of %s, %s lines, %s on disk, %s; in %s\n", b.dest, plural(r.Blocks, "block", "blocks"), plural(r.Tenants, "tenant", "tenants"),
			humanize.Comma(int64(r.Entries)), bytesText(r.Bytes), linkedText(r), took.Round(10*time.Millisecond))
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	if len(r.LeftOut) > 0 {
		return errDamage
	}
	return nil
}

// linkedText says how the files came there, which decides what they are good for.
func linkedText(r *backupReport) string {
	switch {
	case r.Copied == 0 && r.Blocks > 0:
		return "hard-linked (on the same disk)"
	case r.Copied < r.Bytes:
		return bytesText(r.Copied) + " copied, the rest hard-linked"
	}
	return "copied"
}
