package logdb

import "context"

// dropCaches gives back the memory of what was decoded.
func (db *DB) dropCaches() {}

func (db *DB) compact(ctx context.Context) error { return nil }
