package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/golang/snappy"
	"github.com/grafana/loki/pkg/push"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// decodePush reads a body with Loki's own types.
func decodePush(t testing.TB, body []byte) push.PushRequest {
	t.Helper()
	b, err := snappy.Decode(nil, body)
	require.NoError(t, err)
	var req push.PushRequest
	require.NoError(t, req.Unmarshal(b))
	return req
}

// What pushBody writes, Loki's decoder reads back.
func TestPushBodyAgainstLoki(t *testing.T) {
	var b pushBody
	rapid.Check(t, func(t *rapid.T) {
		b.reset()
		type entry struct {
			ns   int64
			line string
			meta []pair
		}
		want := map[string][]entry{}
		var order []string
		n := rapid.IntRange(0, 20).Draw(t, "entries")
		for range n {
			labels := rapid.SampledFrom([]string{`{a="1"}`, `{b="2"}`, `{c="3"}`}).Draw(t, "labels")
			e := entry{ns: rapid.Int64Range(-1e18, 4e18).Draw(t, "ns"), line: rapid.StringN(0, 40, -1).Draw(t, "line")}
			for range rapid.IntRange(0, 3).Draw(t, "metadata") {
				e.meta = append(e.meta, pair{rapid.StringMatching("[a-z]{1,5}").Draw(t, "name"), rapid.String().Draw(t, "value")})
			}
			if want[labels] == nil {
				order = append(order, labels)
			}
			want[labels] = append(want[labels], e)
			b.add(labels, e.ns, []byte(e.line), e.meta...)
		}
		plain, err := snappy.Decode(nil, b.encode())
		require.NoError(t, err)
		var got push.PushRequest
		require.NoError(t, got.Unmarshal(plain))
		require.Len(t, got.Streams, len(order))
		require.Equal(t, n, b.lines)
		for i, s := range got.Streams {
			require.Equal(t, order[i], s.Labels)
			require.Len(t, s.Entries, len(want[s.Labels]))
			for k, e := range s.Entries {
				w := want[s.Labels][k]
				require.Equal(t, w.ns, e.Timestamp.UnixNano())
				require.Equal(t, w.line, e.Line)
				require.Len(t, e.StructuredMetadata, len(w.meta))
				for m, p := range e.StructuredMetadata {
					require.Equal(t, w.meta[m], pair{p.Name, p.Value})
				}
			}
		}
	})
}

func pushedLines(t *testing.T, all []asked) (lines []string) {
	t.Helper()
	last := time.Time{}
	for _, a := range all {
		require.Equal(t, "/loki/api/v1/push", a.path)
		require.Equal(t, "application/x-protobuf", a.header.Get("Content-Type"))
		for _, s := range decodePush(t, a.body).Streams {
			for _, e := range s.Entries {
				require.True(t, e.Timestamp.After(last), "times rise, so that order is kept")
				last = e.Timestamp
				lines = append(lines, s.Labels+" "+e.Line)
			}
		}
	}
	return lines
}

func TestPush(t *testing.T) {
	store := newFakeStore(t, says(204, ""))
	got := session{in: strings.NewReader("one\n\ntwo\r\nthree")}.run(t, "push", "--addr", store.URL, "--tenant", "team", "--label", "app=a b", "--labels", `{env="prod"}`)
	require.Equal(t, ran{0, "", "pushed to " + store.URL + ": lines 3, 11 B, batches 1\n"}, got)
	const ls = `{app="a b", env="prod"} `
	require.Equal(t, []string{ls + "one", ls + "two", ls + "three"}, pushedLines(t, store.requests()))
	require.Equal(t, "team", store.requests()[0].tenant)

	// Files, one after the other, in batches of a few bytes; - is standard input.
	store.asked = nil
	dir := t.TempDir()
	for _, name := range []string{"a", "b"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(name+"1\n"+name+"2\n"), 0o600))
	}
	got = session{in: strings.NewReader("in\n")}.run(t, "push", "--addr", store.URL, "--quiet", "--batch-bytes", "3", "--label", "x=y", filepath.Join(dir, "a"), "-", filepath.Join(dir, "b"))
	require.Equal(t, ran{0, "", ""}, got)
	require.Len(t, store.requests(), 3)
	require.Equal(t, []string{`{x="y"} a1`, `{x="y"} a2`, `{x="y"} in`, `{x="y"} b1`, `{x="y"} b2`}, pushedLines(t, store.requests()))

	got = session{}.run(t, "push", "--addr", store.URL, "--label", "x=y", filepath.Join(dir, "none"))
	require.Equal(t, exitFailed, got.code)
	require.Contains(t, got.err, "read lines: open ")
	require.Zero(t, session{}.run(t, "push", "--addr", store.URL, "--label", "x=y").code, "nothing to push is no failure")
}

func TestPushLongLinesAndBrokenInput(t *testing.T) {
	store := newFakeStore(t, says(204, ""))
	long := strings.Repeat("x", pushLineBytesMax)
	in := "short\n" + long + "\n" + long + "y\nlast\n" + long + "tail"
	got := session{in: strings.NewReader(in)}.run(t, "push", "--addr", store.URL, "--label", "x=y")
	require.Equal(t, exitFailed, got.code)
	require.Contains(t, got.err, "2 lines longer than 1.0 MiB were left out\n")
	require.Contains(t, got.err, "not every line was stored\n")
	require.Equal(t, []string{`{x="y"} short`, `{x="y"} ` + long, `{x="y"} last`}, pushedLines(t, store.requests()))

	store.asked = nil
	broken := io.MultiReader(strings.NewReader("before\n"), iotest.ErrReader(errors.New("the disk is gone")))
	got = session{in: broken}.run(t, "push", "--addr", store.URL, "--label", "x=y")
	require.Equal(t, exitFailed, got.code)
	require.Contains(t, got.err, "gpx_woodshed push: read standard input: the disk is gone\n")
	require.Equal(t, []string{`{x="y"} before`}, pushedLines(t, store.requests()), "what was read is sent")
}

