package app

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/config"
	"github.com/woodshed-logs/woodshed/pkg/plugin"
	"github.com/woodshed-logs/woodshed/pkg/vfs"
)

// TestWhyTheStoreIsNotOpen holds what Save & test says of a store that cannot open: to an Admin, then to others.
func TestWhyTheStoreIsNotOpen(t *testing.T) {
	s := &store{dir: "/data/logs", fsys: plugin.FileSystem{
		UID: 472, GID: 0,
		Owner: func(path string) (uid, gid uint32, mode fs.FileMode, err error) { return 0, 0, fs.ModeDir | 0o755, nil },
	}}
	f := func(err error, admin, others string) {
		t.Helper()
		n := s.explain(fmt.Errorf("open: %w", err))
		require.Equal(t, admin, n.For(true))
		require.Equal(t, others, n.For(false))
	}
	owned := func(by string) string {
		return "The store could not open: another process (" + by + ") owns the data directory /data/logs. This one takes over by itself when that one ends; until then " +
			"it answers no query and takes no push. If it belongs to another Grafana, give this one a directory and a port of its own (woodshed_data_dir, woodshed_listen); " +
			"if it was left behind, stop it."
	}
	const ownedForOthers = "The store could not open: another process owns the data directory. This one takes over by itself when that one ends; until then it answers no query " +
		"and takes no push. An Admin sees here which process that is."
	f(&vfs.LockedError{Info: []byte("pid 4711, host a, Woodshed 0.3")}, owned("pid 4711, host a, Woodshed 0.3"), ownedForOthers)
	f(&vfs.LockedError{}, owned("it has not said which yet"), ownedForOthers)
	f(&fs.PathError{Op: "open", Path: "/data/logs/LOCK", Err: syscall.EACCES},
		"The data directory /data/logs cannot be used: /data/logs/LOCK belongs to user 0 and group 0 (drwxr-xr-x), and Woodshed runs as user 472 and group 0. Run as root: chown -R 472:0 /data/logs",
		"The data directory may not be written by Woodshed's user; an Admin sees here which, and what to do.")
	f(&fs.PathError{Op: "mkdir", Path: "/data/logs", Err: syscall.EROFS},
		"The store could not open: /data/logs is on a read-only file system. Mount it for writing, or set woodshed_data_dir.",
		"The store could not open: its data directory is on a read-only file system; an Admin sees here which.")
	f(&fs.PathError{Op: "write", Path: "/data/logs/LOCK", Err: syscall.ENOSPC},
		"The store could not open: the disk of /data/logs is full. Make room there; it is tried again every second, and nothing stored is lost.",
		"The store could not open: the disk of its data directory is full. It opens by itself when there is room; nothing stored is lost.")
	f(errors.New("block 7: bad magic"),
		"The store could not open: open: block 7: bad magic",
		"The store could not open. An Admin sees here why; the log of Grafana has it too.")
}

// TestWhyNothingListens holds what follows "Nothing can be pushed" under Save & test.
func TestWhyNothingListens(t *testing.T) {
	f := func(err error, want string) {
		t.Helper()
		require.Equal(t, want, listenProblem("127.0.0.1:3110", err))
	}
	bind := func(errno syscall.Errno) error {
		return &net.OpError{Op: "listen", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 3110}, Err: os.NewSyscallError("bind", errno)}
	}
	f(bind(syscall.EADDRINUSE), "Another process listens on 127.0.0.1:3110. Stop it or set woodshed_listen; it is tried again every second.")
	f(bind(syscall.EACCES), "No listener: 127.0.0.1:3110 cannot be opened (listen tcp 127.0.0.1:3110: bind: permission denied). It is tried again every second; free the port or set woodshed_listen.")
	insecure := config.CheckListen("0.0.0.0:3110", false)
	require.ErrorIs(t, insecure, config.ErrInsecureListen)
	f(insecure, insecure.Error())
}
