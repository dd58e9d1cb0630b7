//go:build !race

package chunk

// cutCount is how many needles TestFilterMissesNothing cuts.
const cutCount = 1_000_000
