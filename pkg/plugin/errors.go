package plugin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"

	"github.com/grafana/grafana-plugin-sdk-go/backend"

	"github.com/woodshed-logs/woodshed/pkg/storage"
)

const (
	statusUnavailable  = backend.Status(http.StatusServiceUnavailable)
	statusClientClosed = backend.Status(499) // as Loki and nginx: the client went away before the answer
)

// requestError is an answer that this package decided on: status, whose fault, and the text for people.
type requestError struct {
	status backend.Status
	source backend.ErrorSource
	text   string
}

func (e *requestError) Error() string { return e.text }

// fault is an error of the request or of the configuration, with a text for people.
func fault(status int, format string, args ...any) *requestError {
	return &requestError{status: backend.Status(status), source: backend.ErrorSourceDownstream, text: fmt.Sprintf(format, args...)}
}

// classify decides status, source and text of any error.
func (p *Plugin) classify(ctx context.Context, err error) *requestError {
	var own *requestError
	downstream := func(status backend.Status, text string) *requestError {
		return &requestError{status: status, source: backend.ErrorSourceDownstream, text: text}
	}
	ours := func(status backend.Status, text string) *requestError {
		return &requestError{status: status, source: backend.ErrorSourcePlugin, text: text}
	}
	switch {
	case errors.As(err, &own):
		return own
	case errors.Is(err, context.Canceled):
		return downstream(statusClientClosed, "The query was cancelled.")
	case errors.Is(err, context.DeadlineExceeded):
		return downstream(backend.StatusTimeout, "The query took too long (query_timeout). Shorten the time range or add label matchers.")
	case isQueryFault(err), errors.Is(err, storage.ErrLimit), errors.Is(err, storage.ErrInvalid):
		return downstream(backend.StatusBadRequest, err.Error())
	case errors.Is(err, storage.ErrOverloaded), errors.Is(err, storage.ErrRateLimited):
		return ours(backend.StatusTooManyRequests, err.Error())
	case errors.Is(err, storage.ErrNotReady):
		return ours(statusUnavailable, notReadyText(p.Store.Status(ctx)))
	case errors.Is(err, storage.ErrClosed):
		return ours(statusUnavailable, "The store is shutting down.")
	}
	return ours(backend.StatusInternal, withoutPath(err))
}

// withoutPath is the text of an error for everybody: where files lie is for Admins and the log.
func withoutPath(err error) string {
	var at *fs.PathError
	var from *os.LinkError
	var cause error
	switch {
	case errors.As(err, &at):
		cause = at.Err
	case errors.As(err, &from):
		cause = from.Err
	default:
		return err.Error()
	}
	return fmt.Sprintf("A file of the store could not be used (%v); the log of Grafana says which.", cause)
}

// response makes the error the answer of one query.
func (e *requestError) response() backend.DataResponse {
	return backend.ErrDataResponseWithSource(e.status, e.source, e.text)
}
