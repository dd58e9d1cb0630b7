//go:build !purego

package match

import "golang.org/x/sys/cpu"

var hasPairs = cpu.X86.HasAVX2

// indexPairAVX2 returns the first place below n, which is at least 32, that has the byte a behind first and the byte b
// behind second; -1 when there is none. Both have n bytes.
//
//go:noescape
func indexPairAVX2(first, second *byte, n int, a, b byte) int

// indexPair returns the first place in first and second, which are as long as each other, that has a in the one and b in
// the other; -1 when there is none.
func indexPair(first, second []byte, a, b byte) int {
	if !hasPairs || len(first) < pairBlock {
		return indexPairSlow(first, second, a, b)
	}
	return indexPairAVX2(&first[0], &second[0], len(first), a, b)
}
