package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/dustin/go-humanize"
	"golang.org/x/sync/errgroup"
)

const (
	serverWait = 30 * time.Second // until a server of an empty directory is ready
	serverRest = 3 * time.Second  // after which a server that nobody asks anything is idle
	pushRate   = 100e6            // bytes of lines in a second
	memoryRow  = 256 << 20        // what the memory row gives a server
)

// childServer is this binary as a server of its own.
type childServer struct {
	cmd    *exec.Cmd
	url    string
	output bytes.Buffer // read after done
	done   chan struct{}
	client *http.Client
}

// startServer starts the server on a free port of this machine and waits until it is ready.
func (b *storageBench) startServer(ctx context.Context, name string, args ...string) (*childServer, error) {
	dir, err := b.tempDir(name)
	if err != nil {
		return nil, err
	}
	addr, err := freeAddr(ctx)
	if err != nil {
		return nil, err
	}
	s := &childServer{url: "http://" + addr, done: make(chan struct{}), client: &http.Client{Timeout: requestTimeoutDefault}}
	s.cmd = exec.CommandContext(ctx, b.binary, append([]string{"server", "--data", dir, "--listen", addr}, args...)...)
	s.cmd.Stdout, s.cmd.Stderr = &s.output, &s.output
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a server: %w", err)
	}
	go func() {
		_ = s.cmd.Wait() // it is killed; how it ends says nothing
		close(s.done)
	}()
	end := time.Now().Add(serverWait)
	for {
		if status, err := s.send(ctx, http.MethodGet, "/ready", "", nil); err == nil && status == http.StatusOK {
			return s, nil
		}
		select {
		case <-s.done:
			return nil, fmt.Errorf("the server ended: %s", lastLine(s.output.String()))
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(end) || ctx.Err() != nil {
			s.kill() // and nothing writes to output any more
			return nil, fmt.Errorf("the server was not ready within %s: %s", serverWait, lastLine(s.output.String()))
		}
	}
}

func lastLine(s string) string {
	s = strings.TrimRight(s, "\n")
	return s[strings.LastIndexByte(s, '\n')+1:]
}

func freeAddr(ctx context.Context) (string, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	return l.Addr().String(), l.Close()
}

// kill ends the server and waits for it.
func (s *childServer) kill() {
	_ = s.cmd.Process.Kill() // it may have ended already
	<-s.done
	s.client.CloseIdleConnections()
}

// send makes a request and reads its answer away.
func (s *childServer) send(ctx context.Context, method, path, tenant string, body []byte) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, method, s.url+path, bytes.NewReader(body))
	if err != nil {
		return 0, fmt.Errorf("make a request: %w", err)
	}
	if tenant != "" {
		req.Header.Set("X-Scope-OrgID", tenant)
	}
	if body != nil {
		req.Header.Set("Content-Type", pushContent)
	}
	answer, err := s.client.Do(req)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode, errors.Join(err, answer.Body.Close())
}

// resident is the memory of the server now and at its peak, in bytes.
func (s *childServer) resident() (now, peak int64, err error) {
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(s.cmd.Process.Pid), "status"))
	if err != nil {
		return 0, 0, fmt.Errorf("read the memory of the server: %w", err)
	}
	now, peak = statusKiB(status, "VmRSS:"), statusKiB(status, "VmHWM:")
	if now == 0 || peak == 0 {
		return 0, 0, errors.New("the system does not tell the memory of the server")
	}
	return now, peak, nil
}

func statusKiB(status []byte, key string) int64 {
	for line := range strings.Lines(string(status)) {
		if rest, found := strings.CutPrefix(line, key); found {
			n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			if err != nil {
				return 0
			}
			return n << 10
		}
	}
	return 0
}

// stepResident measures a server at rest and under a push of 100 MB/s.
func (b *storageBench) stepResident(ctx context.Context) error {
	s, err := b.startServer(ctx, "resident")
	if err != nil {
		return err
	}
	defer s.kill()
	select {
	case <-time.After(serverRest):
	case <-ctx.Done():
		return ctx.Err()
	}
	idle, _, err := s.resident()
	if err != nil {
		return err
	}
	p := b.newPump(s, pushRate)
	if err := p.push(ctx, 4*b.bytes); err != nil {
		return err
	}
	_, peak, err := s.resident()
	if err != nil {
		return err
	}
	b.add(
		measured("server at rest, resident", float64(idle)/1e6, "MB").wants(atMost(60, "MB")),
		measured("server under a push of 100 MB/s, resident at its peak", float64(peak)/1e6, "MB").wants(atMost(300, "MB")).
			says("%s over HTTP, %s MB/s reached, memory limit as the server chooses it; refused: %s.",
				humanize.IBytes(uint64(p.bytes)), digits(perSecond(p.bytes, p.took)), p.refusals()),
	)
	return nil
}

