package lokiapi

import "time"

// The bounds of one request. What an operator may change stands in Config with these as defaults.
const (
	// Loki's default for a compressed push body (100 MB, decimal).
	bodyBytesMaxDefault = 100 * 1000 * 1000
	// A push that unpacks to more than this would need most of the process' memory; Loki allows 5 GB here.
	decodedBytesMaxDefault = 64 << 20
	// Loki's querier.query_timeout.
	queryTimeoutDefault = time.Minute
	// Loki's max_entries_limit_per_query.
	queryEntriesMaxDefault = 5000

	// The parser's bound on the text of a query, Loki's.
	queryTextBytesMax = 131072
	// A form holds one query, percent-encoded (three bytes for one), and a few short parameters.
	formBytesMax = 3*queryTextBytesMax + 64<<10
	// Selectors of one series request; Grafana sends one.
	seriesSelectorsMax = 100
	// Points of one series in a range query, as in Loki and Prometheus.
	stepsMax = 11000
	// Entries of an answer when the request names no limit.
	queryEntriesDefault = 100

	// Bytes of a push body that are reserved at a time while it arrives. Small enough that a thousand clients that send
	// nothing cannot hold the whole budget.
	bodyReserveBytes = 64 << 10
	// Buffers above this go to the garbage collector instead of the pool.
	pooledBytesMax = 4 << 20

	// Answers are sent in pieces of about this size.
	responsePieceBytes = 32 << 10
	// Below this gzip costs more than it saves.
	gzipBytesMin = 1 << 10

	// Queries that may run at once, and may wait for a turn.
	queriesRunningMaxDefault = 16
	queriesWaitingMaxDefault = 256
)

// The bounds of a connection.
const (
	readHeaderTimeout = 10 * time.Second
	// A push body must arrive within this time, as in Loki.
	readTimeout = 30 * time.Second
	// Clients keep connections for a minute or two.
	idleTimeout = 2 * time.Minute
	// A query may stand percent-encoded in the URL.
	headerBytesMax = 1 << 20
	// What an answer may take to be read by a slow client after the query itself timed out or ended.
	writeSlack = time.Minute
)
