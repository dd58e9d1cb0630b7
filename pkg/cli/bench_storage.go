package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
	"github.com/woodshed-logs/woodshed/pkg/wire"
)

// Pusher takes pushes on their way to a store: it derives and checks them.
type Pusher interface {
	Push(ctx context.Context, tenant model.TenantID, req *wire.Request) error
}

var benchStorageCommand = command{
	name:    "bench storage",
	summary: "measure the storage engine in this process, without a server",
	about: `
  gpx_woodshed bench storage
  gpx_woodshed bench storage --bytes 1GiB --memory --json > result.json
  gpx_woodshed bench storage --only 'scan|needle'

It pushes, seals, flushes, searches and counts logs of its own in a temporary directory, and compares each figure with the
primitive that it is made of, measured in the same run: such ratios hold on any machine. Two rows start this binary as a
server on a free port of this machine; --no-server leaves them out. A target that is missed is shown and is no failure.
`,
	flags: func(set *flag.FlagSet, e *env) func(context.Context, []string) error {
		b := &storageBench{env: e, bytes: storageBytesDefault}
		set.Func("bytes", "bytes of lines in the corpus (default 256MiB) (`size`)", sizeFlag(&b.bytes))
		set.StringVar(&b.dir, "dir", "", "where to make the temporary directory (`dir`)")
		set.Uint64Var(&b.seed, "seed", 1, "other seeds give other lines (`n`)")
		set.IntVar(&b.repeat, "repeat", 5, "how often a figure is taken; the median counts (`n`)")
		set.StringVar(&b.only, "only", "", "only steps whose name matches (`regexp`)")
		set.BoolVar(&b.noServer, "no-server", false, "start no server: leaves out its memory")
		set.BoolVar(&b.memory, "memory", false, "push eight times the corpus into a server with 256MiB of memory, too")
		set.BoolVar(&b.json, "json", false, "print a JSON object")
		return b.run
	},
}

// storageBench is one run of the command.
type storageBench struct {
	env          *env
	bytes        int64
	dir, only    string
	seed         uint64
	repeat       int
	noServer     bool
	memory, json bool

	pattern *regexp.Regexp
	root    string // the temporary directory of this run
	binary  string // started as a server
	corpus  *storageCorpus
	loaded  *loadedStore // the whole corpus in blocks; made when first asked for
	parts   []partBlock  // each part of the corpus in a block of its own; made when first asked for
	report  storageReport
}

// storageStep measures one or some rows.
type storageStep struct {
	name   string
	server bool // starts a server
	run    func(context.Context) error
}

func (b *storageBench) steps() []storageStep {
	steps := []storageStep{
		{"ack", false, b.stepAck},
		{"sealed", false, b.stepSealed},
		{"decoder", false, b.stepDecoder},
		{"bytes", false, b.stepBytes},
		{"scan", false, b.stepScan},
		{"needle", false, b.stepNeedle},
		{"regex", false, b.stepRegex},
		{"newest", false, b.stepNewest},
		{"count", false, b.stepCount}, // and all behind it, with the store's cache
		{"matchers", false, b.stepMatchers},
		{"small streams", false, b.stepSmallStreams},
		{"restart", false, b.stepRestart},
		{"resident", true, b.stepResident},
		{"files", false, b.stepFiles},
	}
	if b.memory {
		steps = append(steps, storageStep{"memory", true, b.stepMemory})
	}
	return append(steps, storageStep{"peers", false, b.stepPeers})
}

func (b *storageBench) run(ctx context.Context, args []string) (err error) {
	if err := b.check(args); err != nil {
		return err
	}
	if b.root, err = os.MkdirTemp(b.dir, "woodshed-bench-"); err != nil {
		return fmt.Errorf("make a directory: %w", err)
	}
	defer func() { err = errors.Join(err, b.loaded.close(), os.RemoveAll(b.root)) }()
	if b.binary, err = os.Executable(); err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	if b.corpus, err = b.makeCorpus(); err != nil {
		return err
	}
	wrong := b.measure(ctx)
	if err := ctx.Err(); err != nil {
		return err
	}
	return errors.Join(b.report.print(b.env, b.json), wrong)
}

// measure takes all steps. One that fails costs its rows, not those of the others.
func (b *storageBench) measure(ctx context.Context) error {
	var errs []error
	for _, s := range b.steps() {
		if s.server && b.noServer || !b.pattern.MatchString(s.name) || ctx.Err() != nil {
			continue
		}
		start := time.Now()
		if err := s.run(ctx); err != nil {
			errs = append(errs, fmt.Errorf("measure %s: %w", s.name, err))
			continue
		}
		fmt.Fprintf(b.env.Err, "%s: measured in %.1f s\n", s.name, time.Since(start).Seconds())
	}
	return errors.Join(errs...)
}

func (b *storageBench) check(args []string) (err error) {
	if b.env.gate == nil {
		return errors.New("this build has no gate before its store")
	}
	b.noServer = b.noServer || runtime.GOOS != "linux" // which alone tells the memory of another process
	if len(args) > 0 {
		return usagef("%q is no argument of bench storage", args[0])
	}
	if b.bytes < storageBytesMin || b.bytes > storageBytesMax {
		return usagef("--bytes %s is not between %s and %s", humanize.IBytes(uint64(max(b.bytes, 0))), humanize.IBytes(storageBytesMin), humanize.IBytes(storageBytesMax))
	}
	if b.repeat < 1 || b.repeat > benchRepeatMax {
		return usagef("--repeat %d is not between 1 and %d", b.repeat, benchRepeatMax)
	}
	if b.pattern, err = regexp.Compile(b.only); err != nil {
		return usagef("--only: %v", err)
	}
	return nil
}

// tempDir makes a directory of this run.
func (b *storageBench) tempDir(name string) (string, error) {
	dir := filepath.Join(b.root, name)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return "", fmt.Errorf("make a directory: %w", err)
	}
	return dir, nil
}

// sizeFlag reads 268435456 or 256MiB.
func sizeFlag(into *int64) func(string) error {
	return func(text string) error {
		n, err := humanize.ParseBytes(text)
		if err != nil || n > 1<<62 {
			return fmt.Errorf("%q is no size: write 64MiB or 1GiB", text)
		}
		*into = int64(n)
		return nil
	}
}

// gateFor makes the way of pushes to an appender, at the time of the corpus.
func (b *storageBench) gateFor(a storage.Appender) (Pusher, error) {
	p, err := b.env.gate(a, func() time.Time { return storageNow })
	if err != nil {
		return nil, fmt.Errorf("make the gate: %w", err)
	}
	return p, nil
}
