package logdb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/woodshed-logs/woodshed/pkg/logdb/block"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
	"github.com/woodshed-logs/woodshed/pkg/wal"
)

// The kinds of findings.
const (
	FindingDamage   = "damage"   // something cannot be read, or the store will not open
	FindingRepaired = "repaired" // it was damage, and is none any more
	FindingNote     = "note"     // worth knowing; nothing is lost by it
)

// Finding is one thing that Verify has to say.
type Finding struct {
	Kind    string         `json:"kind"`
	Tenant  model.TenantID `json:"tenant,omitempty"`
	Block   string         `json:"block,omitempty"`
	Day     string         `json:"day,omitempty"`
	File    string         `json:"file"` // relative to the data directory
	Chunk   *uint32        `json:"chunk,omitempty"`
	Entries uint64         `json:"entries,omitempty"` // that cannot be read
	From    time.Time      `json:"from,omitzero"`     // of these entries
	To      time.Time      `json:"to,omitzero"`
	Problem string         `json:"problem"`
	Advice  string         `json:"advice,omitempty"`
}

// LogVerification is what a dry run of the log found.
type LogVerification struct {
	Segments int    `json:"segments"`
	Records  uint64 `json:"records"`
	InBlocks uint64 `json:"records_in_blocks"` // of them, already in blocks: replay skips them
	Entries  uint64 `json:"entries"`           // of the others
	Bytes    int64  `json:"bytes"`
	Torn     int    `json:"torn"` // segments whose last commit was cut off: nobody was told that it was stored
}

// Verification is what Verify found.
type Verification struct {
	Dir        string          `json:"dir"`
	Blocks     int             `json:"blocks"`
	Entries    uint64          `json:"entries"` // in these blocks
	Bytes      int64           `json:"bytes"`   // of their files
	Vanished   int             `json:"vanished"`
	Quarantine int             `json:"quarantine"`
	Log        LogVerification `json:"log"`
	Findings   []Finding       `json:"findings"`
}

// Count returns how many findings are of a kind.
func (v *Verification) Count(kind string) int {
	n := 0
	for i := range v.Findings {
		if v.Findings[i].Kind == kind {
			n++
		}
	}
	return n
}

// Lost is how many entries cannot be read.
func (v *Verification) Lost() uint64 {
	var n uint64
	for i := range v.Findings {
		if v.Findings[i].Kind == FindingDamage {
			n += v.Findings[i].Entries
		}
	}
	return n
}

// VerifyConfig says what to verify.
type VerifyConfig struct {
	FS     vfs.FS
	Dir    string
	Tenant model.TenantID // only this tenant's blocks; "" = all, and the log
	Block  string         // only this block; "" = all, and the log
	// Repair builds each damaged index.db again. It writes only that file, by rename, with the bytes that it had, so it may
	// be done beside a running store.
	Repair     bool
	ScratchDir string // a real directory, for Repair
	// Live says that a store runs on the directory: what it is about to write or to remove is no damage.
	Live     bool
	Progress func(done, total int64)
	Found    func(Finding) // hears of each finding at once
}

// Verify reads everything below a data directory: blocks, state, log, quarantine. It changes nothing unless told to
// repair, takes no lock, and may run beside a store. The error is one of reading; damage is in the findings.
func Verify(ctx context.Context, cfg VerifyConfig) (*Verification, error) {
	if cfg.Progress == nil {
		cfg.Progress = func(int64, int64) {}
	}
	if cfg.Found == nil {
		cfg.Found = func(Finding) {}
	}
	v := &verifier{VerifyConfig: cfg, out: Verification{Dir: cfg.Dir, Findings: []Finding{}}}
	if err := v.run(ctx); err != nil {
		return &v.out, fmt.Errorf("verify %s: %w", cfg.Dir, err)
	}
	return &v.out, nil
}

type verifier struct {
	VerifyConfig
	out         Verification
	state       *state
	done, total int64
	replaced    map[string]string // blocks that are parents of another, and that one
	refused     bool              // a record that cannot be decoded was told of: one is enough to know that another program wrote it
}

