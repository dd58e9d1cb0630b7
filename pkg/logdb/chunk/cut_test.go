//go:build !race

package chunk

// cutCount is how many needles TestFilterMissesNothing cuts.
const cutCount = 1_000_000

// lostCount is how many keys TestCutFindsALostKey takes away, one at a time.
const lostCount = 20
