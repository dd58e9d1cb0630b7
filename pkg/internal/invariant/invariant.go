// Package invariant holds checks of our own reasoning: conditions that no input, disk or caller can make false unless we
// wrote a bug. They are compiled in with the build tag `invariant` (the tests of the storage engine run with it) and cost
// nothing without it. Bad data, full disks and wrong requests are errors, never invariants.
//
// The package knows nothing of what it checks. Guard work that exists only for a check with `if invariant.Enabled`.
package invariant
