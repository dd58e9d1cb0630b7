package lokiapi

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/klauspost/compress/gzip"
)

const contentTypeJSON = "application/json; charset=UTF-8"

// answer writes a JSON body in pieces, so that the memory of an answer does not grow with it. What is shorter than one
// piece goes out with its length; gzip when the client takes it and it is worth it. The first error of the connection
// stops all further work.
type answer struct {
	w       http.ResponseWriter
	status  int
	gzipOK  bool
	zip     *gzip.Writer
	buf     []byte
	started bool
	err     error
}

var (
	answerBuffers = sync.Pool{New: func() any { b := make([]byte, 0, 2*responsePieceBytes); return &b }}
	gzipWriters   = sync.Pool{New: func() any {
		z, err := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed)
		if err != nil {
			panic(err) // the level is a constant
		}
		return z
	}}
)

// respond runs write and sends what it wrote.
func respond(w http.ResponseWriter, r *http.Request, write func(*answer)) error {
	return respondWith(w, r, http.StatusOK, write)
}

func respondWith(w http.ResponseWriter, r *http.Request, status int, write func(*answer)) error {
	buf := answerBuffers.Get().(*[]byte)
	an := &answer{w: w, status: status, gzipOK: acceptsGzip(r), buf: (*buf)[:0]}
	write(an)
	err := an.finish()
	if cap(an.buf) <= pooledBytesMax {
		*buf = an.buf
		answerBuffers.Put(buf)
	}
	return err
}

func (an *answer) raw(s string) { an.buf = append(an.buf, s...) }

// str appends a JSON string; a long one in parts, so that the buffer stays small.
func (an *answer) str(s string) {
	an.buf = append(an.buf, '"')
	for len(s) > responsePieceBytes {
		cut := runeCut(s, responsePieceBytes)
		an.buf = appendJSONEscaped(an.buf, s[:cut])
		s = s[cut:]
		an.spill()
	}
	an.buf = appendJSONEscaped(an.buf, s)
	an.buf = append(an.buf, '"')
	an.spill()
}

// runeCut returns a place at or just below n where s can be cut without splitting a valid rune: before a byte that
// starts one. Four bytes in a row that start none leave no rune that could reach over the last of them.
func runeCut(s string, n int) int {
	for back := range utf8.UTFMax {
		if utf8.RuneStart(s[n-back]) {
			return n - back
		}
	}
	return n
}

// strs appends a JSON array of strings.
func (an *answer) strs(list []string) {
	an.buf = append(an.buf, '[')
	for i, s := range list {
		if i > 0 {
			an.buf = append(an.buf, ',')
		}
		an.str(s)
	}
	an.buf = append(an.buf, ']')
}

// value appends anything small, by reflection.
func (an *answer) value(v any) {
	b, err := json.Marshal(v)
	if err != nil {
		an.fail(err)
		return
	}
	an.buf = append(an.buf, b...)
}

func (an *answer) fail(err error) {
	if an.err == nil {
		an.err = err
	}
}

// spill sends the buffer when it holds a piece.
func (an *answer) spill() {
	if len(an.buf) < responsePieceBytes {
		return
	}
	an.start(false)
	an.flush()
}

// start sends the header. The length is known only when whole.
func (an *answer) start(whole bool) {
	if an.started {
		return
	}
	an.started = true
	// From here on it is the client who is slow. A writer without deadlines (in tests) is as good.
	_ = http.NewResponseController(an.w).SetWriteDeadline(time.Now().Add(writeSlack))
	h := an.w.Header()
	h.Set("Content-Type", contentTypeJSON)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Add("Vary", "Accept-Encoding")
	switch {
	case an.gzipOK && len(an.buf) >= gzipBytesMin:
		h.Set("Content-Encoding", "gzip")
		an.zip = gzipWriters.Get().(*gzip.Writer)
		an.zip.Reset(an.w)
	case whole:
		h.Set("Content-Length", strconv.Itoa(len(an.buf)))
	}
	an.w.WriteHeader(an.status)
}

func (an *answer) flush() {
	if an.err == nil {
		var dst io.Writer = an.w
		if an.zip != nil {
			dst = an.zip
		}
		_, an.err = dst.Write(an.buf)
	}
	an.buf = an.buf[:0]
}

// finish sends the rest. An error before anything was sent leaves the answer to the caller.
func (an *answer) finish() error {
	if an.err != nil && !an.started {
		return an.err
	}
	an.start(true)
	an.flush()
	if an.zip != nil {
		if an.err == nil {
			an.err = an.zip.Close()
		}
		an.zip.Reset(io.Discard)
		gzipWriters.Put(an.zip)
	}
	return an.err
}

// acceptsGzip reports whether gzip is named and not refused with q=0.
func acceptsGzip(r *http.Request) bool {
	for _, header := range r.Header.Values("Accept-Encoding") {
		for part := range strings.SplitSeq(header, ",") {
			name, params, _ := strings.Cut(strings.TrimSpace(part), ";")
			if !strings.EqualFold(strings.TrimSpace(name), "gzip") {
				continue
			}
			q, found := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q=")
			if !found {
				return true
			}
			weight, err := strconv.ParseFloat(q, 64)
			return err == nil && weight > 0
		}
	}
	return false
}

// writeText sends a short body. An error means that the client is gone, which nobody can be told.
func writeText(w http.ResponseWriter, text string) {
	_, _ = io.WriteString(w, text)
}