func (v *verifier) run(ctx context.Context) error {
	if _, err := v.FS.Stat(v.Dir); err != nil {
		return err
	}
	v.verifyState()
	dirs, err := listBlocks(v.FS, v.Dir)
	if err != nil {
		return err
	}
	for _, odd := range dirs.odd {
		v.found(Finding{Kind: FindingNote, File: odd, Problem: "is none of the store's files and was left alone"})
	}
	dirs.blocks = slices.DeleteFunc(dirs.blocks, func(d blockDir) bool { return !v.wanted(d) })
	quarantined, err := listQuarantine(v.FS, v.Dir)
	if err != nil {
		return err
	}
	quarantined = slices.DeleteFunc(quarantined, func(q Quarantined) bool { return !v.wanted(q.blockDir()) })
	logBytes, err := v.size(dirs.blocks, quarantined)
	if err != nil {
		return err
	}
	if err := v.verifyBlocks(ctx, dirs.blocks); err != nil {
		return err
	}
	if err := v.verifyQuarantine(ctx, quarantined); err != nil {
		return err
	}
	if v.Tenant == "" && v.Block == "" {
		if err := v.verifyLog(ctx); err != nil {
			return err
		}
		v.done += logBytes
	}
	v.Progress(v.total, v.total)
	return nil
}

func (v *verifier) wanted(d blockDir) bool {
	return (v.Tenant == "" || d.tenant == v.Tenant) && (v.Block == "" || d.name == v.Block)
}

func (v *verifier) found(f Finding) {
	v.out.Findings = append(v.out.Findings, f)
	v.Found(f)
}

func (v *verifier) advance(n int64) {
	v.done += n
	v.Progress(min(v.done, v.total), v.total)
}

// size sums what there is to read.
func (v *verifier) size(dirs []blockDir, quarantined []Quarantined) (logBytes int64, err error) {
	for _, d := range dirs {
		v.total += examineBytes(v.FS, d.path)
	}
	for _, q := range quarantined {
		v.total += examineBytes(v.FS, path.Join(v.Dir, q.Dir))
	}
	if v.Tenant != "" || v.Block != "" {
		return 0, nil
	}
	segments, err := listLog(v.FS, v.Dir)
	if err != nil {
		return 0, err
	}
	for _, s := range segments {
		if !s.Spare {
			logBytes += s.Bytes
		}
	}
	v.total += logBytes
	return logBytes, nil
}

// examineBytes is what examining a block costs; 0 when that is not known.
func examineBytes(fsys vfs.FS, dir string) int64 {
	m, err := block.ReadMeta(fsys, dir)
	if err != nil {
		return 0
	}
	return m.ExamineBytes()
}

func (v *verifier) verifyState() {
	var err error
	if v.state, err = loadState(v.FS, v.Dir); err == nil {
		return
	}
	v.state = newState()
	v.found(Finding{
		Kind: FindingDamage, File: stateName, Problem: strings.TrimPrefix(err.Error(), path.Join(v.Dir, stateName)+": "),
		Advice: "The store does not open with it. Stop the store and restore a backup; or move the file away: the marks are found again from the " +
			"blocks, but entries that were deleted and not yet removed are there again.",
	})
}

func (v *verifier) verifyBlocks(ctx context.Context, dirs []blockDir) error {
	var metas []block.Meta
	for _, d := range dirs {
		before := v.done
		m, err := v.verifyBlock(ctx, d)
		if err != nil {
			return err
		}
		if m != nil {
			metas = append(metas, *m)
			v.done = before
			v.advance(m.ExamineBytes())
		}
	}
	v.verifyPlaces(metas)
	return nil
}

