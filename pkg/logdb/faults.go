package logdb

import (
	"slices"
	"sync"
)

// faultsMax bounds what is remembered for people: a disk that goes bad would otherwise fill the memory with sentences.
const faultsMax = 20

// faults remembers what was found wrong with blocks since the database was opened, in sentences.
type faults struct {
	mu    sync.Mutex // guards the fields below
	texts []string   // the first ones
	more  int
	tend  string // why the last round of tending failed; empty when it did not
}

func (f *faults) add(text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case slices.Contains(f.texts, text):
	case len(f.texts) < faultsMax:
		f.texts = append(f.texts, text)
	default:
		f.more++
	}
}

func (f *faults) tended(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tend = ""
	if err != nil {
		f.tend = err.Error()
	}
}

// Faults tells what was found wrong with blocks since the database was opened: sentences, and how many more there are; and why
// merging and retention do not get on, if they do not.
func (db *DB) Faults() (texts []string, more int, tending string) {
	db.faults.mu.Lock()
	defer db.faults.mu.Unlock()
	return slices.Clone(db.faults.texts), db.faults.more, db.faults.tend
}
