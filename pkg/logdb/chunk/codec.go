package chunk

import (
	"fmt"
	"hash/crc32"
	"runtime"
	"sync"

	"github.com/klauspost/compress/zstd"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// corrupt makes an error that wraps ErrCorrupt.
func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, args...))
}

// One encoder of each level and one decoder serve the process: EncodeAll and DecodeAll may run concurrently, block when
// every CPU is busy with one, and keep their tables between calls. No checksum in the frames: pages have their own.
var (
	encoderBetter  = sync.OnceValue(func() *zstd.Encoder { return newEncoder(zstd.SpeedBetterCompression) })
	encoderFastest = sync.OnceValue(func() *zstd.Encoder { return newEncoder(zstd.SpeedFastest) })
	decoder        = sync.OnceValue(newDecoder)
)

func newEncoder(level zstd.EncoderLevel) *zstd.Encoder {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(level), zstd.WithEncoderCRC(false), zstd.WithZeroFrames(true),
		zstd.WithWindowSize(windowBytes), zstd.WithEncoderConcurrency(runtime.GOMAXPROCS(0)),
		zstd.WithAllLitEntropyCompression(true))
	if err != nil {
		panic(err) // the options above are constants; a wrong one fails in every test
	}
	return e
}

func newDecoder() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(runtime.GOMAXPROCS(0)), zstd.WithDecodeAllCapLimit(true),
		zstd.WithDecoderMaxMemory(EntryBytesMax))
	if err != nil {
		panic(err) // as in newEncoder
	}
	return d
}

func encoderOf(l Level) *zstd.Encoder {
	if l == Fastest {
		return encoderFastest()
	}
	return encoderBetter()
}

// Compress appends src as one zstd frame. It is for the texts that package block keeps beside the chunks.
func Compress(dst, src []byte) []byte { return encoderBetter().EncodeAll(src, dst) }

// Decompress appends exactly rawLen bytes that Compress made src of; anything else wraps ErrCorrupt.
func Decompress(dst, src []byte, rawLen int) ([]byte, error) { return decompress(dst, src, rawLen) }

// decompress appends exactly rawLen bytes to dst. rawLen comes from disk: it is checked against what src could possibly
// expand to before anything is allocated, and the decoder never writes beyond it.
func decompress(dst, src []byte, rawLen int) ([]byte, error) {
	if rawLen > EntryBytesMax || rawLen > (len(src)+1)*zstdExpandMax {
		return dst, corrupt("%d bytes cannot decompress to %d", len(src), rawLen)
	}
	n := len(dst)
	if cap(dst)-n < rawLen {
		grown := make([]byte, n, n+rawLen)
		copy(grown, dst)
		dst = grown
	}
	out, err := decoder().DecodeAll(src, dst[:n:n+rawLen])
	if err != nil {
		return dst[:n], corrupt("zstd: %v", err)
	}
	if len(out) != n+rawLen {
		return dst[:n], corrupt("zstd gave %d bytes, want %d", len(out)-n, rawLen)
	}
	return dst[:len(out)], nil // the same memory, with all its capacity: it is decoded into again
}
