package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/woodshed-logs/woodshed/pkg/storage"
)

func TestMain(m *testing.M) {
	if os.Getenv(fakeServerEnv) != "" && len(os.Args) > 1 && os.Args[1] == "server" {
		fakeServer()
	}
	goleak.VerifyTestMain(m)
}

// asked is one request as the fake store saw it.
type asked struct {
	method, path, tenant string
	form                 url.Values
	body                 []byte
	header               http.Header
}

// fakeStore is a listener whose answers are given by the test.
type fakeStore struct {
	*httptest.Server
	mu     sync.Mutex // guards the fields below
	asked  []asked
	answer func(w http.ResponseWriter, a asked)
}

func newFakeStore(t *testing.T, answer func(w http.ResponseWriter, a asked)) *fakeStore {
	t.Helper()
	f := &fakeStore{answer: answer}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the client went away
		}
		a := asked{r.Method, r.URL.EscapedPath(), r.Header.Get("X-Scope-OrgID"), r.URL.Query(), body, r.Header}
		f.mu.Lock()
		f.asked = append(f.asked, a)
		f.mu.Unlock()
		f.answer(w, a)
	}))
	t.Cleanup(f.Close)
	return f
}

func (f *fakeStore) requests() []asked {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]asked(nil), f.asked...)
}

