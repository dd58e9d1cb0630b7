//go:build invariant

package invariant

import "fmt"

// Enabled tells whether this build checks.
const Enabled = true

// mangled is what a forgotten reference to a buffer finds: no valid length, no text, not zero.
const mangled = 0xDB

// Check panics with the formatted text when cond is false.
func Check(cond bool, format string, args ...any) {
	if !cond {
		panic("invariant violated: " + fmt.Sprintf(format, args...))
	}
}

// Mangle overwrites a buffer whose owner takes it back, so that a caller who kept a reference reads nonsense in tests
// instead of plausible old bytes.
func Mangle(b []byte) {
	for i := range b {
		b[i] = mangled
	}
}
