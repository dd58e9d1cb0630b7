package history

import "time"

const (
	sampleEvery = 15 * time.Second // as Prometheus is told to scrape in deploy/prometheus
	liveEvery   = time.Second      // between samples that are taken because somebody asks
	saveEvery   = 5 * time.Minute  // what a killed process forgets at most

	setsMaxDefault = 32
	restLabel      = "<other>" // the value of all labels of the set that later ones share

	seriesTop       = 4096     // in a file; more than any list of metrics makes
	fileBytesMax    = 48 << 20 // of the file: it is read whole
	bodyBytesMax    = 48 << 20 // 4096 series of all tiers take 40 MB
	labelsTop       = 16
	labelNameMax    = 1<<8 - 1
	labelValueMax   = 1<<16 - 1
	decoderMemory   = bodyBytesMax + 1<<20
	warningsEqually = time.Hour // between two warnings about the same
)

// tier is one resolution: so many samples, so far apart.
type tier struct {
	step  time.Duration
	count int
}

// tiers belong to the version of the file.
var tiers = [...]tier{{sampleEvery, 240}, {time.Minute, 360}, {5 * time.Minute, 288}, {time.Hour, 336}}

// Retention is how far back the coarsest samples go.
const Retention = 336 * time.Hour

// Resolution is the step of the finest samples.
const Resolution = sampleEvery
