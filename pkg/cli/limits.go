package cli

import "time"

const (
	addrDefault = "http://127.0.0.1:3110"

	// The time that one request may take. A query may run as long as the server lets it, and a minute more.
	requestTimeoutDefault = 6 * time.Minute
	// Errors are one or two lines; more is somebody else's error page.
	errorBytesMax = 64 << 10
	// What an answer may have in bytes before it is refused: 5,000 lines of 200 KiB.
	answerBytesMax = 1 << 30

	// How a push behaves: as Promtail does (batchsize, batchwait, timeout, backoff).
	batchBytesDefault = 1 << 20
	batchBytesMax     = 32 << 20
	batchWait         = time.Second
	pushTimeout       = 10 * time.Second
	backoffMin        = 500 * time.Millisecond
	backoffMax        = 5 * time.Minute
	retriesDefault    = 10
	// Longer lines are not sent: no store takes them.
	pushLineBytesMax = 1 << 20
	// Lines of a push that are read ahead of the network.
	linesWaiting = 1024
	// How long an interrupted push may take for the lines that it has read.
	interruptGrace = 5 * time.Second

	// The columns that a picture of a query may take when the terminal does not say its width.
	widthDefault = 100
	widthMin     = 20

	// How often a long command says how far it is: on a terminal, and elsewhere.
	barEvery          = 100 * time.Millisecond
	progressLineEvery = 5 * time.Second
	// How long a store may take to describe itself, and to make a backup.
	storeTimeout  = 10 * time.Second
	backupTimeMax = 7 * 24 * time.Hour
	// The blocks that inspect lists when none are chosen; --json has all.
	inspectBlocksMax = 40
	topMax           = 10_000

	// The bounds of a benchmark, far above what it needs.
	benchLinesMax   = 200_000_000
	benchStreamsMax = 100_000
	benchClientsMax = 64
	benchRepeatMax  = 1000
	benchTimeMax    = 24 * time.Hour
	// How often a benchmark says how far it is.
	benchProgressEvery = 5 * time.Second
	// The corpus of bench storage: its size, clients and streams, and how well it may compress before figures on it would
	// flatter. The corpus of the comparison with other stores compresses 5.7 : 1.
	storageBytesDefault = 256 << 20
	storageBytesMin     = 1 << 20
	storageBytesMax     = 16 << 30
	storageClients      = 4
	storageStreams      = 100
	corpusRatioMax      = 6
	// Lines by which the length of a corpus is told before it is made.
	sampleLines = 4000
	// What is read of a server's metrics.
	metricsBytesMax = 16 << 20
)
