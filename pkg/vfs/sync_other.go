//go:build !linux

package vfs

// Sync uses the strongest sync that os.File knows; on darwin that is F_FULLFSYNC, which reaches the medium.
func (f osFile) Sync() error { return f.File.Sync() }
