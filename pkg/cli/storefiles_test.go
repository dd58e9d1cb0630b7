package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/logdb"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

// newStore makes a closed store with blocks of two tenants and one line in its log.
func newStore(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	db, err := logdb.Open(t.Context(), logdb.Config{FS: vfs.OS(), Dir: dir, SegmentBytes: 1 << 20, CheckInterval: time.Hour})
	require.NoError(t, err)
	push := func(tenant model.TenantID, n int) {
		s := model.Stream{Labels: labels.FromStrings("app", "web\x1b[2J", "pod", "p")}
		for i := range n {
			s.Entries = append(s.Entries, model.Entry{
				Timestamp: model.TimestampOf(time.Date(2026, 1, 2, 3, 4, i, 0, time.UTC)), Line: fmt.Sprintf("line %d", i),
				Metadata: []model.Pair{{Name: "trace", Value: fmt.Sprint(i)}},
			})
		}
		require.NoError(t, db.Append(t.Context(), storage.Push{Tenant: tenant, Arrival: s.Entries[0].Timestamp, Streams: []model.Stream{s}}))
	}
	push("t1", 20)
	push("t2", 3)
	require.NoError(t, db.Flush(t.Context()))
	push("t2", 1)
	require.NoError(t, db.Close())
	return dir
}

// blockFile finds a file of a tenant's only block.
func blockFile(t *testing.T, dir, tenant, name string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "blocks", tenant, "*", name))
	require.NoError(t, err)
	require.Len(t, found, 1)
	return found[0]
}

func flip(t *testing.T, name string, at int) {
	t.Helper()
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	b[at] ^= 1
	require.NoError(t, os.Remove(name)) // it may have another name
	require.NoError(t, os.WriteFile(name, b, 0o600))
}

// nowhere is an address that nobody listens at.
var nowhere = session{env: map[string]string{}}

func TestInspectCommand(t *testing.T) {
	dir := newStore(t)
	got := nowhere.run(t, "inspect", "--data-dir", dir)
	require.Zero(t, got.code, got.err)
	require.Empty(t, got.err)
	for _, want := range []string{
		dir + "\n2 blocks: 23 lines of 2 streams, ", "from 2026-01-02 03:04:00 to 2026-01-02 03:04:19\n",
		"\nBlocks (times are UTC)\n  tenant  day ", "\n  t1      2026-01-02  01", "\nWhat the blocks consist of\n  part ", "\n  lines ", "\n  index.db ",
		"\nMetadata keys that take most\n  key ", "\n  trace ", "\nLargest streams\n", "\nLabels with most values\n", `"p" (2)`,
		"\nWrite-ahead log\n", "\n  0000000001.wal ",
	} {
		require.Contains(t, got.out, want)
	}
	require.NotContains(t, got.out, "Heads", "nobody could be asked")
	require.NotContains(t, got.out, "Quarantine")
	onTerminal := nowhere
	onTerminal.terminal = true
	require.NotContains(t, onTerminal.run(t, "inspect", "--data-dir", dir).out, "\x1b")

	one := nowhere.run(t, "inspect", "--data-dir", dir, "--tenant", "t2", "--json")
	var report inspectReport
	require.NoError(t, json.Unmarshal([]byte(one.out), &report))
	require.Equal(t, 1, report.Sum.Blocks)
	require.EqualValues(t, 3, report.Sum.Entries)
	require.Nil(t, report.Heads)

	flip(t, blockFile(t, dir, "t1", "chunks.bin"), 9)
	got = nowhere.run(t, "inspect", "--data-dir", dir)
	require.Zero(t, got.code)
	require.Contains(t, got.out, "1 block: 3 lines of 1 stream")
	require.Contains(t, got.err, "left out: ")
	require.Empty(t, nowhere.run(t, "inspect", "--quiet", "--data-dir", dir).err)
}

