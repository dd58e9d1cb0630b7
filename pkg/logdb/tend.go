package logdb

import (
	"context"
	"errors"
	"time"
)

// tendEvery is how often blocks are looked after when nobody asks: a day may have ended, or some blocks' time.
const tendEvery = 10 * time.Second

// tend looks after blocks until ctx ends: those whose time is over, those that should be one, deletes that are due, corrupt
// ones that the log can give back. It is the one worker that does: none of it is urgent.
func (db *DB) tend(ctx context.Context) {
	tick := time.NewTicker(db.cfg.CheckInterval)
	defer tick.Stop()
	var last time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if now := time.Now(); db.asked.Swap(false) || now.Sub(last) >= tendEvery {
			last = now
			err := db.tendBlocks(ctx)
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				db.cfg.Logger.Error("blocks were not tended; it is tried again", "err", err)
			}
			db.faults.tended(err)
		}
	}
}

// watch looks at the free space until ctx ends.
func (db *DB) watch(ctx context.Context) {
	tick := time.NewTicker(db.cfg.CheckInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-db.look: // much was pushed
		}
		db.watchDisk()
	}
}

// tendSoon has the next tick tend blocks.
func (db *DB) tendSoon() { db.asked.Store(true) }

// tendBlocks does what is due for blocks: first what gives space back, then what takes some for a while. What fails for one
// block or tenant does not keep it from the others.
func (db *DB) tendBlocks(ctx context.Context) error {
	if err := db.moveLeaving(); err != nil {
		return err
	}
	var errs []error
	for _, t := range db.allTenants() {
		errs = append(errs, db.recoverLost(ctx, t))
	}
	errs = append(errs, db.retain(), db.compact(ctx))
	if len(db.leavingBlocks()) > 0 {
		return errors.Join(errs...) // after a crash these are there again, and so must be the deletes that hide some of them
	}
	return errors.Join(append(errs, db.retireTombstones())...)
}
