package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dustin/go-humanize"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// pushMeter sums up what the clients do.
type pushMeter struct {
	lines, lineBytes, requests, retries, bodyBytes atomic.Int64

	mu        sync.Mutex // guards latencies
	latencies []time.Duration
}

// push sends the corpus with all clients and measures.
func (b *bench) push(ctx context.Context) (*benchPush, error) {
	before := b.serverProcess(ctx)
	clientCPU := ownCPU()
	start := time.Now()
	m := &pushMeter{}
	progressDone := make(chan struct{})
	watching, stopWatching := context.WithCancel(ctx)
	go func() {
		defer close(progressDone)
		b.progress(watching, m, start)
	}()
	g, gctx := errgroup.WithContext(ctx)
	for client := range b.clients {
		g.Go(func() error { return b.pushPart(gctx, newGenerator(b.corpus, client, b.clients), m) })
	}
	err := g.Wait()
	took := time.Since(start)
	stopWatching()
	<-progressDone
	if err != nil {
		return nil, err
	}
	return b.pushReport(m, took, ownCPU()-clientCPU, before, b.serverProcess(ctx)), nil
}

// pushPart is one pushing client: the next batch when the last one is answered.
func (b *bench) pushPart(ctx context.Context, g *generator, m *pushMeter) error {
	var body pushBody
	for g.fill(&body, b.batchBytes) {
		packed := body.encode()
		for attempt := 0; ; attempt++ {
			start := time.Now()
			a, err := b.send(ctx, http.MethodPost, "/loki/api/v1/push", nil, packed, "Content-Type", "application/x-protobuf")
			if err == nil {
				a.close()
			}
			m.observe(time.Since(start))
			if err == nil {
				break
			}
			if !retryable(err) || attempt >= retriesDefault || ctx.Err() != nil {
				return fmt.Errorf("push: %w", err)
			}
			m.retries.Add(1)
			select {
			case <-time.After(backoff(min(attempt, 3))):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		m.lines.Add(int64(body.lines))
		m.lineBytes.Add(int64(body.lineBytes))
		m.bodyBytes.Add(int64(len(packed)))
		body.reset()
	}
	return nil
}

func (m *pushMeter) observe(d time.Duration) {
	m.requests.Add(1)
	m.mu.Lock()
	m.latencies = append(m.latencies, d)
	m.mu.Unlock()
}

// progress says on standard error how far it is.
func (b *bench) progress(ctx context.Context, m *pushMeter, start time.Time) {
	tick := time.NewTicker(benchProgressEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			rate := float64(m.lineBytes.Load()) / time.Since(start).Seconds()
			fmt.Fprintf(b.env.Err, "pushed %s of %s lines, %s/s\n", humanize.Comma(m.lines.Load()), humanize.Comma(int64(b.lines)), humanize.Bytes(uint64(rate)))
		}
	}
}

func (b *bench) pushReport(m *pushMeter, took, clientCPU time.Duration, before, after *serverProcess) *benchPush {
	slices.Sort(m.latencies)
	p := &benchPush{
		Seconds: took.Seconds(), Lines: m.lines.Load(), RawBytes: m.lineBytes.Load(), BodyBytes: m.bodyBytes.Load(),
		Requests: m.requests.Load(), Retries: m.retries.Load(), ClientCPUSeconds: clientCPU.Seconds(),
		MBPerSecond: float64(m.lineBytes.Load()) / 1e6 / took.Seconds(), LinesPerSecond: float64(m.lines.Load()) / took.Seconds(),
		LatencyMS: benchTimes{Median: quantile(m.latencies, 0.5), P99: quantile(m.latencies, 0.99), Max: quantile(m.latencies, 1)},
	}
	if before != nil && after != nil && p.RawBytes > 0 {
		p.ServerCPUSeconds = after.cpuSeconds - before.cpuSeconds
		p.ServerCPUSecondsPerGB = p.ServerCPUSeconds / (float64(p.RawBytes) / 1e9)
		p.ServerResidentBytes = int64(after.residentBytes)
	}
	return p
}

// quantile of sorted times, in milliseconds: the smallest that so many are not above.
func quantile(sorted []time.Duration, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	i := min(max(int(q*float64(len(sorted))+0.999999)-1, 0), len(sorted)-1)
	return float64(sorted[i]) / float64(time.Millisecond)
}

// serverProcess is what the server's metrics say of its process.
type serverProcess struct{ cpuSeconds, residentBytes float64 }

// serverProcess reads the server's metrics, nil when it has none.
func (b *bench) serverProcess(ctx context.Context) *serverProcess {
	a, err := b.get(ctx, "/metrics", nil)
	if err != nil {
		return nil
	}
	defer a.close()
	p, err := parseProcess(io.LimitReader(a, metricsBytesMax))
	if err != nil {
		return nil
	}
	return p
}

var errNoProcessMetrics = errors.New("no process metrics")

func parseProcess(r io.Reader) (*serverProcess, error) {
	p, found := &serverProcess{}, 0
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		into := map[string]*float64{"process_cpu_seconds_total": &p.cpuSeconds, "process_resident_memory_bytes": &p.residentBytes}[name]
		if into == nil {
			continue
		}
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return nil, fmt.Errorf("read metric %s: %w", name, err)
		}
		*into = v
		found++
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read metrics: %w", err)
	}
	if found < 2 {
		return nil, errNoProcessMetrics
	}
	return p, nil
}

// ownCPU is the processor time of this process: what generating and sending cost.
func ownCPU() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