// verifyBlock examines one block and repairs it when told to. The meta is nil when it cannot be read or the block is gone.
func (v *verifier) verifyBlock(ctx context.Context, d blockDir) (*block.Meta, error) {
	x, err := block.Examine(ctx, v.FS, d.path, v.advance)
	if (err != nil || len(x.Damage) > 0) && ctx.Err() == nil {
		if _, statErr := v.FS.Stat(d.path); errors.Is(statErr, fs.ErrNotExist) {
			v.out.Vanished++ // replaced, removed by a retention, or in quarantine by now
			return nil, nil
		}
	}
	if err != nil {
		return nil, err
	}
	v.out.Blocks++
	m := &x.Meta
	if len(m.Files) == 0 {
		v.found(Finding{
			Kind: FindingDamage, Tenant: d.tenant, Block: d.name, File: path.Join(d.rel, "meta.json"), Problem: inWords(x.Damage[0].Err),
			Advice: adviceQuarantine,
		})
		return nil, nil
	}
	v.out.Entries += m.Entries
	v.out.Bytes += m.Bytes()
	v.verifyName(d, m)
	if v.Repair && x.IndexOnly() {
		v.repair(ctx, d, m, x)
		return m, ctx.Err()
	}
	for _, damage := range x.Damage {
		v.found(damageOf(d, m, damage))
	}
	return m, nil
}

const (
	adviceQuarantine = "The store moves the block to quarantine when it opens or first reads it. Restore the entries from a backup that is older than the damage."
	adviceChunk      = "The store leaves these entries out of answers, with a warning that names the chunk; nothing else is affected. A backup that is older than the damage has them."
	adviceIndex      = "Nothing is lost: gpx_woodshed verify --repair builds the index again from chunks.bin, also while the store runs. Do it before a query finds the damage and the store moves the block to quarantine."
)

func damageOf(d blockDir, m *block.Meta, damage block.Damage) Finding {
	f := Finding{
		Kind: FindingDamage, Tenant: d.tenant, Block: d.name, Day: m.Day, File: path.Join(d.rel, damage.File), Problem: inWords(damage.Err),
	}
	switch {
	case damage.Chunk != nil:
		c := damage.Chunk
		f.Chunk, f.Entries, f.From, f.To, f.Advice = &c.Number, uint64(c.Entries), c.MinTime.Time(), c.MaxTime.Time(), adviceChunk
	case damage.File == "index.db":
		f.Advice = adviceIndex
	default:
		f.Entries, f.From, f.To, f.Advice = m.Entries, m.MinTime.Time(), m.MaxTime.Time(), adviceQuarantine
	}
	return f
}

// inWords leaves out the class of an error: that it is damage is said already.
func inWords(err error) string {
	return strings.NewReplacer(block.ErrCorrupt.Error()+": block: ", "", block.ErrCorrupt.Error()+": ", "").Replace(err.Error())
}

// verifyName compares what a block says that it is with where it lies.
func (v *verifier) verifyName(d blockDir, m *block.Meta) {
	f := Finding{Kind: FindingDamage, Tenant: d.tenant, Block: d.name, Day: m.Day, File: d.rel}
	if m.ULID.String() != d.name {
		f.Problem = fmt.Sprintf("the directory holds block %s", m.ULID)
		f.Advice = "Stop the store and give the directory that name."
		v.found(f)
	}
	if m.Tenant != d.tenant && !d.quarantined {
		f.Problem = fmt.Sprintf("the block lies in the directory of tenant %s and belongs to %s", d.tenant, m.Tenant)
		f.Advice = "The store does not open like this. Stop it and move the directory to " + path.Join(blocksName, string(m.Tenant)) + "."
		v.found(f)
	}
}

