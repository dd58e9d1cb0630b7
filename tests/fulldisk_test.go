//go:build linux

package tests

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/grafana/loki/pkg/push"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/internal/testkit"
)

// smallDisk mounts a file system of so many MiB. It takes root.
func smallDisk(t *testing.T, mib int) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm", mib)); err != nil {
		t.Skipf("a small file system cannot be mounted here: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	return dir
}

// TestFullDisk fills a disk: first by pushes, which the guard refuses while a reserve is left, then to the last byte from
// outside, as somebody else on the disk would. Queries go on, nothing acknowledged is lost, and it heals when there is room.
func TestFullDisk(t *testing.T) {
	dir := smallDisk(t, 48)
	ballast := filepath.Join(dir, "ballast") // what blocks alone take may reach the guard: this is what is freed at last
	require.NoError(t, os.WriteFile(ballast, make([]byte, 8<<20), 0o600))
	args := []string{
		"--data", filepath.Join(dir, "data"), "--listen", testkit.FreeAddr(t), "--storage.free-space-min", "10MB",
		"--wal.segment-bytes", "4MB", "--push.decompressed-bytes-max", "2MB", "--push.bytes-in-flight", "8MB",
		"--storage.flush-bytes", "8MB",
	}
	server := testkit.StartServer(t, args...)
	f := &filler{t: t, c: &client{number: 1, start: time.Now().Add(-time.Hour), noise: 400}, url: server.URL}

	status, text := f.pushUntilRefused(5000)
	require.Equal(t, http.StatusServiceUnavailable, status, text)
	require.Contains(t, text, "storage.free_space_min")
	t.Logf("the guard refused after %d lines: %s", f.acked, strings.TrimSpace(text))
	f.requireAll()

	hog := filepath.Join(dir, "hog")
	fill(t, hog)
	status, text = f.pushUntilRefused(100) // the log's segment may have room left
	require.Equal(t, http.StatusServiceUnavailable, status, text)
	testkit.Eventually(t, "health says so", func() error {
		if text := health(t, server.URL); !strings.Contains(text, "Pushes are refused since") {
			return errors.New(text)
		}
		return nil
	})
	f.requireAll()
	server.Kill9() // and it opens on a full disk, too
	server = testkit.StartServer(t, args...)
	f.url = server.URL
	f.requireAll()

	require.NoError(t, errors.Join(os.Remove(hog), os.Remove(ballast)))
	flushBlocks(t, server.URL) // gives the log's space back
	testkit.Eventually(t, "pushes are taken again", func() error {
		if status, text := f.push(); status != http.StatusNoContent {
			return fmt.Errorf("%d %s", status, text)
		}
		return nil
	})
	f.requireAll()
	require.NotContains(t, health(t, server.URL), "Pushes are refused since")
	server.Kill9()
	server = testkit.StartServer(t, args...)
	f.url = server.URL
	f.requireAll()
	require.Zero(t, server.Stop(t))
}

// filler pushes batches of lines that hardly compress and remembers what was acknowledged.
type filler struct {
	t     *testing.T
	c     *client
	url   string
	acked int
}

const fillerBatch = 500

func (f *filler) push() (status int, text string) {
	s := push.Stream{Labels: `{job="durability", client="1"}`}
	for i := f.acked; i < f.acked+fillerBatch; i++ {
		s.Entries = append(s.Entries, push.Entry{Timestamp: f.c.at(i), Line: f.c.line(i)})
	}
	status, text, err := testkit.Push(context.Background(), f.url, "", "application/x-protobuf", testkit.ProtobufBody(f.t, s))
	require.NoError(f.t, err)
	if status == http.StatusNoContent {
		f.acked += fillerBatch
	}
	return status, text
}

// pushUntilRefused pushes at most so many batches.
func (f *filler) pushUntilRefused(most int) (status int, text string) {
	for range most {
		if status, text = f.push(); status != http.StatusNoContent {
			return status, text
		}
	}
	return status, text
}

func (f *filler) requireAll() {
	f.t.Helper()
	requireLines(f.t, f.url, f.c, f.acked)
}

// noise is text that does not compress to less than three quarters.
func noise(seed, n int) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	x := uint64(seed)*0x9e3779b97f4a7c15 + 1
	b := make([]byte, n)
	for i := range b {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b[i] = alphabet[x%64]
	}
	return string(b)
}

// fill writes a file until the disk is full.
func fill(t *testing.T, name string) {
	t.Helper()
	file, err := os.Create(name)
	require.NoError(t, err)
	defer file.Close()
	for size := 1 << 20; size > 0; size /= 2 {
		for {
			if _, err := file.Write(make([]byte, size)); err != nil {
				require.ErrorIs(t, err, syscall.ENOSPC)
				break
			}
		}
	}
}

func health(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url + "/ready?verbose")
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode, "%s", body)
	return string(body)
}

func flushBlocks(t *testing.T, url string) {
	t.Helper()
	resp, err := http.Post(url+"/flush", "", nil)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusNoContent, resp.StatusCode)
}