// says answers everything with a status and a body.
func says(status int, body string) func(http.ResponseWriter, asked) {
	return func(w http.ResponseWriter, _ asked) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// session is one run of the command line.
type session struct {
	in       io.Reader
	terminal bool
	width    int
	env      map[string]string
	ctx      context.Context
	server   func(ctx context.Context, args []string, stdout, stderr io.Writer) int
	gate     func(a storage.Appender, now func() time.Time) (Pusher, error)
}

// ran is what a run left.
type ran struct {
	code     int
	out, err string
}

func (s session) run(t *testing.T, args ...string) ran {
	t.Helper()
	var out, errs bytes.Buffer
	if s.in == nil {
		s.in = strings.NewReader("")
	}
	if s.ctx == nil {
		s.ctx = t.Context()
	}
	code := Run(s.ctx, args, Stdio{In: s.in, Out: &out, Err: &errs, Terminal: s.terminal, Width: s.width}, Deps{
		Version: "1.2.3", Server: s.server, Gate: s.gate, Getenv: func(name string) string { return s.env[name] },
	})
	return ran{code, out.String(), errs.String()}
}

func TestHelp(t *testing.T) {
	s := session{server: func(context.Context, []string, io.Writer, io.Writer) int { return 0 }}
	got := s.run(t)
	require.Equal(t, exitUsage, got.code)
	require.Empty(t, got.out)
	overview := got.err
	for _, args := range [][]string{{"help"}, {"--help"}, {"-h"}, {"help", "help"}, {"help", "--help"}, {"--help", "-h"}} {
		require.Equal(t, ran{0, overview, ""}, s.run(t, args...), args)
	}
	require.Contains(t, overview, "server    run the store")
	require.NotContains(t, session{}.run(t, "help").out, "server ", "without a server there is no such command")
	for _, c := range commands() {
		require.Contains(t, overview, "  "+c.name)
		require.Contains(t, overview, c.summary)
	}
	for _, c := range allCommands() {
		words := strings.Fields(c.name)
		for _, args := range [][]string{append(words, "--help"), append(words, "-h"), append([]string{"help"}, words...)} {
			got = s.run(t, args...)
			require.Zero(t, got.code, args)
			require.Empty(t, got.err)
			require.True(t, strings.HasPrefix(got.out, "gpx_woodshed "+c.name+": "), got.out)
			require.Contains(t, got.out, "Usage: gpx_woodshed "+c.name)
			require.NotContains(t, got.out, "\n  -a", "flags are shown with two dashes")
		}
	}
	got = s.run(t, "query", "--help")
	require.Contains(t, got.out, "--limit N              the most lines to answer with (default 100)\n")
	require.Contains(t, got.out, "--since DURATION       how far back from the end")
	require.Contains(t, got.out, "--timeout TIME         give up on a request after this time (default 6m)\n")
	require.Contains(t, s.run(t, "push", "--help").out, "--timeout TIME         give up on a request after this time (default 10s)\n")
}

// allCommands are the commands and those below them.
func allCommands() (all []command) {
	for _, c := range commands() {
		all = append(append(all, c), c.subs...)
	}
	return all
}

// Every command and flag is described in docs/cli.md.
func TestDocumented(t *testing.T) {
	doc, err := os.ReadFile("../../docs/cli.md")
	require.NoError(t, err)
	for _, c := range allCommands() {
		section, _, _ := strings.Cut(after(string(doc), "\n## "+c.name+"\n"), "\n## ")
		require.NotEmpty(t, section, "no section for %s", c.name)
		help := session{}.run(t, append(strings.Fields(c.name), "--help")...).out
		require.Contains(t, help, "Usage: gpx_woodshed "+c.name+" [flags]")
		for line := range strings.Lines(help) {
			name, found := strings.CutPrefix(line, "  --")
			if !found {
				continue
			}
			name, _, _ = strings.Cut(name, " ")
			require.Contains(t, section, "`--"+name, "flag --%s of %s", name, c.name)
		}
	}
}

func after(s, mark string) string {
	_, rest, _ := strings.Cut(s, mark)
	return rest
}

func TestDispatch(t *testing.T) {
	var got []string
	s := session{server: func(_ context.Context, args []string, out, _ io.Writer) int {
		got = args
		fmt.Fprint(out, "serving")
		return 7
	}}
	require.Equal(t, ran{7, "serving", ""}, s.run(t, "server", "--data", "/x"))
	require.Equal(t, []string{"--data", "/x"}, got)

	bad := s.run(t, "quary")
	require.Equal(t, exitUsage, bad.code)
	require.Equal(t, "gpx_woodshed: there is no command \"quary\". Commands: server, query, push, labels, series, inspect, verify, backup, restore, bench, version, help.\n", bad.err)
	require.Equal(t, exitUsage, session{}.run(t, "server").code)

	v := session{}.run(t, "version")
	require.Zero(t, v.code)
	require.Regexp(t, `^gpx_woodshed 1\.2\.3 \(go.*, .*/.*\)\n$`, v.out)
	require.Equal(t, v, session{}.run(t, "--version"))
	require.Contains(t, session{}.run(t, "version", "--json").out, `"version":"1.2.3"`)
	require.Equal(t, exitUsage, session{}.run(t, "version", "x").code)
}

func TestUsageErrors(t *testing.T) {
	f := func(want string, args ...string) {
		t.Helper()
		got := session{}.run(t, args...)
		require.Equal(t, exitUsage, got.code, args)
		require.Empty(t, got.out)
		require.Equal(t, fmt.Sprintf("gpx_woodshed %s: %s. See gpx_woodshed %[1]s --help.\n", args[0], want), got.err)
	}
	f("a LogQL query is missing", "query")
	f("one query is asked at a time, not 2: put it in quotes", "query", `{a="b"}`, `|= "x"`)
	f("flag provided but not defined: -lines", "query", "--lines", "3")
	f("--limit 0 is not positive", "query", "--limit", "0", "{}")
	f(`--direction "up" is neither backward nor forward`, "query", "--direction=up", "{}")
	f(`--output "xml" is none of default, raw, jsonl, json`, "query", "--output=xml", "{}")
	f(`--color "red" is none of auto, always, never`, "query", "--color=red", "{}")
	f(`--since "long" is no duration: write 15m, 6h or 7d`, "query", "--since=long", "{}")
	f(`--since "0s" is no duration: write 15m, 6h or 7d`, "query", "--since=0s", "{}")
	f(`--from "soon" is no time: write 2006-01-02T15:04:05Z, 2006-01-02 15:04, 15:04 or Unix seconds`, "query", "--from=soon", "{}")
	f(`--to "9999-01-01" is beyond 64-bit nanoseconds`, "query", "--to=9999-01-01", "{}")
	f("the start 2023-01-02T00:00:00Z is not before the end 2023-01-01T00:00:00Z", "query", "--from=2023-01-02T00:00:00Z", "--to=2023-01-01T00:00:00Z", "{}")
	f(`--addr "ftp://x" is no address: write http://HOST:PORT`, "query", "--addr=ftp://x", "{}")
	f(`--addr "http://" is no address: write http://HOST:PORT`, "labels", "--addr=http://")
	f("--timeout -1s is not positive", "series", "--timeout=-1s")
	f("one label is listed at a time, not 2", "labels", "a", "b")
	f("the name of the label is empty", "labels", "")
	f("a stream needs a label: --label app=NAME", "push")
	f(`invalid value "x" for flag -label: "x" is not NAME=VALUE`, "push", "--label", "x")
	f(`invalid value "a=2" for flag -label: the label "a" is given twice`, "push", "--label", "a=1", "--label", "a=2")
	f(`invalid value "{a=~\"b\"}" for flag -labels: a=~"b": a stream has labels with =`, "push", "--labels", `{a=~"b"}`)
	f("--batch-bytes 0 is not between 1 and 33554432", "push", "--label", "a=b", "--batch-bytes", "0")
	f("--batch-wait 0s is not positive", "push", "--label", "a=b", "--batch-wait", "0s")
	f("--retries -1 is negative", "push", "--label", "a=b", "--retries", "-1")
	f("--lines 200000001 is not between 0 and 200,000,000", "bench", "--lines", "200000001")
	f("--streams 3 is not between 16 and 100,000", "bench", "--streams", "3")
	f("--lines 0 asks about an earlier run: name its tenant with --tenant", "bench", "--lines", "0")
	f("192.0.2.1 is not on this machine, and a benchmark fills and loads what it is pointed at; --allow-remote insists", "bench", "--addr", "192.0.2.1:3110")
	f("--only: error parsing regexp: missing closing ): `(`", "bench", "--only", "(")
}

func TestUnreachable(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	addr := gone.URL
	gone.Close()
	got := session{}.run(t, "labels", "--addr", addr)
	require.Equal(t, exitFailed, got.code)
	require.Contains(t, got.err, "gpx_woodshed labels: cannot reach "+addr+" (")
	require.Contains(t, got.err, "Start it with gpx_woodshed server --data DIR, or name another with --addr")

	slow := newFakeStore(t, func(http.ResponseWriter, asked) {})
	block := make(chan struct{})
	slow.answer = func(http.ResponseWriter, asked) { <-block }
	got = session{}.run(t, "labels", "--addr", slow.URL, "--timeout", "20ms")
	close(block)
	require.Equal(t, exitFailed, got.code)
	require.Contains(t, got.err, "did not answer within 20ms. Ask for less, or wait longer with --timeout")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	got = session{ctx: ctx}.run(t, "labels", "--addr", slow.URL)
	require.Equal(t, ran{exitFailed, "", "gpx_woodshed labels: interrupted\n"}, got)
}

func TestServerErrors(t *testing.T) {
	f := func(status int, body, want string) {
		t.Helper()
		store := newFakeStore(t, says(status, body))
		got := session{}.run(t, "labels", "--addr", store.URL)
		require.Equal(t, exitFailed, got.code)
		require.Equal(t, "gpx_woodshed labels: "+strings.ReplaceAll(want, "URL", store.URL)+"\n", got.err)
	}
	f(401, "no org id\n", "URL answered 401: no org id. Name the tenant with --tenant")
	f(503, "not ready: replaying\n", "URL answered 503: not ready: replaying. Try again in a moment; /ready?verbose says more")
	f(502, "<html>bad gateway</html>", "URL answered 502: Bad Gateway")
	f(500, "", "URL answered 500: Internal Server Error")
	f(200, "<html>", "URL/loki/api/v1/labels did not answer with Loki's JSON (invalid character '<' looking for beginning of value). Is this the address of a Woodshed or Loki?")
}

func TestAddressForms(t *testing.T) {
	store := newFakeStore(t, says(200, `{"status":"success","data":["a"]}`))
	host := strings.TrimPrefix(store.URL, "http://")
	for _, addr := range []string{store.URL, store.URL + "/", host, store.URL + "/loki/api/v1", store.URL + "/loki/api/v1/"} {
		require.Equal(t, ran{0, "a\n", ""}, session{}.run(t, "labels", "--addr", addr))
	}
	require.Zero(t, session{}.run(t, "labels", "--addr", store.URL+"/behind/a/proxy/").code)
	require.Zero(t, session{env: map[string]string{"WOODSHED_ADDR": host, "WOODSHED_TENANT": "team"}}.run(t, "labels").code)
	all := store.requests()
	require.Equal(t, "/loki/api/v1/labels", all[4].path)
	require.Equal(t, "/behind/a/proxy/loki/api/v1/labels", all[5].path)
	require.Equal(t, "team", all[6].tenant)
	require.Equal(t, "gpx_woodshed/1.2.3", all[6].header.Get("User-Agent"))
}

func TestListings(t *testing.T) {
	store := newFakeStore(t, says(200, `{"status":"success","data":["app","bad\u001b[2Jname"]}`))
	f := func(s session, want ran, args ...string) asked {
		t.Helper()
		require.Equal(t, want, s.run(t, append(args, "--addr", store.URL)...))
		all := store.requests()
		return all[len(all)-1]
	}
	got := f(session{}, ran{0, "app\nbad\x1b[2Jname\n", ""}, "labels", "--from", "1700000000", "--to", "1700003600")
	require.Equal(t, url.Values{"start": {"1700000000000000000"}, "end": {"1700003600000000000"}}, got.form)
	f(session{terminal: true}, ran{0, "app\nbad\\x1b[2Jname\n", ""}, "labels")
	f(session{}, ran{0, `["app","bad\u001b[2Jname"]` + "\n", ""}, "labels", "--json")
	got = f(session{}, ran{0, "app\nbad\x1b[2Jname\n", ""}, "labels", "a/b c", "--match", `{x="y"}`)
	require.Equal(t, "/loki/api/v1/label/a%2Fb%20c/values", got.path)
	require.Equal(t, `{x="y"}`, got.form.Get("query"))

	store.answer = says(200, `{"status":"success"}`)
	f(session{}, ran{exitFailed, "", ""}, "labels")
	f(session{}, ran{exitFailed, "[]\n", ""}, "labels", "--json")

	store.answer = says(200, `{"status":"success","data":[{"b":"2","a":"1"},{"c":"\"x"}]}`)
	got = f(session{}, ran{0, "{a=\"1\", b=\"2\"}\n{c=\"\\\"x\"}\n", ""}, "series", `{a="1"}`, `{c="2"}`)
	require.Equal(t, []string{`{a="1"}`, `{c="2"}`}, got.form["match[]"])
	f(session{}, ran{0, `[{"a":"1","b":"2"},{"c":"\"x"}]` + "\n", ""}, "series", "--json")
}
