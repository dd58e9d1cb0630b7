package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// target is the store that a command talks to.
type target struct {
	addr, tenant string
	timeout      time.Duration

	env    *env
	base   *url.URL
	client *http.Client
}

// register adds the flags that every command over HTTP has.
func (t *target) register(set *flag.FlagSet, e *env) {
	t.env = e
	set.StringVar(&t.addr, "addr", cmp.Or(e.getenv("WOODSHED_ADDR"), addrDefault), "the listener's `url`")
	set.StringVar(&t.tenant, "tenant", e.getenv("WOODSHED_TENANT"), "the tenant's `name`, sent as X-Scope-OrgID")
	set.DurationVar(&t.timeout, "timeout", requestTimeoutDefault, "give up on a request after this `time`")
}

// open checks the address.
func (t *target) open() error {
	addr := t.addr
	if !strings.Contains(addr, "://") {
		addr = "http://" + addr
	}
	u, err := url.Parse(addr)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return usagef("--addr %q is no address: write http://HOST:PORT", t.addr)
	}
	if t.timeout <= 0 {
		return usagef("--timeout %s is not positive", t.timeout)
	}
	u.Path = strings.TrimSuffix(strings.TrimRight(u.Path, "/"), "/loki/api/v1")
	u.RawQuery, u.Fragment = "", ""
	t.base = u
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 16
	t.client = &http.Client{Transport: transport}
	return nil
}

// close lets go of idle connections.
func (t *target) close() { t.client.CloseIdleConnections() }

// shown is the address for messages, without a password.
func (t *target) shown() string { return t.base.Redacted() }

// answer is an open response with status 2xx.
type answer struct {
	io.Reader
	body   io.Closer
	cancel context.CancelFunc
	header http.Header
}

// close gives the connection back. A body that was only read from has nothing to report.
func (a *answer) close() {
	_ = a.body.Close()
	a.cancel()
}

// get asks for a path with parameters. The caller closes the answer.
func (t *target) get(ctx context.Context, path string, params url.Values, headers ...string) (*answer, error) {
	return t.send(ctx, http.MethodGet, path, params, nil, headers...)
}

// send makes one request. Any status but 2xx becomes a *statusError.
func (t *target) send(ctx context.Context, method, path string, params url.Values, body []byte, headers ...string) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	u := t.base.JoinPath(path)
	u.RawQuery = params.Encode()
	req, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(body))
	if err != nil {
		cancel()
		return nil, fmt.Errorf("make the request: %w", err)
	}
	if t.tenant != "" {
		req.Header.Set("X-Scope-OrgID", t.tenant)
	}
	req.Header.Set("User-Agent", "gpx_woodshed/"+t.env.version)
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := t.client.Do(req)
	if err != nil {
		cancel()
		return nil, t.unreachable(err)
	}
	if resp.StatusCode/100 != 2 {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, errorBytesMax)) // half a message is better than none
		_ = resp.Body.Close()
		cancel()
		return nil, &statusError{status: resp.StatusCode, text: strings.TrimSpace(string(text)), at: t.shown()}
	}
	return &answer{Reader: io.LimitReader(resp.Body, answerBytesMax), body: resp.Body, cancel: cancel, header: resp.Header}, nil
}

// unreachable says what a failed connection means and what to do.
func (t *target) unreachable(err error) error {
	var dial *net.OpError
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s did not answer within %s. Ask for less, or wait longer with --timeout: %w", t.shown(), t.timeout, err)
	case errors.As(err, &dial) && dial.Op == "dial":
		return fmt.Errorf("cannot reach %s (%w). Is the store running? Start it with gpx_woodshed server --data DIR, or name another with --addr",
			t.shown(), dial.Err)
	}
	return fmt.Errorf("talk to %s: %w", t.shown(), err)
}

// getJSON asks and decodes the answer.
func (t *target) getJSON(ctx context.Context, path string, params url.Values, into any, headers ...string) error {
	a, err := t.get(ctx, path, params, headers...)
	if err != nil {
		return err
	}
	defer a.close()
	if err := json.NewDecoder(a).Decode(into); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("%s%s did not answer with Loki's JSON (%w). Is this the address of a Woodshed or Loki?", t.shown(), path, err)
	}
	return nil
}

// statusError is an answer that is an error.
type statusError struct {
	status int
	text   string
	at     string
}

func (e *statusError) Error() string {
	text := e.text
	if text == "" || strings.HasPrefix(text, "<") {
		text = http.StatusText(e.status)
	}
	s := fmt.Sprintf("%s answered %d: %s", e.at, e.status, text)
	switch e.status {
	case http.StatusUnauthorized:
		s += ". Name the tenant with --tenant"
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		s += ". Try again in a moment; /ready?verbose says more"
	}
	return s
}

// retryable says whether the same request may succeed later, by the rules that Promtail has.
func retryable(err error) bool {
	var e *statusError
	if errors.As(err, &e) {
		return e.status == http.StatusTooManyRequests || e.status/100 == 5
	}
	var wrong usageError
	return err != nil && !errors.Is(err, context.Canceled) && !errors.As(err, &wrong)
}