// stepMemory gives a server little memory, pushes much, and asks the widest questions meanwhile and afterwards.
func (b *storageBench) stepMemory(ctx context.Context) error {
	s, err := b.startServer(ctx, "memory", "--memory-limit", strconv.Itoa(memoryRow))
	if err != nil {
		return err
	}
	defer s.kill()
	p := b.newPump(s, 0)
	if err := p.push(ctx, 8*b.bytes); err != nil {
		return err
	}
	from, to := p.start.Add(-storageSpan-time.Hour), time.Now().Add(time.Hour)
	for _, logql := range []string{
		`{cluster="eu-1"}`, `{cluster="eu-1"} |~ "[a-z]+"`, `sum by (pod, detected_level) (count_over_time({cluster="eu-1"} |~ "[0-9]+"[1m]))`,
		`quantile_over_time(0.99, {format="json"} | json | unwrap duration_ms [5m]) by (app)`, `sum(count_over_time({cluster="eu-1"}[12h]))`,
	} {
		query := url.Values{"query": {logql}, "start": {nanoseconds(from)}, "end": {nanoseconds(to)}, "limit": {"5000"}, "step": {"60"}}
		status, err := s.send(ctx, http.MethodGet, "/loki/api/v1/query_range?"+query.Encode(), "", nil)
		if err != nil {
			return fmt.Errorf("query %s: %w", logql, err)
		}
		if status != http.StatusOK {
			p.refused("query", status)
		}
	}
	_, peak, err := s.resident()
	if err != nil {
		return err
	}
	b.add(measured("server with a memory limit, resident at its peak", float64(peak)/1e6, "MB").
		against("the limit", float64(memoryRow)/1e6, "MB").as(float64(peak)/memoryRow, "×").wants(atMost(1.2, "×")).
		says("%s pushed as fast as it takes them (%s MB/s), then five wide queries. Not 2xx: %s.", humanize.IBytes(uint64(p.bytes)), digits(perSecond(p.bytes, p.took)), p.refusals()))
	return nil
}

// pump pushes generated lines of the present to a server, at a rate, with several clients.
type pump struct {
	b      *storageBench
	server *childServer
	rate   float64 // bytes of lines a second; 0: as fast as they are taken
	start  time.Time
	took   time.Duration
	bytes  int64 // of lines that were taken

	mu       sync.Mutex // guards the fields below
	sent     int64
	statuses map[string]int // of answers that are no success
}

func (b *storageBench) newPump(s *childServer, rate float64) *pump {
	return &pump{b: b, server: s, rate: rate, statuses: map[string]int{}}
}

func (p *pump) push(ctx context.Context, lineBytes int64) error {
	p.start = time.Now()
	// More lines than needed: the pump stops at the bytes.
	lines := int(float64(lineBytes) / float64(p.b.corpus.lineBytes) * float64(p.b.corpus.lines) * 1.2)
	shape := corpus{seed: p.b.seed, lines: lines, streams: storageStreams, start: p.start.Add(-storageSpan), span: storageSpan, kind: everyKind}
	g, ctx := errgroup.WithContext(ctx)
	for client := range storageClients {
		g.Go(func() error { return p.pushPart(ctx, newGenerator(shape, client, storageClients), lineBytes) })
	}
	err := g.Wait()
	p.took, p.bytes = time.Since(p.start), p.sent
	return err
}

// pushPart is one client.
func (p *pump) pushPart(ctx context.Context, g *generator, lineBytes int64) error {
	var body pushBody
	for g.fill(&body, batchBytesDefault) {
		p.mu.Lock()
		sent := p.sent
		p.sent += int64(body.lineBytes)
		p.mu.Unlock()
		if sent >= lineBytes {
			p.mu.Lock()
			p.sent -= int64(body.lineBytes)
			p.mu.Unlock()
			return nil
		}
		if p.rate > 0 {
			select {
			case <-time.After(time.Duration(float64(sent)/p.rate*1e9) - time.Since(p.start)):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if err := p.sendOne(ctx, body.encode()); err != nil {
			return err
		}
		body.reset()
	}
	return nil
}

// refused notes an answer that is no success.
func (p *pump) refused(what string, status int) {
	p.mu.Lock()
	p.statuses[what+" "+strconv.Itoa(status)]++
	p.mu.Unlock()
}

// sendOne pushes until the server takes it: a refusal for now is an answer.
func (p *pump) sendOne(ctx context.Context, body []byte) error {
	for range pumpTriesMax {
		status, err := p.server.send(ctx, http.MethodPost, "/loki/api/v1/push", "", body)
		if err != nil {
			return fmt.Errorf("push to the server: %w", err)
		}
		if status/100 == 2 {
			return nil
		}
		p.refused("push", status)
		if status != http.StatusTooManyRequests && status != http.StatusServiceUnavailable {
			return fmt.Errorf("push to the server: status %d", status)
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return errors.New("push to the server: it refuses for minutes")
}

// pumpTriesMax times 50 ms is how long a server may refuse.
const pumpTriesMax = 2400

func (p *pump) refusals() string {
	if len(p.statuses) == 0 {
		return "none"
	}
	var all []string
	for what, n := range p.statuses {
		all = append(all, fmt.Sprintf("%s: %d", what, n))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}
