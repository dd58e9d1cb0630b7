package wire

import (
	"unsafe"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

const (
	// labelsBytesMax is the longest label text of one stream. labels.Labels panics when a name or a value reaches 16 MiB,
	// so nothing longer may get that far; Loki has the same limit for the same reason.
	labelsBytesMax = 1 << 24

	// labelsCountMax is the most labels that a stream in JSON may have. Limits of tenants are far below; this one keeps a set
	// from taking memory before they are asked.
	labelsCountMax = 4096

	// jsonDepthMax bounds the nesting of values that the JSON decoder skips over.
	jsonDepthMax = 64

	// structFactorMax bounds the memory of the decoded structures by this multiple of DecompressedBytesMax: an empty
	// entry is two bytes of protobuf and 64 bytes of model.Entry, so a body of nothing else would grow thirtyfold.
	// Lines of ten bytes stay below the limit.
	structFactorMax = 4

	// snappyRatioMax bounds what a snappy block of given size can hold: its densest element makes 64 bytes of 3.
	snappyRatioMax = 22

	// inflateBytesMin is the first buffer for a gzipped body.
	inflateBytesMin = 64 << 10

	// pooledBufferBytesMax and pooledEntriesMax keep one huge push from living on in the pool.
	pooledBufferBytesMax = 8 << 20
	pooledEntriesMax     = 64 << 10

	// chargeElements is how many streams, entries or pairs of recycled memory are announced to Options.Reserve at a time.
	chargeElements = 1 << 8
)

// Sizes of what a request is decoded to, for Options.Reserve.
const (
	// A stream counts with what is derived from it before it is stored: its label set, hash and headers.
	streamBytes = int(unsafe.Sizeof(Stream{})) + 256
	entryBytes  = int(unsafe.Sizeof(model.Entry{}))
	pairBytes   = int(unsafe.Sizeof(model.Pair{}))
)
