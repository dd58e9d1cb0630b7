package app

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/woodshed-logs/woodshed/pkg/config"
	"github.com/woodshed-logs/woodshed/pkg/distributor"
	"github.com/woodshed-logs/woodshed/pkg/lokiapi"
	"github.com/woodshed-logs/woodshed/pkg/plugin"
)

const listenOff = "off"

// listener serves pushes and the Loki API. It binds in the background and tries again while the address is taken.
type listener struct {
	p       *process
	server  *http.Server
	refused error // why no listener may be opened with these settings

	mu    sync.Mutex // guards the fields below
	addr  string     // open address
	err   error      // why the last attempt failed
	bound net.Listener

	cancel  context.CancelFunc
	stopped chan struct{}
}

func newListener(p *process) (*listener, error) {
	l := &listener{p: p, stopped: make(chan struct{})}
	if p.cfg.Listen != listenOff {
		l.refused = config.CheckListen(p.cfg.Listen, p.cfg.Insecure)
	}
	api, err := lokiapi.New(lokiapi.Config{
		AuthEnabled: p.cfg.AuthEnabled, DecompressedBytesMax: p.memory.decompressedMax,
		QueryTimeout: time.Duration(p.cfg.Limits.QueryTimeout), QueriesRunningMax: p.memory.queriesRunning, Build: buildInfo(p.version),
		AllowedHosts: strings.FieldsFunc(p.cfg.AllowedHosts, func(r rune) bool { return r == ',' || r == ' ' }),
	}, lokiapi.Deps{
		Pusher: p.push, BodyRefused: p.push.RefusedBody, Budget: distributor.NewBudget(p.memory.bytesInFlight),
		Executor: p.engine, Querier: p.store, Limits: p.limits, Reporter: p, Flusher: p.store, Admin: p.store, ConfigDumper: &p.cfg,
		Gatherer: prometheus.DefaultGatherer, Registerer: prometheus.DefaultRegisterer, Log: p.log,
	})
	if err != nil {
		return nil, err
	}
	l.server = lokiapi.NewServer(api, time.Duration(p.cfg.Limits.QueryTimeout), p.log)
	return l, nil
}

func (l *listener) start() {
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel = cancel
	go l.run(ctx)
}

func (l *listener) run(ctx context.Context) {
	defer close(l.stopped)
	if l.p.cfg.Listen == listenOff {
		return
	}
	if l.refused != nil {
		l.p.log.Error("no listener is opened", "err", l.refused)
		l.set("", l.refused, nil)
		return
	}
	last := ""
	for ctx.Err() == nil {
		var lc net.ListenConfig
		bound, err := lc.Listen(ctx, "tcp", l.p.cfg.Listen)
		if err == nil {
			last = ""
			l.set(bound.Addr().String(), nil, bound)
			l.p.log.Info("listening", "addr", bound.Addr().String())
			err = l.server.Serve(bound)
			if errors.Is(err, http.ErrServerClosed) {
				return
			}
		}
		l.set("", err, nil)
		if err.Error() != last { // once for each reason, not once a second
			l.p.log.Error("cannot listen; trying again every second", "addr", l.p.cfg.Listen, "err", err)
			last = err.Error()
		}
		select {
		case <-ctx.Done():
		case <-time.After(retryEvery):
		}
	}
}

func (l *listener) set(addr string, err error, bound net.Listener) {
	l.mu.Lock()
	l.addr, l.err, l.bound = addr, err, bound
	l.mu.Unlock()
}

// stop lets running requests finish until ctx ends, then cuts them off: whoever got no answer sends again.
func (l *listener) stop(ctx context.Context) {
	l.cancel()
	grace, cancel := context.WithTimeout(ctx, stopBudget/2)
	defer cancel()
	if err := l.server.Shutdown(grace); err != nil {
		_ = l.server.Close() // the requests that did not end in time
	}
	select {
	case <-l.stopped:
	case <-ctx.Done():
	}
}

// state returns the open address, or why there is none.
func (l *listener) state() (addr string, problem plugin.Notice) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return "", plugin.Notice{Text: listenProblem(l.p.cfg.Listen, l.err)}
	}
	return l.addr, plugin.Notice{}
}

func listenProblem(listen string, err error) string {
	if errors.Is(err, config.ErrInsecureListen) {
		return err.Error()
	}
	if errors.Is(err, syscall.EADDRINUSE) {
		return "Another process listens on " + listen + ". Stop it or set woodshed_listen; it is tried again every second."
	}
	return "No listener: " + listen + " cannot be opened (" + err.Error() + "). It is tried again every second; free the port or set woodshed_listen."
}
