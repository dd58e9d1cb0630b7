package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
)

var pushCommand = command{
	name:    "push",
	args:    "[FILE...]",
	summary: "send lines from standard input or files",
	about: `
  echo hello | gpx_woodshed push --label app=hello
  tail -F app.log | gpx_woodshed push --label app=web --label env=prod
  gpx_woodshed push --labels '{job="import"}' old.log

Each line gets the time at which it was read. Lines are sent in batches, and a batch that cannot be delivered is sent
again (429, 5xx, no connection), as agents do. What the server refuses is reported, and the exit code is then 1.
`,
	flags: func(set *flag.FlagSet, e *env) func(context.Context, []string) error {
		p := &pushRun{labels: map[string]string{}, now: time.Now}
		p.register(set, e)
		set.Lookup("timeout").DefValue = pushTimeout.String()
		p.timeout = pushTimeout
		set.Func("label", "a label of the stream; may be repeated (`name=value`)", p.addLabel)
		set.Func("labels", "several labels at once (`selector`)", p.addSelector)
		set.IntVar(&p.batchBytes, "batch-bytes", batchBytesDefault, "send when so many bytes of lines are read (`n`)")
		set.DurationVar(&p.batchWait, "batch-wait", batchWait, "send at least so often (`time`)")
		set.IntVar(&p.retries, "retries", retriesDefault, "how often a batch is sent again before it is given up (`n`)")
		set.BoolVar(&p.quiet, "quiet", false, "no summary on standard error")
		return p.run
	},
}

// pushRun is one run of the command.
type pushRun struct {
	target
	labels     map[string]string
	batchBytes int
	batchWait  time.Duration
	retries    int
	quiet      bool
	now        func() time.Time

	stream                  string
	last                    int64 // of the previous line; times never repeat, so that order is kept
	lines, lineBytes        int
	batches, lost, tooLong  int
	lostLines, refusedParts int
}

func (p *pushRun) addLabel(s string) error {
	name, value, ok := strings.Cut(s, "=")
	if !ok || name == "" || value == "" {
		return fmt.Errorf("%q is not NAME=VALUE", s)
	}
	return p.put(name, value)
}

func (p *pushRun) put(name, value string) error {
	if _, twice := p.labels[name]; twice {
		return fmt.Errorf("the label %q is given twice", name)
	}
	p.labels[name] = value
	return nil
}

func (p *pushRun) addSelector(s string) error {
	ms, err := syntax.ParseSelector(s)
	if err != nil {
		return err
	}
	for _, m := range ms {
		if m.Type.String() != "=" {
			return fmt.Errorf("%s: a stream has labels with =", m)
		}
		if err := p.put(m.Name, m.Value); err != nil {
			return err
		}
	}
	return nil
}

func (p *pushRun) run(ctx context.Context, files []string) error {
	switch {
	case len(p.labels) == 0:
		return usagef("a stream needs a label: --label app=NAME")
	case p.batchBytes <= 0 || p.batchBytes > batchBytesMax:
		return usagef("--batch-bytes %d is not between 1 and %d", p.batchBytes, batchBytesMax)
	case p.batchWait <= 0:
		return usagef("--batch-wait %s is not positive", p.batchWait)
	case p.retries < 0:
		return usagef("--retries %d is negative", p.retries)
	}
	if err := p.open(); err != nil {
		return err
	}
	defer p.close()
	p.stream = labelText(p.labels)
	inputs, err := openAll(files, p.env.In)
	if err != nil {
		return err
	}
	defer closeAll(inputs)
	err = p.pump(ctx, inputs)
	p.summarize()
	switch {
	case err != nil:
		return err
	case p.lostLines > 0:
		return fmt.Errorf("%s lines were not stored", humanize.Comma(int64(p.lostLines)))
	case p.refusedParts > 0, p.tooLong > 0:
		return errors.New("not every line was stored")
	}
	return nil
}

// input is a named source of lines.
type input struct {
	name string
	io.Reader
	close func() error
}

func openAll(files []string, stdin io.Reader) ([]input, error) {
	if len(files) == 0 {
		files = []string{"-"}
	}
	var inputs []input
	for _, name := range files {
		if name == "-" {
			inputs = append(inputs, input{"standard input", stdin, func() error { return nil }})
			continue
		}
		f, err := os.Open(name)
		if err != nil {
			closeAll(inputs)
			return nil, fmt.Errorf("read lines: %w", err)
		}
		inputs = append(inputs, input{name, f, f.Close})
	}
	return inputs, nil
}

func closeAll(inputs []input) {
	for _, in := range inputs {
		_ = in.close() // only read from
	}
}

