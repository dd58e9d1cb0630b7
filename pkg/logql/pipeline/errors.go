package pipeline

import "errors"

// ErrUnsupported marks a query that is LogQL but cannot be evaluated yet.
var ErrUnsupported = errors.New("not supported yet")

// UnsupportedError names what cannot be evaluated. It is ErrUnsupported.
type UnsupportedError struct{ What string }

// Unsupported returns an *UnsupportedError.
func Unsupported(what string) error { return &UnsupportedError{What: what} }

func (e *UnsupportedError) Error() string {
	return e.What + " is valid LogQL, but this version of Woodshed cannot evaluate it yet"
}

// Unwrap makes errors.Is find ErrUnsupported.
func (e *UnsupportedError) Unwrap() error { return ErrUnsupported }
