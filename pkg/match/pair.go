package match

// pairBlock is how many places indexPair compares at once, where the processor can.
const pairBlock = 32

// indexPairSlow is indexPair byte by byte.
func indexPairSlow(first, second []byte, a, b byte) int {
	second = second[:len(first)]
	for i, c := range first {
		if c == a && second[i] == b {
			return i
		}
	}
	return -1
}
