package testkit

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/golang/snappy"
	"github.com/grafana/loki/pkg/push"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"
)

var api = labels.FromStrings("app", "api")

func TestBodies(t *testing.T) {
	at := time.Unix(1700000000, 5)
	s := Stream(api, at, "a", "b")
	s.Entries[1].StructuredMetadata = push.LabelsAdapter{{Name: "k", Value: "v"}}
	raw, err := snappy.Decode(nil, ProtobufBody(t, s))
	require.NoError(t, err)
	var back push.PushRequest
	require.NoError(t, back.Unmarshal(raw))
	require.Equal(t, `{app="api"}`, back.Streams[0].Labels)
	require.Equal(t, "b", back.Streams[0].Entries[1].Line)
	require.True(t, at.Add(1).Equal(back.Streams[0].Entries[1].Timestamp))
	require.JSONEq(t, `{"streams":[{"stream":{"app":"api"},"values":[["1700000000000000005","a"],["1700000000000000006","b",{"k":"v"}]]}]}`,
		string(JSONBody(t, []labels.Labels{api}, s)))
	lines := Lines("x", 1000)
	require.NotEqual(t, lines[0], lines[999])
}

func TestPush(t *testing.T) {
	var got *http.Request
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		http.Error(w, "no", http.StatusTeapot)
	}))
	defer server.Close()
	status, text, err := Push(t.Context(), server.URL, "team", ContentJSON, []byte("{}"))
	require.NoError(t, err)
	require.Equal(t, http.StatusTeapot, status)
	require.Equal(t, "no\n", text)
	require.Equal(t, "/loki/api/v1/push", got.URL.Path)
	require.Equal(t, "team", got.Header.Get("X-Scope-OrgID"))
	require.ErrorContains(t, ready(server.URL), "/ready: 418 no")
}

func TestArgument(t *testing.T) {
	require.Equal(t, "x", argument([]string{"--data", "x"}, "data"))
	require.Equal(t, "x", argument([]string{"-data=x"}, "data"))
	require.Empty(t, argument([]string{"--database", "x", "--data"}, "data"))
}

func TestAlive(t *testing.T) {
	require.True(t, Alive(os.Getpid()))
	cmd := exec.CommandContext(context.Background(), "sleep", "60")
	require.NoError(t, cmd.Start())
	require.True(t, Alive(cmd.Process.Pid))
	require.NoError(t, cmd.Process.Kill())
	require.NoError(t, poll(startTimeout, Gone(cmd.Process.Pid)), "a zombie is gone")
	require.Error(t, cmd.Wait())
	require.False(t, Alive(cmd.Process.Pid))
}

func TestPollEnds(t *testing.T) {
	err := poll(10*time.Millisecond, func() error { return errors.New("never") })
	require.ErrorContains(t, err, "not after 10ms: never")
}

func TestOutputIsBounded(t *testing.T) {
	var o output
	for range 4 {
		_, err := o.Write([]byte(strings.Repeat("x", outputMax/2)))
		require.NoError(t, err)
	}
	_, err := o.Write([]byte("the end"))
	require.NoError(t, err)
	require.LessOrEqual(t, len(o.String()), outputMax)
	require.True(t, strings.HasSuffix(o.String(), "the end"))
}

// TestHostReportsABrokenPlugin: a binary that is no plugin must not hang the test.
func TestHostReportsABrokenPlugin(t *testing.T) {
	_, err := NewHost(HostConfig{Binary: "/bin/true"})
	require.Error(t, err)
	_, err = NewHost(HostConfig{Binary: "/does/not/exist"})
	require.Error(t, err)
}
