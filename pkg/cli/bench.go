package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"time"

	"github.com/dustin/go-humanize"
)

var benchCommand = command{
	name:    "bench",
	summary: "push generated logs, time a list of queries, print a table",
	subs:    []command{benchStorageCommand},
	about: `
  gpx_woodshed bench --lines 500000
  gpx_woodshed bench --lines 2400000 --flush --json > result.json
  gpx_woodshed bench --tenant bench-20260102T150405 --lines 0 --from-lines 500000   (the queries alone, over an earlier run)

The logs (JSON, logfmt, access logs and free text with stack traces, six hours, 100 streams) come from a fixed seed and
go to a tenant of their own. They stay there. Only a store on this machine is asked, unless --allow-remote is given.
A wrong count of lines or hits is reported and ends with exit code 1.
`,
	flags: func(set *flag.FlagSet, e *env) func(context.Context, []string) error {
		b := &bench{now: time.Now}
		b.register(set, e)
		b.tenant, set.Lookup("tenant").DefValue = "", "" // never WOODSHED_TENANT: generated lines are for no tenant that is used
		set.IntVar(&b.lines, "lines", 200_000, "lines to push; 0 asks the queries alone (`n`)")
		set.IntVar(&b.fromLines, "from-lines", 0, "with --lines 0: how many lines the earlier run pushed (`n`)")
		set.IntVar(&b.streams, "streams", 100, "streams to spread them over (`n`)")
		set.IntVar(&b.clients, "clients", 4, "clients that push at the same time (`n`)")
		set.IntVar(&b.batchBytes, "batch-bytes", batchBytesDefault, "bytes of lines in one request (`n`)")
		set.Uint64Var(&b.seed, "seed", 1, "other seeds give other lines (`n`)")
		set.DurationVar(&b.span, "span", 6*time.Hour, "the time that the lines are spread over, up to now (`duration`)")
		set.IntVar(&b.repeat, "repeat", 5, "how often each query is timed, after one run to warm up (`n`)")
		set.StringVar(&b.only, "only", "", "only queries whose name matches (`regexp`)")
		set.BoolVar(&b.flush, "flush", false, "have the store write its blocks before the queries")
		set.DurationVar(&b.maxTime, "max-time", 30*time.Minute, "give up after this `time`")
		set.BoolVar(&b.allowRemote, "allow-remote", false, "allow a store on another machine")
		set.BoolVar(&b.json, "json", false, "print a JSON object")
		return b.run
	},
}

// bench is one run of the command.
type bench struct {
	target
	lines, fromLines, streams, clients, batchBytes, repeat int
	seed                                                   uint64
	span, maxTime                                          time.Duration
	only                                                   string
	flush, allowRemote, json                               bool
	now                                                    func() time.Time

	pattern *regexp.Regexp
	corpus  corpus
}

func (b *bench) run(ctx context.Context, args []string) error {
	if err := b.check(ctx, args); err != nil {
		return err
	}
	defer b.close()
	ctx, cancel := context.WithTimeoutCause(ctx, b.maxTime, fmt.Errorf("not done within --max-time %s", b.maxTime))
	defer cancel()
	report := b.newReport()
	err := b.measure(ctx, report)
	if err != nil && ctx.Err() != nil && !errors.Is(context.Cause(ctx), context.Canceled) {
		err = context.Cause(ctx)
	}
	if err != nil {
		return err
	}
	if err := b.print(report); err != nil {
		return err
	}
	if n := report.wrong(); n > 0 {
		return fmt.Errorf("%d queries gave a wrong answer", n)
	}
	return nil
}

// measure pushes, flushes and asks.
func (b *bench) measure(ctx context.Context, report *benchReport) error {
	if b.lines > 0 {
		pushed, err := b.push(ctx)
		if err != nil {
			return err
		}
		report.Push = pushed
	}
	if b.flush {
		start := time.Now()
		a, err := b.send(ctx, http.MethodPost, "/flush", nil, nil)
		if err != nil {
			return fmt.Errorf("flush: %w", err)
		}
		a.close()
		report.FlushSeconds = time.Since(start).Seconds()
	}
	for _, q := range b.queries() {
		if b.pattern.MatchString(q.name) {
			r, err := b.time(ctx, q)
			if err != nil {
				return err
			}
			report.Queries = append(report.Queries, r)
		}
	}
	return nil
}

func (b *bench) check(ctx context.Context, args []string) error {
	within := func(name string, v, lo, hi int) error {
		if v < lo || v > hi {
			return usagef("--%s %d is not between %s and %s", name, v, humanize.Comma(int64(lo)), humanize.Comma(int64(hi)))
		}
		return nil
	}
	var err error
	if b.pattern, err = regexp.Compile(b.only); err != nil {
		return usagef("--only: %v", err)
	}
	if len(args) > 0 {
		return usagef("%q is no argument of bench", args[0])
	}
	if b.span <= 0 || b.maxTime <= 0 || b.maxTime > benchTimeMax {
		return usagef("--span and --max-time must be positive, and the second at most %s", benchTimeMax)
	}
	if b.lines == 0 && b.tenant == "" {
		return usagef("--lines 0 asks about an earlier run: name its tenant with --tenant")
	}
	if err := errors.Join(
		within("lines", b.lines, 0, benchLinesMax), within("from-lines", b.fromLines, 0, benchLinesMax),
		within("clients", b.clients, 1, benchClientsMax),
		within("streams", b.streams, len(formats)*b.clients, benchStreamsMax),
		within("batch-bytes", b.batchBytes, 1, batchBytesMax), within("repeat", b.repeat, 1, benchRepeatMax),
	); err != nil {
		return usagef("%v", err)
	}
	if err := b.open(); err != nil {
		return err
	}
	if !b.allowRemote {
		if err := loopback(ctx, b.base.Hostname()); err != nil {
			return err
		}
	}
	return nil
}

// newReport fixes the corpus and names the tenant.
func (b *bench) newReport() *benchReport {
	end := b.now().UTC().Truncate(time.Second)
	if b.tenant == "" {
		b.tenant = "bench-" + end.Format("20060102T150405")
	}
	b.corpus = corpus{seed: b.seed, lines: b.lines, streams: b.streams, start: end.Add(-b.span), span: b.span, kind: everyKind}
	return &benchReport{
		Version: b.env.version, Target: b.shown(), Tenant: b.tenant, Seed: b.seed, Lines: b.lines, Streams: b.streams,
		Clients: b.clients, BatchBytes: b.batchBytes, Repeat: b.repeat,
	}
}

// loopback refuses hosts that are not this machine: a benchmark is an attack on anybody else's.
func loopback(ctx context.Context, host string) error {
	addrs := []netip.Addr{}
	if addr, err := netip.ParseAddr(host); err == nil {
		addrs = append(addrs, addr)
	} else if addrs, err = net.DefaultResolver.LookupNetIP(ctx, "ip", host); err != nil {
		return fmt.Errorf("find %s: %w", host, err)
	}
	for _, addr := range addrs {
		if !addr.Unmap().IsLoopback() {
			return usagef("%s is not on this machine, and a benchmark fills and loads what it is pointed at; --allow-remote insists", host)
		}
	}
	return nil
}
