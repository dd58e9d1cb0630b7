//go:build unix && !linux

package plugin

import "errors"

// fileSystemKind knows no magic numbers outside Linux.
func fileSystemKind(string) (int64, error) { return 0, errors.ErrUnsupported }
