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

// The classes of refused pushes; each becomes Loki's status for it at the edge.
var (
	ErrInvalid       = errors.New("invalid")       // 400: sending it again cannot help
	ErrTooLarge      = errors.New("too large")     // 413
	ErrUnprocessable = errors.New("unprocessable") // 422: nothing to store
	ErrRateLimited   = errors.New("rate limited")  // 429: send it again later
)

// Refusal is an error whose text is meant for the client word for word. Class is one of the sentinels above.
type Refusal struct {
	Class error
	Text  string
}

func (r *Refusal) Error() string { return r.Text }

// Unwrap makes errors.Is find the class.
func (r *Refusal) Unwrap() error { return r.Class }