// pump reads in one goroutine and sends in this one, so that a slow input does not hold back what was read.
//
// When ctx ends, reading stops with the line at hand, and what was read gets a moment to be sent. A read that waits for
// a terminal cannot be interrupted: its goroutine then ends with the process.
func (p *pushRun) pump(ctx context.Context, inputs []input) error {
	lines := make(chan []byte, linesWaiting)
	stop := make(chan struct{})
	defer close(stop)
	read := &reading{lines: lines, stop: stop}
	go read.all(inputs)
	sending, cancel := outlive(ctx, interruptGrace)
	defer cancel()

	var body pushBody
	tick := time.NewTicker(p.batchWait)
	defer tick.Stop()
	for done := false; !done; {
		select {
		case line, more := <-lines:
			if more {
				body.add(p.stream, p.stamp(), line)
			}
			if more && body.lineBytes < p.batchBytes {
				continue
			}
			done = !more
		case <-tick.C:
		case <-ctx.Done():
			done = true
		}
		if body.lines == 0 {
			continue
		}
		if err := p.deliver(sending, &body); err != nil {
			return err
		}
		body.reset()
	}
	p.tooLong = read.tooLongCount()
	return read.err()
}

// outlive returns a context that ends a while after its parent.
func outlive(parent context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(parent))
	unhook := context.AfterFunc(parent, func() {
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel()
		case <-ctx.Done():
		}
	})
	return ctx, func() {
		unhook()
		cancel()
	}
}

// stamp returns the time for the next line, later than the one before.
func (p *pushRun) stamp() int64 {
	p.last = max(p.now().UnixNano(), p.last+1)
	return p.last
}

// deliver sends one batch until it is stored, refused for good, or given up. Its error ends the command.
func (p *pushRun) deliver(ctx context.Context, body *pushBody) error {
	packed := body.encode()
	for attempt := 0; ; attempt++ {
		err := p.post(ctx, packed)
		switch {
		case err == nil:
			p.lines, p.lineBytes, p.batches = p.lines+body.lines, p.lineBytes+body.lineBytes, p.batches+1
			return nil
		case !retryable(err):
			return p.refused(err, body)
		case attempt >= p.retries:
			p.lostLines += body.lines
			p.lost++
			return fmt.Errorf("gave up after %d attempts: %w", attempt+1, err)
		}
		wait := backoff(attempt)
		fmt.Fprintf(p.env.Err, "%v; trying again in %s\n", err, wait)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			p.lostLines += body.lines
			return ctx.Err()
		}
	}
}

// refused reports what the server did not take. After a 400 the rest of the batch is stored, and the next may pass.
func (p *pushRun) refused(err error, body *pushBody) error {
	var se *statusError
	if !errors.As(err, &se) {
		p.lostLines += body.lines
		return err
	}
	if se.status == http.StatusBadRequest {
		p.refusedParts++
		which := fmt.Sprintf("of %s lines some were", humanize.Comma(int64(body.lines)))
		if body.lines == 1 {
			which = "the line was"
		}
		fmt.Fprintf(p.env.Err, "%s refused: %s\n", which, se.text)
		return nil
	}
	p.lostLines += body.lines
	return err
}

func (p *pushRun) post(ctx context.Context, packed []byte) error {
	a, err := p.send(ctx, http.MethodPost, "/loki/api/v1/push", nil, packed, "Content-Type", "application/x-protobuf")
	if err != nil {
		return err
	}
	a.close()
	return nil
}

// backoff doubles from the minimum to the maximum.
func backoff(attempt int) time.Duration {
	return min(backoffMin<<min(attempt, 20), backoffMax)
}

func (p *pushRun) summarize() {
	if p.tooLong > 0 {
		fmt.Fprintf(p.env.Err, "%s lines longer than %s were left out\n", humanize.Comma(int64(p.tooLong)), humanize.IBytes(pushLineBytesMax))
	}
	if p.quiet {
		return
	}
	fmt.Fprintf(p.env.Err, "pushed to %s: lines %s, %s, batches %s\n", p.shown(), humanize.Comma(int64(p.lines)),
		humanize.Bytes(uint64(p.lineBytes)), humanize.Comma(int64(p.batches)))
}

// reading splits inputs into lines.
type reading struct {
	lines chan<- []byte
	stop  <-chan struct{}

	mu      sync.Mutex // guards the fields below
	tooLong int
	failed  error
}

// all reads every input to its end, or until stop closes, and closes lines.
func (r *reading) all(inputs []input) {
	defer close(r.lines)
	for _, in := range inputs {
		if err := r.one(in); err != nil {
			r.mu.Lock()
			r.failed = fmt.Errorf("read %s: %w", in.name, err)
			r.mu.Unlock()
			return
		}
	}
}

func (r *reading) err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

func (r *reading) tooLongCount() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tooLong
}
