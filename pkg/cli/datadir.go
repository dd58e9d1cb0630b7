package cli

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/woodshed-logs/woodshed/pkg/config"
	"github.com/woodshed-logs/woodshed/pkg/logdb"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

// errDamage ends a command that found damage and said so: exit code 1, no further message.
var errDamage = errors.New("damage")

// storeFiles is what the commands share that look at the files of a store: where they are, and who has them open.
type storeFiles struct {
	target
	dir   string
	quiet bool

	addrGiven bool   // by --addr: it has to be this store's
	addrUsual bool   // nobody named any
	owner     string // what the holder of the lock says of itself
	locked    bool
}

// storeReply is what a listener says of its store.
type storeReply struct {
	Version string           `json:"version"`
	PID     int              `json:"pid"`
	DataDir string           `json:"data_dir"`
	Heads   []logdb.HeadInfo `json:"heads"`
}

func (s *storeFiles) register(set *flag.FlagSet, e *env) {
	s.env, s.timeout = e, storeTimeout
	set.StringVar(&s.dir, "data-dir", "", "the data `directory`; left out: the one that the store has")
	given := e.getenv("WOODSHED_ADDR")
	s.addrUsual = given == ""
	s.addr = cmp.Or(given, addrDefault)
	set.Func("addr", "the listener's `url`; left out: "+s.addr+", if that is this store's", func(v string) error {
		s.addr, s.addrGiven, s.addrUsual = v, true, false
		return nil
	})
	set.BoolVar(&s.quiet, "quiet", false, "no progress and no notes on standard error")
}

// take accepts the directory as an argument too.
func (s *storeFiles) take(args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case len(args) > 1 || args[0] == "":
		return usagef("one directory is looked at, not %d", len(args))
	case s.dir != "":
		return usagef("the directory is named twice: %q and --data-dir %q", args[0], s.dir)
	}
	s.dir = args[0]
	return nil
}

// note tells something on standard error that is not part of the answer.
func (s *storeFiles) note(format string, args ...any) {
	if !s.quiet {
		fmt.Fprintf(s.env.Err, format+"\n", args...)
	}
}

// locate finds the data directory and looks who has it open. Without --data-dir it is the one that a store would take
// here, else the one that the listener names.
func (s *storeFiles) locate(ctx context.Context) error {
	if err := s.open(); err != nil {
		return err
	}
	if s.dir == "" {
		s.dir = s.usualDir()
	}
	if s.dir == "" {
		reply, err := s.ask(ctx)
		if err != nil {
			return usagef("say where the store is: --data-dir DIR (%v)", err)
		}
		s.dir = reply.DataDir
	}
	dir, err := filepath.Abs(s.dir)
	if err != nil {
		return err
	}
	s.dir = dir
	return s.look()
}

// look makes sure that the directory is a store's, and asks for its lock's holder.
func (s *storeFiles) look() error {
	info, err := os.Stat(filepath.Join(s.dir, "blocks"))
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir() {
		if _, err := os.Stat(s.dir); err != nil {
			return fmt.Errorf("%s is not there", s.dir)
		}
		return fmt.Errorf("%s holds no store: it has no directory named blocks", s.dir)
	}
	if err != nil {
		return s.explain(err)
	}
	owner, held, err := vfs.LockOwner(filepath.Join(s.dir, "LOCK"))
	if err != nil {
		return s.explain(err)
	}
	s.owner, s.locked = string(owner), held
	return nil
}

// usualDir is where the server or the plugin would put the logs, when that is there.
func (s *storeFiles) usualDir() string {
	var environ []string
	for _, setting := range config.Settings() {
		if v := s.env.getenv(setting.Env()); v != "" {
			environ = append(environ, setting.Env()+"="+v)
		}
	}
	cfg, err := config.Load(config.Sources{Environ: environ, Open: func(name string) (fs.File, error) { return os.Open(filepath.Clean(name)) }})
	if err != nil {
		return ""
	}
	dir := cfg.DataDir
	if dir == "" {
		executable, err := os.Executable()
		if err != nil {
			return ""
		}
		dir, err = config.ResolveDataDir("", config.Place{
			LookupEnv:  func(name string) (string, bool) { v := s.env.getenv(name); return v, v != "" },
			Executable: executable, Stat: os.Stat,
		})
		if err != nil {
			return ""
		}
	}
	if info, err := os.Stat(filepath.Join(dir, "blocks")); err != nil || !info.IsDir() {
		return ""
	}
	return dir
}

// ask lets the listener describe its store.
func (s *storeFiles) ask(ctx context.Context) (*storeReply, error) {
	reply := &storeReply{}
	err := s.getJSON(ctx, "/woodshed/api/v1/store", nil, reply)
	if err != nil {
		return nil, err
	}
	if reply.DataDir == "" {
		return nil, fmt.Errorf("%s is no Woodshed of this version", s.shown())
	}
	return reply, nil
}

// running returns what the store that has the directory open says of itself, nil when there is none or it does not say.
// A listener that was named must be that store's; the usual one may be anybody's, or nobody's.
func (s *storeFiles) running(ctx context.Context) (*storeReply, error) {
	if !s.locked && !s.addrGiven {
		return nil, nil
	}
	reply, err := s.ask(ctx)
	if err == nil && !sameDir(reply.DataDir, s.dir) {
		reply, err = nil, fmt.Errorf("the store at %s has its data in %s, not in %s", s.shown(), reply.DataDir, s.dir)
	}
	if !s.addrGiven {
		err = nil
	}
	return reply, err
}

func sameDir(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

// mayWrite refuses to write where the files would belong to somebody else than the store runs as: it could not read them.
func mayWrite(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if me := os.Geteuid(); ok && me >= 0 && int(st.Uid) != me {
		return fmt.Errorf("%s belongs to the user with id %d, and this is %d: the store could not read what is written now. Run it as that user: sudo -u '#%d' gpx_woodshed …",
			dir, st.Uid, me, st.Uid)
	}
	return nil
}

// explain adds what to do about a directory that cannot be read.
func (s *storeFiles) explain(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w. Run it as the user that runs the store, for example sudo -u grafana gpx_woodshed …", err)
	}
	return err
}

// ownerText names who has the directory open.
func (s *storeFiles) ownerText() string {
	if s.owner == "" {
		return "another process"
	}
	return s.owner
}