// repair builds the index again and looks at the whole block once more.
func (v *verifier) repair(ctx context.Context, d blockDir, m *block.Meta, x block.Examination) {
	err := block.RepairIndex(ctx, block.RepairConfig{FS: v.FS, TmpDir: path.Join(v.Dir, tmpName), ScratchDir: v.ScratchDir}, d.path)
	if err == nil {
		var again block.Examination
		if again, err = block.Examine(ctx, v.FS, d.path, nil); err == nil && len(again.Damage) > 0 {
			err = again.Damage[0].Err
		}
	}
	f := damageOf(d, m, x.Damage[0])
	if err != nil {
		f.Problem += "; it cannot be repaired: " + err.Error()
		f.Advice = "Nothing is lost, chunks.bin is sound. Keep a copy of the block's directory before you do anything else."
		v.found(f)
		return
	}
	f.Kind, f.Problem, f.Advice = FindingRepaired, f.Problem+"; built again from chunks.bin, and the block verifies", ""
	if d.quarantined {
		f.Advice = fmt.Sprintf("To put the block back: stop the store, mv %s %s, start it.", path.Join(v.Dir, d.rel),
			path.Join(v.Dir, blocksName, string(m.Tenant), m.ULID.String()))
	}
	v.found(f)
}

// verifyPlaces tells of blocks that the next start removes: those of an interrupted flush, and those that another block
// replaced. Beside a running store both are on their way. A member that is missing from a group of before the mark is
// none of that: it was merged, or removed by a retention.
func (v *verifier) verifyPlaces(metas []block.Meta) {
	v.replaced = map[string]string{}
	for i := range metas {
		for _, p := range metas[i].Parents {
			v.replaced[p.String()] = metas[i].ULID.String()
		}
	}
	if v.Live || v.Block != "" {
		return
	}
	note := func(m *block.Meta, format string, args ...any) {
		v.found(Finding{
			Kind: FindingNote, Tenant: m.Tenant, Block: m.ULID.String(), Day: m.Day,
			File: path.Join(blocksName, string(m.Tenant), m.ULID.String()), Problem: fmt.Sprintf(format, args...),
		})
	}
	_, incomplete := block.CompleteGroups(metas)
	for i := range incomplete {
		if m := &incomplete[i]; wal.Position(m.WalTo) > v.state.WalTo[m.Tenant] {
			note(m, "it is from a flush that was cut short; the next start removes it, and the log has its entries")
		}
	}
	for i := range metas {
		if by := v.replaced[metas[i].ULID.String()]; by != "" {
			note(&metas[i], "block %s replaced it; the next start removes it", by)
		}
	}
}

// verifyQuarantine tells what lies in quarantine and what of it can be read.
func (v *verifier) verifyQuarantine(ctx context.Context, list []Quarantined) error {
	for _, q := range list {
		v.out.Quarantine++
		d := q.blockDir()
		d.path = path.Join(v.Dir, q.Dir)
		x, err := block.Examine(ctx, v.FS, d.path, v.advance)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if v.Repair && x.IndexOnly() && v.replaced[q.Block] == "" {
			v.repair(ctx, d, &x.Meta, x)
			continue
		}
		f := Finding{
			Kind: FindingDamage, Tenant: q.Tenant, Block: q.Block, Day: x.Meta.Day, File: q.Dir, Entries: x.Meta.Entries,
			Problem: "in quarantine: " + q.Reason,
			Advice:  "Its entries are in no answer. Restore them from a backup, or keep the directory for an expert; remove it when nobody needs it.",
		}
		if x.Meta.Entries > 0 {
			f.From, f.To = x.Meta.MinTime.Time(), x.Meta.MaxTime.Time()
		}
		switch {
		case v.replaced[q.Block] != "":
			f.Kind, f.Entries = FindingNote, 0
			f.Advice = "Block " + v.replaced[q.Block] + " has its entries. Remove it when nobody needs it."
		case x.IndexOnly():
			f.Advice = "Only its index is damaged: verify --repair builds it again and says how to put the block back."
		case err == nil && len(x.Damage) == 0:
			f.Advice = fmt.Sprintf("It verifies now. To put it back: stop the store, mv %s %s, start it.", d.path,
				path.Join(v.Dir, blocksName, string(x.Meta.Tenant), x.Meta.ULID.String()))
		}
		v.found(f)
	}
	return nil
}
