package logdb

import (
	"fmt"
	"io/fs"
	"math/rand"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/oklog/ulid/v2"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/logdb/block"
	"github.com/woodshed-logs/woodshed/pkg/logdb/chunk"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

// damaged is a store on disk that a test breaks.
type damaged struct {
	*vfs.Mem
	t      *testing.T
	cfg    Config
	blocks []string // directories, by tenant and ULID
}

// newDamaged makes a store of two flushes over two tenants and one day, with a log that is not flushed.
func newDamaged(t *testing.T) *damaged {
	d := &damaged{Mem: vfs.NewMem(), t: t}
	d.cfg = testConfig(t, d.Mem)
	db := openDB(t, d.cfg)
	for _, tenant := range crashTenants {
		appendLines(t, db, tenant, "one", 1)
	}
	require.NoError(t, db.Flush(t.Context()))
	appendLines(t, db, "t1", "two", 1)
	require.NoError(t, db.Flush(t.Context()))
	appendLines(t, db, "t1", "in the log", 3)
	require.NoError(t, db.Close())
	dirs, err := listBlocks(d.Mem, testDir)
	require.NoError(t, err)
	for _, b := range dirs.blocks {
		d.blocks = append(d.blocks, b.path)
	}
	require.Len(t, d.blocks, 3)
	return d
}

func (d *damaged) read(name string) []byte {
	d.t.Helper()
	b, err := vfs.ReadFile(d.Mem, name, 16<<20)
	require.NoError(d.t, err)
	return b
}

func (d *damaged) write(name string, b []byte) {
	d.t.Helper()
	require.NoError(d.t, vfs.ReplaceFile(d.Mem, name, b))
}

// flip changes one byte.
func (d *damaged) flip(name string, at int) {
	d.t.Helper()
	b := slices.Clone(d.read(name))
	if at < 0 {
		at += len(b)
	}
	b[at] ^= 1
	d.write(name, b)
}

func (d *damaged) verify(change ...func(*VerifyConfig)) *Verification {
	d.t.Helper()
	cfg := VerifyConfig{FS: d.Mem, Dir: testDir, ScratchDir: d.t.TempDir()}
	for _, c := range change {
		c(&cfg)
	}
	told, done := 0, int64(0)
	cfg.Found = func(Finding) { told++ }
	cfg.Progress = func(d int64, total int64) { done = d; _ = total }
	v, err := Verify(d.t.Context(), cfg)
	require.NoError(d.t, err)
	require.Equal(d.t, told, len(v.Findings))
	require.Positive(d.t, done)
	return v
}

func repairIt(c *VerifyConfig) { c.Repair = true }
func liveStore(c *VerifyConfig) {
	c.Live = true
}

func TestVerifySoundStore(t *testing.T) {
	d := newDamaged(t)
	for _, change := range []func(*VerifyConfig){func(*VerifyConfig) {}, repairIt, liveStore} {
		v := d.verify(change)
		require.Empty(t, v.Findings)
		require.Equal(t, 3, v.Blocks)
		require.EqualValues(t, 3, v.Entries)
		require.EqualValues(t, 3, v.Log.Entries)
		require.EqualValues(t, 1, v.Log.Records-v.Log.InBlocks)
		require.Zero(t, v.Count(FindingDamage)+v.Vanished+v.Quarantine)
	}
	require.Equal(t, 1, d.verify(func(c *VerifyConfig) { c.Tenant = "t2" }).Blocks)
	one := d.verify(func(c *VerifyConfig) { c.Block = path.Base(d.blocks[0]) })
	require.Equal(t, 1, one.Blocks)
	require.Zero(t, one.Log.Records)
	_, err := Verify(t.Context(), VerifyConfig{FS: d.Mem, Dir: "/nothing"})
	require.ErrorIs(t, err, fs.ErrNotExist)
}

// Each damage is found, named, and blamed for what it costs; nothing else is.
func TestVerifyFindsDamage(t *testing.T) {
	f := func(change func(d *damaged), want Finding) {
		t.Helper()
		d := newDamaged(t)
		change(d)
		v := d.verify()
		require.Len(t, v.Findings, 1)
		got := v.Findings[0]
		require.Equal(t, FindingDamage, got.Kind)
		require.Contains(t, got.File, want.File)
		require.Contains(t, got.Problem, want.Problem)
		require.NotEmpty(t, got.Advice)
		require.Equal(t, want.Entries, got.Entries)
		require.Equal(t, want.Entries, v.Lost())
		require.Equal(t, want.Entries > 0, !got.From.IsZero())
		require.Equal(t, want.Chunk != nil, got.Chunk != nil)
		require.Equal(t, 1, v.Count(FindingDamage))
	}
	chunk := uint32(0)
	f(func(d *damaged) { d.flip(d.blocks[0]+"/chunks.bin", 18) }, Finding{File: "chunks.bin", Problem: "chunk 0: ", Entries: 1, Chunk: &chunk})
	f(func(d *damaged) { d.flip(d.blocks[1]+"/chunks.bin", -20) }, Finding{File: "chunks.bin", Problem: "footer", Entries: 1})
	f(func(d *damaged) { require.NoError(d.t, d.Remove(d.blocks[1]+"/chunks.bin")) }, Finding{File: "chunks.bin", Problem: "is missing", Entries: 1})
	f(func(d *damaged) { d.flip(d.blocks[2]+"/index.db", 100) }, Finding{File: "index.db", Problem: "checksum"})
	f(func(d *damaged) { require.NoError(d.t, d.Remove(d.blocks[2]+"/index.db")) }, Finding{File: "index.db", Problem: "is missing"})
	f(func(d *damaged) { d.flip(d.blocks[0]+"/meta.json", 40) }, Finding{File: "meta.json", Problem: "meta.json"})
	f(func(d *damaged) { d.flip(testDir+"/state.json", 20) }, Finding{File: "state.json", Problem: "c"})
	f(func(d *damaged) {
		require.NoError(d.t, d.Rename(d.blocks[0], path.Dir(d.blocks[0])+"/01ARZ3NDEKTSV4RRFFQ69G5FAV"))
	}, Finding{File: "blocks/t1/01ARZ3NDEKTSV4RRFFQ69G5FAV", Problem: "the directory holds block"})
	f(func(d *damaged) {
		require.NoError(d.t, d.Rename(d.blocks[2], testDir+"/blocks/t1/"+path.Base(d.blocks[2])))
	}, Finding{File: "blocks/t1", Problem: "belongs to t2"})
	f(func(d *damaged) {
		name := testDir + "/wal/0000000001.wal"
		b := d.read(name)
		d.flip(name, strings.Index(string(b), "t1")+2) // the first record, and later ones follow
	}, Finding{File: "wal/0000000001.wal", Problem: "no valid record"})
}

// A tail that a crash tore off, a flush that is under way, and a block that goes while it is looked at are no damage.
func TestVerifyTellsDamageFromLife(t *testing.T) {
	d := newDamaged(t)
	name := testDir + "/wal/0000000001.wal"
	b := d.read(name)
	end := len(b)
	for end > 0 && b[end-1] == 0 {
		end--
	}
	d.flip(name, end-3)
	v := d.verify()
	require.Empty(t, v.Findings)
	require.Equal(t, 1, v.Log.Torn)

	require.NoError(t, vfs.ReplaceFile(d.Mem, testDir+"/blocks/README", nil))
	v = d.verify()
	require.Len(t, v.Findings, 1)
	require.Equal(t, FindingNote, v.Findings[0].Kind)

	gone := &vanishing{Mem: d.Mem, dir: d.blocks[0]}
	v, err := Verify(t.Context(), VerifyConfig{FS: gone, Dir: testDir})
	require.NoError(t, err)
	require.Equal(t, 1, v.Vanished)
	require.Equal(t, 2, v.Blocks)
	require.Zero(t, v.Count(FindingDamage))
}

// vanishing removes a block when its index is opened.
type vanishing struct {
	*vfs.Mem
	dir string
}

func (v *vanishing) Open(name string) (vfs.File, error) {
	if strings.HasPrefix(name, v.dir) && path.Base(name) == "index.db" {
		if err := v.RemoveAll(v.dir); err != nil {
			return nil, err
		}
	}
	return v.Mem.Open(name)
}

func TestVerifyGroups(t *testing.T) {
	mem := vfs.NewMem()
	db := openDB(t, testConfig(t, mem))
	appendLines(t, db, "t1", "two days", 4)
	require.NoError(t, db.Flush(t.Context()))
	require.NoError(t, db.Close())
	dirs, err := listBlocks(mem, testDir)
	require.NoError(t, err)
	require.Len(t, dirs.blocks, 2)
	require.NoError(t, mem.RemoveAll(dirs.blocks[1].path))
	f := func(want string, live bool) {
		t.Helper()
		v, err := Verify(t.Context(), VerifyConfig{FS: mem, Dir: testDir, Live: live})
		require.NoError(t, err)
		require.Zero(t, v.Count(FindingDamage))
		if want == "" {
			require.Empty(t, v.Findings)
			return
		}
		require.Len(t, v.Findings, 1)
		require.Contains(t, v.Findings[0].Problem, want)
	}
	f("", false) // a retention may have taken it
	f("", true)
	require.NoError(t, newState().save(mem, testDir)) // the group's mark was not recorded yet
	f("cut short", false)
	f("", true)
}

func TestVerifyRepairs(t *testing.T) {
	d := newDamaged(t)
	d.flip(d.blocks[0]+"/index.db", 5000)
	require.NoError(t, d.Remove(d.blocks[1]+"/index.db"))
	d.flip(d.blocks[2]+"/index.db", 100)
	d.flip(d.blocks[2]+"/chunks.bin", 18)
	v := d.verify()
	require.Equal(t, 4, v.Count(FindingDamage))
	v = d.verify(repairIt)
	require.Equal(t, 2, v.Count(FindingRepaired))
	require.Equal(t, 2, v.Count(FindingDamage), "what is damaged besides its index is left alone")
	v = d.verify(repairIt)
	require.Zero(t, v.Count(FindingRepaired))
	db := openDB(t, d.cfg)
	require.Len(t, all(t, db, "t1"), 5)

	// Beside an open store, which has the damaged block open already.
	tn := db.tenantFor("t1")
	view := tn.acquire()
	defer view.release()
	require.NoError(t, db.use(view.blocks[0], func(b *block.Block) error { return nil }))
	d.flip(d.blocks[0]+"/index.db", 5000)
	require.Equal(t, 1, d.verify(repairIt, liveStore).Count(FindingRepaired))
	require.Len(t, all(t, db, "t1"), 5)
}

// A block that another one replaced goes at the next start, or is kept in quarantine for nothing.
func TestVerifyReplacedBlocks(t *testing.T) {
	mem := vfs.NewMem()
	db := openDB(t, testConfig(t, mem))
	appendLines(t, db, "t1", "x", 1)
	require.NoError(t, db.Flush(t.Context()))
	require.NoError(t, db.Close())
	dirs, err := listBlocks(mem, testDir)
	require.NoError(t, err)
	parent := dirs.blocks[0]
	m, err := block.ReadMeta(mem, parent.path)
	require.NoError(t, err)
	child := m
	child.ULID, child.Parents, child.Group = ulid.Make(), []ulid.ULID{m.ULID}, block.Group{ULID: ulid.Make(), Count: 1}
	e, err := chunk.Encode([]chunk.Run{{Rows: rowsOf(model.Entry{Timestamp: at(0), Line: "x 0", Level: "info"})}}, chunk.Options{})
	require.NoError(t, err)
	ls := labels.FromStrings("app", "app-x")
	_, err = block.Write(t.Context(), block.WriteConfig{FS: mem, Dir: path.Dir(parent.path), TmpDir: testDir + "/tmp", ScratchDir: t.TempDir()},
		child, []block.StreamInfo{{Labels: ls, Fingerprint: model.FingerprintOf(ls)}}, chunkSeq([]*chunk.Encoded{e}))
	require.NoError(t, err)
	f := func(want string, live bool) {
		t.Helper()
		v, err := Verify(t.Context(), VerifyConfig{FS: mem, Dir: testDir, Live: live})
		require.NoError(t, err)
		require.Zero(t, v.Count(FindingDamage))
		require.Equal(t, want != "", len(v.Findings) == 1)
		if want != "" {
			require.Contains(t, v.Findings[0].Problem+v.Findings[0].Advice, want)
		}
	}
	f("replaced it; the next start removes it", false)
	f("", true)
	to := testDir + "/quarantine/t1-" + parent.name
	require.NoError(t, vfs.MkdirAllSynced(mem, path.Dir(to)))
	require.NoError(t, mem.Rename(parent.path, to))
	f("Block "+child.ULID.String()+" has its entries", false)
	f("Block "+child.ULID.String()+" has its entries", true)
}

func rowsOf(e model.Entry) chunk.View {
	var rows chunk.Rows
	rows.Append(e)
	return rows.Snapshot()
}

// A block in quarantine whose index alone is damaged can be repaired and put back.
func TestVerifyQuarantine(t *testing.T) {
	d := newDamaged(t)
	db := openDB(t, d.cfg)
	want := all(t, db, "t1")
	require.NoError(t, db.Close())
	d.flip(d.blocks[0]+"/index.db", 100)
	db = openDB(t, d.cfg)
	_, err := db.LabelNames(t.Context(), "t1", storage.Scope{Interval: always, Matchers: []*labels.Matcher{labels.MustNewMatcher(labels.MatchRegexp, "app", ".+")}})
	require.NoError(t, err)
	require.NoError(t, db.Close())

	v := d.verify()
	require.Equal(t, 1, v.Quarantine)
	require.Equal(t, 2, v.Blocks)
	require.Len(t, v.Findings, 1)
	require.EqualValues(t, 1, v.Lost())
	require.Contains(t, v.Findings[0].Problem, "in quarantine: block "+path.Base(d.blocks[0]))
	require.Contains(t, v.Findings[0].Advice, "Only its index is damaged")
	v = d.verify(repairIt)
	require.Equal(t, 1, v.Count(FindingRepaired))
	_, command, _ := strings.Cut(v.Findings[0].Advice, "mv ")
	command, _, _ = strings.Cut(command, ",")
	var from, to string
	_, err = fmt.Sscan(command, &from, &to)
	require.NoError(t, err)
	require.Contains(t, d.verify().Findings[0].Advice, "It verifies now")
	require.NoError(t, d.Rename(from, to))
	require.Empty(t, d.verify().Findings)
	require.Equal(t, want, all(t, openDB(t, d.cfg), "t1"))
}

// No byte of any file can change without a finding, and none makes Verify fail.
func TestVerifySeesEveryByte(t *testing.T) {
	d := newDamaged(t)
	rng := rand.New(rand.NewSource(3))
	for _, name := range []string{d.blocks[0] + "/chunks.bin", d.blocks[0] + "/index.db", testDir + "/state.json"} {
		whole := d.read(name)
		for range 60 {
			d.flip(name, rng.Intn(len(whole)))
			require.Positive(t, d.verify().Count(FindingDamage))
			d.write(name, whole)
		}
	}
}
