package storage

import "errors"

// The classes of failure that edges map to a status. Everything else is an internal error.
var (
	// ErrCorrupt marks data that fails its checksum or its format.
	ErrCorrupt = errors.New("corrupt data")
	// ErrLimit marks a query or push that exceeds a limit; the text says which limit and by how much. The caller's fault.
	ErrLimit = errors.New("limit exceeded")
	// ErrOverloaded marks a push that may be sent again later: memory or disk is short, or the log cannot be written.
	ErrOverloaded = errors.New("overloaded")
	// ErrNotReady marks a store that is still opening or replaying.
	ErrNotReady = errors.New("not ready")
	// ErrClosed marks a store that is shutting down.
	ErrClosed = errors.New("store closed")
)
