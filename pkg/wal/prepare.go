package wal

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

// zeros is read only. Nothing is stored in it, so it costs no memory but its page tables.
var zeros [prepareStepBytes]byte

// preparer writes zeros for the next segment while the present one fills, so that its blocks are allocated when they are
// needed. It keeps a quarter ahead of the present segment, does nothing while a recycled segment waits or the present one
// has hardly been used, and gives the space back when the disk refuses.
type preparer struct {
	log  *Log
	wake chan struct{}
	fill atomic.Int64 // bytes in the present segment
	size atomic.Int64 // bytes written, for State

	mu     sync.Mutex // guards what follows; held for one step of zeros at most
	file   vfs.File
	name   string
	failed bool // until the next segment begins
}

func newPreparer(l *Log) *preparer { return &preparer{log: l, wake: make(chan struct{}, 1)} }

// filled tells how far the present segment is filled.
func (p *preparer) filled(offset int64) {
	if p.log.cfg.Sync == SyncOff {
		return // nothing waits for the disk
	}
	p.fill.Store(offset)
	if offset >= p.after() {
		select {
		case p.wake <- struct{}{}:
		default:
		}
	}
}

func (p *preparer) run(ctx context.Context) {
	defer p.discard()
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.wake:
		}
		for ctx.Err() == nil && p.step() {
		}
	}
}

// after is the offset from which a segment counts as used.
func (p *preparer) after() int64 {
	return dataStart + min(prepareAfterBytes, (p.log.cfg.SegmentBytes-dataStart)/4)
}

// wanted returns how large the prepared file should be by now.
func (p *preparer) wanted() int64 {
	fill := p.fill.Load()
	if fill < p.after() || p.log.hasSpare() {
		return 0
	}
	return min(p.log.cfg.SegmentBytes, fill+fill/4)
}

// step writes some zeros and tells whether more are wanted.
func (p *preparer) step() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	size := p.size.Load()
	missing := p.wanted() - size
	if missing <= 0 || p.failed {
		return false
	}
	if err := p.extend(size, min(missing, prepareStepBytes)); err != nil {
		p.log.log.Warn("next segment not prepared", "err", err)
		p.failed = true
		p.discardLocked()
		return false
	}
	return true
}

func (p *preparer) extend(size, step int64) error {
	if p.file == nil {
		name := p.log.tempPath()
		f, err := p.log.cfg.FS.Create(name)
		if err != nil {
			return err
		}
		p.file, p.name = f, name
	}
	if _, err := p.file.WriteAt(zeros[:step], size); err != nil {
		return fmt.Errorf("write zeros: %w", err)
	}
	if err := p.file.Sync(); err != nil {
		return fmt.Errorf("sync zeros: %w", err)
	}
	p.size.Store(size + step)
	return nil
}

// take hands the prepared file over, if there is one, and begins anew.
func (p *preparer) take() (vfs.File, string, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f, name := p.file, p.name
	p.file, p.failed = nil, false
	p.size.Store(0)
	p.fill.Store(0)
	return f, name, f != nil
}

// refuse gives the space back and takes no more before the next segment begins.
func (p *preparer) refuse() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failed = true
	p.discardLocked()
}

// discard gives the space back.
func (p *preparer) discard() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.discardLocked()
}

func (p *preparer) discardLocked() {
	if p.file == nil {
		return
	}
	_ = p.file.Close()
	_ = p.log.cfg.FS.Remove(p.name) // what stays is removed by the next Open
	p.file = nil
	p.size.Store(0)
}
