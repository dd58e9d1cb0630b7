package lokiapi

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"

	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/wire"
)

// errNoBudget is answered with 503, which agents retry.
var errNoBudget = &httpError{status: http.StatusServiceUnavailable, text: textBusy}

func (a *API) push(w http.ResponseWriter, r *http.Request) error { return a.handlePush(w, r, false) }

func (a *API) pushLegacy(w http.ResponseWriter, r *http.Request) error {
	return a.handlePush(w, r, true)
}

// handlePush reads, decodes and hands over one push. 204 is sent only after Push returned nil: every entry is durable.
func (a *API) handlePush(w http.ResponseWriter, r *http.Request, legacy bool) error {
	tenant, err := a.tenant(r)
	if err != nil {
		return err
	}
	held := &reservation{budget: a.Budget}
	defer held.release()
	buf := bodyBuffers.Get().(*[]byte)
	req, err := a.decodeBody(w, r, held, buf, legacy)
	if err != nil {
		err = a.refusedBody(tenant, r, err)
	} else {
		err = a.Pusher.Push(r.Context(), tenant, req)
		req.Release()
	}
	// Not deferred, like Release above: after a panic nobody knows who still reads this memory.
	recycleBody(buf)
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// decodeBody reads the body into buf, which the request points into, and decodes it.
func (a *API) decodeBody(w http.ResponseWriter, r *http.Request, held *reservation, buf *[]byte, legacy bool) (*wire.Request, error) {
	body, err := a.readBody(w, r, held, buf)
	if err != nil {
		return nil, err
	}
	a.metrics.bodyBytes.Add(float64(len(body)))
	req, err := wire.Decode(body, r.Header.Get("Content-Type"), r.Header.Get("Content-Encoding"), wire.Options{
		BodyBytesMax:         int(a.cfg.BodyBytesMax),
		DecompressedBytesMax: int(a.cfg.DecompressedBytesMax),
		LegacyJSON:           legacy,
		Reserve:              func(n int) error { return held.acquire(int64(n)) },
	})
	if err != nil {
		return nil, err
	}
	return req, nil
}

// readBody reads the body into buf, within the limit for bodies and reserving memory as bytes arrive.
func (a *API) readBody(w http.ResponseWriter, r *http.Request, held *reservation, buf *[]byte) ([]byte, error) {
	bytesMax := a.cfg.BodyBytesMax
	if r.ContentLength > bytesMax {
		return nil, wire.BodyTooLarge(int(r.ContentLength), int(bytesMax))
	}
	src := http.MaxBytesReader(w, r.Body, bytesMax)
	b := (*buf)[:0]
	defer func() { *buf = b }()
	for reserved := int64(0); ; {
		if int64(len(b)) == reserved {
			step := max(reserved, bodyReserveBytes)
			if err := held.acquire(step); err != nil {
				return nil, err
			}
			reserved += step
		}
		if int64(cap(b)) < reserved {
			b = append(make([]byte, 0, reserved), b...)
		}
		n, err := src.Read(b[len(b):reserved])
		b = b[:len(b)+n]
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			return b, nil
		default:
			return nil, bodyError(err, int(bytesMax))
		}
	}
}

func bodyError(err error, bytesMax int) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return wire.BodyTooLarge(bytesMax+1, bytesMax)
	}
	// The client went away or was too slow; it hardly reads this answer.
	return fail(http.StatusBadRequest, "could not read the request body: %v", err)
}

// refusedBody counts and maps the fault of a body; what Reserve returned passes through.
func (a *API) refusedBody(tenant model.TenantID, r *http.Request, err error) error {
	var e *wire.Error
	if !errors.As(err, &e) {
		return err
	}
	if a.BodyRefused != nil {
		a.BodyRefused(tenant, int(max(r.ContentLength, 0)), e)
	}
	if e.Class == wire.TooLarge {
		return fail(http.StatusRequestEntityTooLarge, "%s", e.Text)
	}
	return fail(http.StatusBadRequest, "%s", e.Text)
}

// reservation is what one push holds of the budget.
type reservation struct {
	budget Budget
	bytes  int64
}

func (h *reservation) acquire(n int64) error {
	if h.budget == nil || n <= 0 {
		return nil
	}
	if most := h.budget.Max(); h.bytes+n > most { // sending it again cannot help
		return fail(http.StatusRequestEntityTooLarge, "request body too large: it takes %d bytes of memory and more, and all pushes together may take %d", h.bytes+n, most)
	}
	if !h.budget.TryAcquire(n) {
		return fmt.Errorf("reserve %d bytes: %w", n, errNoBudget)
	}
	h.bytes += n
	return nil
}

func (h *reservation) release() {
	if h.bytes > 0 {
		h.budget.Release(h.bytes)
		h.bytes = 0
	}
}

var bodyBuffers = sync.Pool{New: func() any { return new([]byte) }}

func recycleBody(buf *[]byte) {
	if cap(*buf) > pooledBytesMax {
		return
	}
	bodyBuffers.Put(buf)
}
