//go:build !amd64 || purego

package match

// hasPairs says whether indexPair is faster than bytes.IndexByte.
const hasPairs = false

func indexPair(first, second []byte, a, b byte) int { return indexPairSlow(first, second, a, b) }