// What is in memory is asked of the listener, when it is that of this directory.
func TestInspectAsksForHeads(t *testing.T) {
	dir := newStore(t)
	says := func(dataDir string) *fakeStore {
		return newFakeStore(t, func(w http.ResponseWriter, a asked) {
			require.Equal(t, "/woodshed/api/v1/store", a.path)
			_ = json.NewEncoder(w).Encode(storeReply{Version: "1", PID: 7, DataDir: dataDir, Heads: []logdb.HeadInfo{{Tenant: "t9", Entries: 12345, Streams: 4}}})
		})
	}
	mine, other := says(dir), says(t.TempDir())
	got := nowhere.run(t, "inspect", "--data-dir", dir, "--addr", mine.URL)
	require.Zero(t, got.code, got.err)
	require.Contains(t, got.out, "\nHeads: in memory and in the log, not yet in blocks\n")
	require.Contains(t, got.out, "12,345")
	require.Contains(t, nowhere.run(t, "inspect", "--addr", mine.URL, "--tenant", "t1").out, "Heads: empty", "the listener names the directory")
	got = nowhere.run(t, "inspect", "--data-dir", dir, "--addr", other.URL)
	require.Equal(t, exitFailed, got.code)
	require.Contains(t, got.err, "has its data in")

	lock, err := vfs.Lock(filepath.Join(dir, "LOCK"), []byte("pid 4711"))
	require.NoError(t, err)
	defer func() { require.NoError(t, lock.Close()) }()
	s := session{env: map[string]string{"WOODSHED_ADDR": mine.URL}}
	require.Contains(t, s.run(t, "inspect", "--data-dir", dir).out, "open in pid 4711\n")
}

func TestStoreFilesUsage(t *testing.T) {
	dir := newStore(t)
	closed := newFakeStore(t, says(500, ""))
	closed.Close()
	f := func(code int, want string, args ...string) {
		t.Helper()
		got := session{env: map[string]string{"WOODSHED_ADDR": closed.URL}}.run(t, args...)
		require.Equal(t, code, got.code, "%v: %s", args, got.err)
		require.Contains(t, got.err, want)
		require.Empty(t, got.out)
	}
	f(exitUsage, "say where the store is: --data-dir DIR", "inspect")
	f(exitUsage, "say where the store is: --data-dir DIR", "verify")
	f(exitUsage, "the directory is named twice", "inspect", dir, "--data-dir", dir)
	f(exitUsage, "one directory is looked at, not 2", "verify", dir, dir)
	f(exitUsage, "--top 0 is not between", "inspect", "--top", "0")
	f(exitUsage, `--day "today" is no day`, "inspect", "--day", "today")
	f(exitUsage, "name one directory to write to", "backup")
	f(exitUsage, "name one directory to write to", "backup", "a", "b")
	f(exitUsage, "name the backup and the data directory to be", "restore", "a")
	f(exitFailed, "is not there", "verify", "--data-dir", dir+"x")
	f(exitFailed, "holds no store", "verify", "--data-dir", t.TempDir())
	f(exitFailed, "cannot reach", "backup", t.TempDir())
	f(exitFailed, "this is no backup, or one that was cut short", "restore", dir, dir+"x")

	// The directory of the server's or the plugin's configuration.
	s := session{env: map[string]string{"GF_PLUGIN_WOODSHED_DATA_DIR": dir}}
	require.Zero(t, s.run(t, "verify").code)
	grafana := filepath.Dir(dir)
	require.NoError(t, os.Rename(dir, filepath.Join(grafana, "woodshed-logs-datasource")))
	s = session{env: map[string]string{"GF_PATHS_DATA": grafana}}
	require.Zero(t, s.run(t, "verify").code)
}

