//go:build race

package chunk

// cutCount is smaller under the race detector, which is ten times slower and has nothing to find there.
const cutCount = 50_000
