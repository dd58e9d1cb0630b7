package lokiapi

import (
	"log/slog"
	"net/http"
	"time"
)

// NewServer returns a server with the bounds of a connection set, for a listener that the caller owns and closes.
// queryTimeout is Config's; zero is its default.
func NewServer(handler http.Handler, queryTimeout time.Duration, log *slog.Logger) *http.Server {
	if queryTimeout == 0 {
		queryTimeout = queryTimeoutDefault
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      readTimeout + queryTimeout + writeSlack,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    headerBytesMax,
		// TLS handshakes that fail and the like: facts about clients, not faults of ours.
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}
