package logdb

import (
	"context"
	"time"
)

const (
	retainEvery  = time.Minute
	compactEvery = 10 * time.Second // when nobody asks: a day may have ended
)

// tend looks after what is on disk until ctx ends: the free space, blocks whose time is over, blocks that should be one,
// deletes that are due, corrupt blocks that the log can give back. It is the one worker that does: none of it is urgent.
func (db *DB) tend(ctx context.Context) {
	defer close(db.tended)
	tick := time.NewTicker(db.cfg.CheckInterval)
	defer tick.Stop()
	var retained, compacted time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		db.watchDisk()
		now := time.Now()
		if now.Sub(retained) >= retainEvery {
			retained = now
			db.tell(ctx, "retention failed; it is tried again", db.retain())
		}
		if db.asked.Swap(false) || now.Sub(compacted) >= compactEvery {
			compacted = now
			db.tell(ctx, "blocks were not tended; it is tried again", db.tendBlocks(ctx))
		}
	}
}

// tendSoon has the next tick tend blocks.
func (db *DB) tendSoon() { db.asked.Store(true) }

// tendBlocks does what is due for blocks besides retention.
func (db *DB) tendBlocks(ctx context.Context) error {
	if err := db.moveLeaving(); err != nil {
		return err
	}
	for _, t := range db.allTenants() {
		if err := db.recoverLost(ctx, t); err != nil {
			return err
		}
	}
	if err := db.compact(ctx); err != nil {
		return err
	}
	return db.retireTombstones()
}

func (db *DB) tell(ctx context.Context, message string, err error) {
	if err != nil && ctx.Err() == nil {
		db.cfg.Logger.Error(message, "err", err)
	}
}
