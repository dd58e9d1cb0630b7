package logdb

import (
	"context"
	"fmt"
	"path"
	"slices"

	"github.com/woodshed-logs/woodshed/pkg/logdb/record"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/wal"
)

// logReads is how often a log with damage is read beside a running store: a segment that is recycled while it is read
// looks damaged, and is not there the next time.
const logReads = 3

// verifyLog replays the log without applying anything.
func (v *verifier) verifyLog(ctx context.Context) error {
	var damage []wal.Damage
	before := v.done
	for read := range logReads {
		v.done, v.out.Log = before, LogVerification{}
		stats, err := v.replay(ctx)
		if err != nil {
			return err
		}
		if read > 0 {
			stats.Damage = slices.DeleteFunc(stats.Damage, func(d wal.Damage) bool { return !slices.Contains(damage, d) })
		}
		if damage = stats.Damage; len(damage) == 0 || !v.Live {
			break
		}
	}
	for _, d := range damage {
		v.found(Finding{
			Kind: FindingDamage, File: path.Join(walName, fmt.Sprintf("%010d.wal", d.Segment)), Problem: d.String(),
			Advice: "Records in this stretch are lost; the store skips it when it opens and says so. Agents that still have the lines can send them again: what is there already is not stored twice.",
		})
	}
	return nil
}

func (v *verifier) replay(ctx context.Context) (wal.ReplayStats, error) {
	before := v.done
	l := &v.out.Log
	entries := map[model.TenantID]uint64{}
	decoder := record.NewDecoder()
	stats, err := wal.Replay(ctx, wal.ReplayConfig{FS: v.FS, Dir: path.Join(v.Dir, walName), Progress: func(done, _ int64) {
		v.Progress(min(before+done, v.total), v.total)
	}}, func(at wal.Position, typ byte, payload []byte) error {
		l.Records++
		id, err := record.TenantOf(payload)
		if err == nil && at < v.state.WalTo[id] {
			l.InBlocks++
			return nil
		}
		if err == nil {
			err = countEntries(entries, id, decoder, typ, payload)
		}
		if err != nil && !v.refused {
			v.refused = true
			v.found(Finding{
				Kind: FindingDamage, Tenant: id, File: path.Join(walName, fmt.Sprintf("%010d.wal", at.Segment())),
				Problem: fmt.Sprintf("record at %s: %v", at, err),
				Advice:  "The store does not open with it. A newer version wrote it: start that one.",
			})
		}
		return nil
	})
	for _, n := range entries {
		l.Entries += n
	}
	l.Segments, l.Bytes, l.Torn = stats.Segments, stats.Bytes, stats.Torn
	return stats, err
}

// countEntries adds the entries of a record to its tenant's. A carry has all that stand before it.
func countEntries(entries map[model.TenantID]uint64, id model.TenantID, decoder *record.Decoder, typ byte, payload []byte) error {
	p, err := decoder.Decode(typ, payload)
	if err != nil {
		return err
	}
	defer p.Release()
	if typ == record.TypeCarry {
		entries[id] = 0
	}
	for i := range p.Streams {
		entries[id] += uint64(len(p.Streams[i].Entries))
	}
	return nil
}
