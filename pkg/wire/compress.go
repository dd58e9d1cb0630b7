package wire

import (
	"bytes"
	"errors"
	"io"
	"sync"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
)

var (
	gzipReaders  sync.Pool // *gzip.Reader
	flateReaders sync.Pool // io.ReadCloser and flate.Resetter
)

// decompress inflates a gzip or raw flate body into r.inflate. It stops at the limit, so a bomb costs no more than that.
func (r *Request) decompress(body []byte, contentEncoding string) ([]byte, error) {
	src := bytes.NewReader(body)
	defer src.Reset(nil) // a pooled reader must not keep the body alive
	if contentEncoding == "gzip" {
		z, ok := gzipReaders.Get().(*gzip.Reader)
		if !ok {
			z = new(gzip.Reader)
		}
		defer gzipReaders.Put(z)
		if err := z.Reset(src); err != nil {
			return nil, malformed("%s", err)
		}
		return r.inflateAll(z)
	}
	z, ok := flateReaders.Get().(io.ReadCloser)
	if !ok {
		z = flate.NewReader(src)
	} else if err := z.(flate.Resetter).Reset(src, nil); err != nil {
		return nil, malformed("%s", err)
	}
	defer flateReaders.Put(z)
	return r.inflateAll(z)
}

// inflateAll reads z to its end, doubling the buffer.
func (r *Request) inflateAll(z io.Reader) ([]byte, error) {
	limit := r.o.DecompressedBytesMax
	b := r.inflate[:0]
	reserved := 0
	for {
		if len(b) == cap(b) || len(b) == reserved {
			want := max(inflateBytesMin, 2*len(b))
			if limit > 0 {
				want = min(want, limit+1) // one more than allowed tells a full buffer from a bomb
			}
			if err := r.reserve(want - reserved); err != nil {
				return nil, err
			}
			reserved = want
			if want > cap(b) {
				b = append(make([]byte, 0, want), b...)
			}
			r.inflate = b
		}
		n, err := z.Read(b[len(b):min(cap(b), reserved)])
		b = b[:len(b)+n]
		if limit > 0 && len(b) > limit {
			return nil, decompressedTooLarge(len(b), limit)
		}
		if errors.Is(err, io.EOF) {
			r.inflate = b
			return b, nil
		}
		if err != nil {
			return nil, malformed("%s", err)
		}
	}
}