func TestPushRefused(t *testing.T) {
	store := newFakeStore(t, nil)
	run := func() ran {
		return session{in: strings.NewReader("1\n2\n")}.run(t, "push", "--addr", store.URL, "--label", "x=y", "--batch-bytes", "1")
	}
	// A 400 is about some lines: the next batch is sent.
	store.answer = says(400, "max entry size '1' bytes exceeded")
	got := run()
	require.Equal(t, exitFailed, got.code)
	require.Len(t, store.requests(), 2)
	require.Contains(t, got.err, "the line was refused: max entry size '1' bytes exceeded\n")
	require.Contains(t, got.err, "not every line was stored\n")
	several := session{in: strings.NewReader("1\n2\n")}.run(t, "push", "--addr", store.URL, "--label", "x=y")
	require.Contains(t, several.err, "of 2 lines some were refused: max entry size '1' bytes exceeded\n")
	// Other refusals end it.
	store.asked = nil
	store.answer = says(401, "no org id")
	got = run()
	require.Equal(t, exitFailed, got.code)
	require.Len(t, store.requests(), 1)
	require.Contains(t, got.err, "answered 401: no org id. Name the tenant with --tenant\n")
}

// roundTripper answers without a network, so that time can be fake.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// fakePush is a push command whose requests are answered by f.
func fakePush(t *testing.T, errs io.Writer, f roundTripper) *pushRun {
	t.Helper()
	p := &pushRun{labels: map[string]string{"x": "y"}, now: time.Now, batchBytes: 100, batchWait: batchWait, retries: retriesDefault}
	p.env = &env{Stdio: Stdio{Out: io.Discard, Err: errs}}
	p.addr, p.timeout = "http://store", pushTimeout
	require.NoError(t, p.open())
	p.client.Transport = f
	p.stream = labelText(p.labels)
	return p
}

func response(status int) *http.Response {
	return &http.Response{StatusCode: status, Body: http.NoBody, Header: http.Header{}}
}

// 429, 5xx and lost connections are tried again with growing pauses, the same bytes each time.
func TestPushRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bodies []string
		var at []time.Duration
		start := time.Now()
		answers := []any{429, 503, errors.New("connection reset"), 500, 204}
		p := fakePush(t, io.Discard, func(r *http.Request) (*http.Response, error) {
			b, err := io.ReadAll(r.Body)
			require.NoError(t, err)
			bodies = append(bodies, string(b))
			at = append(at, time.Since(start))
			answer := answers[0]
			answers = answers[1:]
			if err, ok := answer.(error); ok {
				return nil, err
			}
			return response(answer.(int)), nil
		})
		require.NoError(t, p.pump(t.Context(), []input{{"in", strings.NewReader("line\n"), nil}}))
		require.Equal(t, []time.Duration{0, 500 * time.Millisecond, 1500 * time.Millisecond, 3500 * time.Millisecond, 7500 * time.Millisecond}, at)
		for _, b := range bodies {
			require.Equal(t, bodies[0], b)
		}
		require.Equal(t, 1, p.lines)
		require.Zero(t, p.lostLines)
	})
}

func TestPushGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		attempts := 0
		p := fakePush(t, io.Discard, func(*http.Request) (*http.Response, error) {
			attempts++
			return response(503), nil
		})
		start := time.Now()
		err := p.pump(t.Context(), []input{{"in", strings.NewReader("line\n"), nil}})
		require.ErrorContains(t, err, "gave up after 11 attempts")
		require.Equal(t, 11, attempts)
		require.Equal(t, 1, p.lostLines)
		require.InDelta(t, 8.5, time.Since(start).Minutes(), 0.2, "Promtail's patience")
	})
}

// A slow input is sent at least once a second.
func TestPushDoesNotWaitForAFullBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		start := time.Now()
		p := fakePush(t, io.Discard, func(*http.Request) (*http.Response, error) {
			at = append(at, time.Since(start))
			return response(204), nil
		})
		in, w := io.Pipe()
		done := make(chan error, 1)
		go func() { done <- p.pump(t.Context(), []input{{"in", in, nil}}) }()
		for i := range 2 {
			fmt.Fprintf(w, "line %d\n", i)
			time.Sleep(3 * time.Second)
		}
		require.NoError(t, w.Close())
		require.NoError(t, <-done)
		require.Len(t, at, 2)
		require.LessOrEqual(t, at[0], time.Second)
		require.LessOrEqual(t, at[1], 4*time.Second)
	})
}

// An interrupt sends what was read and ends, even when the store is away.
func TestPushInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		status := 204
		var sent int
		p := fakePush(t, io.Discard, func(*http.Request) (*http.Response, error) {
			sent++
			return response(status), nil
		})
		run := func() error {
			ctx, cancel := context.WithCancel(t.Context())
			in, w := io.Pipe()
			defer w.Close()
			done := make(chan error, 1)
			go func() { done <- p.pump(ctx, []input{{"in", in, nil}}) }()
			_, err := io.WriteString(w, "line\n")
			require.NoError(t, err)
			synctest.Wait()
			cancel()
			return <-done
		}
		require.NoError(t, run())
		require.Equal(t, 1, sent)
		require.Equal(t, 1, p.lines)

		status = 503
		start := time.Now()
		require.ErrorIs(t, run(), context.Canceled)
		require.Equal(t, interruptGrace, time.Since(start))
		require.Equal(t, 1, p.lostLines)
	})
}
