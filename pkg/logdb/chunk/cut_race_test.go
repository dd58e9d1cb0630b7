//go:build race

package chunk

// cutCount is smaller under the race detector, which is ten times slower and has nothing to find there.
const cutCount = 50_000

// lostCount is how many keys TestCutFindsALostKey takes away, one at a time.
const lostCount = 4