func TestVerifyCommand(t *testing.T) {
	dir := newStore(t)
	got := nowhere.run(t, "verify", dir)
	require.Zero(t, got.code)
	require.Regexp(t, `: 2 blocks \(23 lines, .*\) read in .*\nlog: 1 segment, 3 records, 1 line not yet in blocks\nno damage\n$`, got.out)
	require.Empty(t, got.err)

	flip(t, blockFile(t, dir, "t2", "index.db"), 100)
	got = nowhere.run(t, "verify", "--data-dir", dir)
	require.Equal(t, exitFailed, got.code)
	require.Contains(t, got.out, "damage: blocks/t2/")
	require.Contains(t, got.out, "damage in 1 place; no line is known to be lost\n")
	require.Empty(t, got.err)
	got = nowhere.run(t, "verify", "--data-dir", dir, "--repair")
	require.Zero(t, got.code, got.out)
	require.Contains(t, got.out, "repaired: blocks/t2/")
	require.Contains(t, got.out, "1 index was repaired\nno damage\n")

	flip(t, blockFile(t, dir, "t1", "chunks.bin"), 20)
	got = nowhere.run(t, "verify", "--data-dir", dir, "--repair")
	require.Equal(t, exitFailed, got.code)
	require.Contains(t, got.out, "chunks.bin: chunk 0: ")
	require.Contains(t, got.out, "\n    20 lines of tenant t1, 2026-01-02 03:04:00 to 2026-01-02 03:04:19 UTC, cannot be read\n")
	require.Contains(t, got.out, "damage in 1 place; 20 lines cannot be read\n")
	got = nowhere.run(t, "verify", "--data-dir", dir, "--json")
	require.Equal(t, exitFailed, got.code)
	var report logdb.Verification
	require.NoError(t, json.Unmarshal([]byte(got.out), &report))
	require.Equal(t, 1, report.Count(logdb.FindingDamage))
	require.EqualValues(t, 20, report.Lost())
}

func TestBackupAndRestoreCommands(t *testing.T) {
	dir := newStore(t)
	root := t.TempDir()
	dest, back := filepath.Join(root, "backup"), filepath.Join(root, "restored")
	closed := newFakeStore(t, says(500, ""))
	closed.Close()
	elsewhere := session{env: map[string]string{"WOODSHED_ADDR": closed.URL}} // names a store, but not this one: none runs
	got := elsewhere.run(t, "backup", "--data-dir", dir, dest)
	require.Zero(t, got.code, got.err)
	require.Regexp(t, `: 3 blocks of 2 tenants, 24 lines, .* on disk, hard-linked \(on the same disk\); in `, got.out)
	got = nowhere.run(t, "backup", "--data-dir", dir, dest)
	require.Equal(t, exitFailed, got.code)
	require.Contains(t, got.err, "is not empty")

	got = nowhere.run(t, "restore", dest, back)
	require.Zero(t, got.code, got.err)
	require.Regexp(t, `: 3 blocks of 2 tenants, 24 lines, .* on disk, copied; as of .* UTC, in `, got.out)
	require.Zero(t, nowhere.run(t, "verify", "--data-dir", back).code)
	require.Equal(t, exitFailed, nowhere.run(t, "restore", dest, back).code)
	got = nowhere.run(t, "restore", "--json", "--link", "--quiet", dest, back+"-2")
	require.Contains(t, got.out, `"blocks":3,"entries":24`)
	require.Contains(t, got.out, `"copied_bytes":0`)
	require.Empty(t, got.err)

	flip(t, blockFile(t, dest, "t1", "chunks.bin"), 20)
	got = nowhere.run(t, "restore", "--quiet", dest, back+"-3")
	require.Equal(t, exitFailed, got.code)
	require.Contains(t, got.out, "damage: block ")
	require.Contains(t, got.err, "nothing was restored")
	require.NoDirExists(t, back+"-3")
	require.Zero(t, nowhere.run(t, "restore", "--quiet", "--no-verify", dest, back+"-3").code)

	lock, err := vfs.Lock(filepath.Join(back, "LOCK"), []byte("pid 4711"))
	require.NoError(t, err)
	require.Contains(t, nowhere.run(t, "restore", dest, back).err, "is open in another process (pid 4711)")
	got = session{env: map[string]string{"WOODSHED_ADDR": ""}}.run(t, "backup", "--data-dir", back, "--addr", "127.0.0.1:1", dest+"-2")
	require.Equal(t, exitFailed, got.code)
	require.NoError(t, lock.Close())
}

