package plugin

import "time"

const (
	// readyWait is how long a request waits for a store that replays: long enough for most restarts, and shorter than
	// the 10 s in which Grafana's alerting and front end begin to give up.
	readyWait = 5 * time.Second
	// queryTimeoutMax ends a query that nobody can be waiting for any more, whatever query_timeout says.
	queryTimeoutMax = 15 * time.Minute
	// resourceTimeout ends a label listing; the picker is useless long before.
	resourceTimeout = 30 * time.Second
	// healthTimeout ends the sizing of a tenant in a health check.
	healthTimeout = 2 * time.Second

	// Requests that run at once in the process; the others wait for their turn, or until Grafana gives them up. Each may
	// hold one whole answer in memory.
	runningMin    = 4
	runningPerCPU = 2
	// queriesAtOnce of one request: a dashboard panel with 20 queries must not take every place.
	queriesAtOnce = 4

	queryBytesMax    = 128 << 10   // of one LogQL text, as in Loki
	linesDefault     = 1000        // rows of a log query that asks for no number, as in Loki's data source
	stepsMax         = 11_000      // points of a series, as in Loki; more than any screen has pixels
	seriesMax        = 5_000       // frames of one answer; a browser draws hundreds at best
	samplesMax       = 1_000_000   // over all series of one answer: 16 MB
	pagingMax        = time.Minute // of seamNs and fillNs: a page reads this much beyond its limit
	entryIDMax       = 64
	searchWordsMax   = 64 // patterns that the browser runs over every line
	searchWordBytes  = 1 << 10
	listingMax       = 50_000 // label names, values or series in one answer
	listingBytesMax  = 16 << 20
	selectorsMax     = 64      // match[] parameters of one request
	logValueBytesMax = 8 << 10 // of one attribute: Grafana tears log lines above 64 KiB apart
	rowBytesOverhead = 64      // of a row besides its texts: time, lengths, offsets
)
