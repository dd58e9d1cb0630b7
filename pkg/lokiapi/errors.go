package lokiapi

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/woodshed-logs/woodshed/pkg/logql/syntax"
	"github.com/woodshed-logs/woodshed/pkg/model"
	"github.com/woodshed-logs/woodshed/pkg/storage"
)

// statusClientClosed is what Loki answers when the client went away before the answer.
const statusClientClosed = 499

// The texts that clients of Loki know.
const (
	textCancelled = "the request was cancelled by the client"
	textTimedOut  = "request timed out, decrease the duration of the request or add more label matchers " +
		"(prefer exact match over regex match) to reduce the amount of data processed"
	textTooMany  = "too many outstanding requests"
	textNoTenant = "no org id"
	textBusy     = "The server cannot accept more requests at this time."
)

// httpError is an answer of this package's own: the status and the text for the client.
type httpError struct {
	status int
	text   string
}

func (e *httpError) Error() string { return e.text }

// The classes of errors and their statuses. The first that fits wins, so a refusal's class stands before what it wraps.
var statusByClass = []struct {
	class  error
	status int
}{
	{storage.ErrTooLarge, http.StatusRequestEntityTooLarge},
	{storage.ErrUnprocessable, http.StatusUnprocessableEntity},
	{storage.ErrRateLimited, http.StatusTooManyRequests},
	{storage.ErrInvalid, http.StatusBadRequest},
	{model.ErrTenant, http.StatusBadRequest},
	{storage.ErrNotReady, http.StatusServiceUnavailable},
	{storage.ErrClosed, http.StatusServiceUnavailable},
}

// queryStatus maps the error of a query to status and text.
func queryStatus(err error) (int, string) {
	status, text := commonStatus(err)
	if status != http.StatusInternalServerError {
		return status, text
	}
	switch {
	case errors.Is(err, storage.ErrOverloaded):
		return http.StatusTooManyRequests, words(err)
	case errors.Is(err, storage.ErrLimit), isSyntaxError(err):
		return http.StatusBadRequest, words(err)
	}
	return status, text
}

// pushStatus maps the error of a push to status and text. What may be sent again is 429 or 503: agents drop a batch
// on every other 4xx.
func pushStatus(err error) (int, string) {
	status, text := commonStatus(err)
	if status != http.StatusInternalServerError {
		return status, text
	}
	switch {
	case errors.Is(err, storage.ErrOverloaded):
		return http.StatusServiceUnavailable, words(err)
	case errors.Is(err, storage.ErrLimit):
		return http.StatusTooManyRequests, words(err)
	}
	return status, text
}

func commonStatus(err error) (int, string) {
	var own *httpError
	if errors.As(err, &own) {
		return own.status, own.text
	}
	switch {
	case errors.Is(err, context.Canceled):
		return statusClientClosed, textCancelled
	case errors.Is(err, context.DeadlineExceeded):
		return http.StatusGatewayTimeout, textTimedOut
	}
	for _, c := range statusByClass {
		if errors.Is(err, c.class) {
			return c.status, words(err)
		}
	}
	return http.StatusInternalServerError, words(err)
}

// words is what the client reads: a refusal's or a parse error's own text, without what was put before it on the way up.
func words(err error) string {
	var refusal *storage.Refusal
	if errors.As(err, &refusal) {
		return refusal.Text
	}
	var parse *syntax.ParseError
	if errors.As(err, &parse) {
		return parse.Error()
	}
	return err.Error()
}

// writeError answers with plain text, as Loki does.
func writeError(w http.ResponseWriter, status int, text string) {
	h := w.Header()
	if status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
		h.Set("Retry-After", "1")
	}
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	writeText(w, strings.TrimRight(text, "\n")+"\n")
}