// A running store makes the backup; the command follows it and believes only a last line.
func TestBackupByAStore(t *testing.T) {
	dest := filepath.Join(t.TempDir(), "x")
	f := func(code int, body, wantOut, wantErr string) {
		t.Helper()
		store := newFakeStore(t, says(200, body))
		got := nowhere.run(t, "backup", "--addr", store.URL, "--copy", dest)
		require.Equal(t, code, got.code, got.err)
		require.Contains(t, got.out, wantOut)
		require.Contains(t, got.err, wantErr)
		a := store.requests()[0]
		require.Equal(t, []string{"POST", "/woodshed/api/v1/backup", dest, "true"}, []string{a.method, a.path, a.form.Get("dir"), a.form.Get("copy")})
	}
	const some = `{"done":0,"total":10}` + "\n" + `{"done":10,"total":10}` + "\n"
	f(0, some+`{"report":{"blocks":1,"tenants":1,"entries":7,"bytes":10,"copied_bytes":10}}`, "1 block of 1 tenant, 7 lines, 10 B on disk, copied", "")
	f(1, some+`{"report":{"blocks":1,"left_out":["block x is corrupt"]}}`, "1 block", "left out: block x is corrupt")
	f(1, some+`{"error":"no space left on device"}`, "", "gpx_woodshed backup: no space left on device\n")
	f(1, some, "", "is no backup; remove it and try again")
	f(1, "", "", "is no backup; remove it and try again")
	refused := newFakeStore(t, says(400, dest+" is not empty"))
	got := nowhere.run(t, "backup", "--addr", refused.URL, dest)
	require.Equal(t, ran{1, "", "gpx_woodshed backup: " + dest + " is not empty\n"}, got)
	old := newFakeStore(t, says(404, "there is nothing"))
	require.Contains(t, nowhere.run(t, "backup", "--addr", old.URL, dest).err, "is it a Woodshed of this version?")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := nowhere
	s.ctx = ctx
	require.Contains(t, s.run(t, "backup", "--addr", old.URL, dest).err, "interrupted")
}

func TestProgress(t *testing.T) {
	var out strings.Builder
	now := time.Unix(1000, 0)
	p := &progress{w: &out, width: 80, now: func() time.Time { return now }, count: bytesText}
	tell := func(after time.Duration, step string, done, total int64) {
		now = now.Add(after)
		p.tell(step, done, total)
	}
	tell(0, "verify", 0, 1000)
	tell(time.Second, "verify", 100, 1000)
	require.Empty(t, out.String(), "a short step is not told of")
	tell(4*time.Second, "verify", 250, 1000)
	tell(time.Second, "verify", 300, 1000)
	tell(4*time.Second, "verify", 500, 1000)
	tell(0, "restore", 0, 0)
	tell(90*time.Second, "restore", 1, 100)
	require.Equal(t, "verify: 250 B of 1.0 kB, 25 %, 15s left\nverify: 500 B of 1.0 kB, 50 %, 10s left\nrestore: 1 B of 100 B, 1 %, 2h 28m left\n", out.String())

	out.Reset()
	p = &progress{w: &out, width: 80, bar: true, now: p.now, count: bytesText}
	tell(0, "verify", 0, 1000)
	tell(200*time.Millisecond, "verify", 500, 1000)
	tell(10*time.Millisecond, "verify", 600, 1000)
	bar := "[############............] verify: 500 B of 1.0 kB, 50 %"
	require.Equal(t, "\r"+bar, out.String())
	p.clear()
	p.clear()
	require.Equal(t, "\r"+bar+"\r"+strings.Repeat(" ", len(bar))+"\r", out.String())
	out.Reset()
	p.width = 30
	tell(time.Second, "verify", 700, 1000)
	require.Equal(t, "\rverify: 700 B of 1.0 kB, 70 %", out.String(), "the bar goes where there is no room for it")
	out.Reset()
	p.quiet = true
	tell(time.Second, "verify", 800, 1000)
	require.Empty(t, out.String())
}
