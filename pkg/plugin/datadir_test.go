package plugin

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// host is a file system of directories with an owner each, on file systems by the longest prefix.
type host struct {
	owners map[string]uint32
	kinds  map[string]int64
}

func (h host) system() FileSystem {
	return FileSystem{
		UID: 472, GID: 0,
		Kind: func(path string) (int64, error) {
			if _, ok := h.owners[path]; !ok {
				return 0, fs.ErrNotExist
			}
			for dir := path; ; dir = filepath.Dir(dir) {
				if kind, ok := h.kinds[dir]; ok || dir == "/" {
					return kind, nil
				}
			}
		},
		Owner: func(path string) (uid, gid uint32, mode fs.FileMode, err error) {
			uid, ok := h.owners[path]
			if !ok {
				return 0, 0, 0, fs.ErrNotExist
			}
			return uid, 0, fs.ModeDir | 0o750, nil
		},
	}
}

func TestWarnVolatile(t *testing.T) {
	f := func(kind int64, want string) {
		t.Helper()
		h := host{owners: map[string]uint32{"/": 0, "/var": 0}, kinds: map[string]int64{"/": 0xef53, "/var": kind}}
		for _, dir := range []string{"/var", "/var/lib/woodshed"} { // there, and not yet there
			n, warn := WarnVolatile(dir, h.system())
			require.Equal(t, want != "", warn)
			require.Equal(t, want, n.Text)
			if warn {
				require.Contains(t, n.Detail, "The data directory "+dir+" lies on ")
			}
		}
	}
	f(0xef53, "")     // ext4
	f(0x58465342, "") // xfs
	f(0x9123683e, "") // btrfs
	f(0x2fc12fc1, "") // zfs
	f(0x794c7630, "The data directory lies on overlayfs: its logs will not survive this container. Mount a volume there.")
	f(0x01021994, "The data directory lies on tmpfs: its logs will not survive a restart of the machine or container. Use a directory on a disk.")
	f(0x6969, "The data directory lies on NFS: a network file system may lose what it acknowledged and may not lock. Use a local disk.")
	f(0xff534d42, "The data directory lies on CIFS: a network file system may lose what it acknowledged and may not lock. Use a local disk.")
	f(0x65735546, "The data directory lies on FUSE: such a file system may lose what it acknowledged. Use a directory on a local disk.")

	none := host{}.system()
	_, warn := WarnVolatile("/gone", none)
	require.False(t, warn)
}

func TestExplainAccess(t *testing.T) {
	h := host{owners: map[string]uint32{"/": 0, "/var": 0, "/var/lib": 0, "/var/lib/woodshed": 1000, "/var/lib/woodshed/wal": 0, "/var/it's here": 0}}
	f := func(dir string, err error, want string) {
		t.Helper()
		n, known := ExplainAccess(dir, err, h.system())
		require.True(t, known)
		require.Equal(t, want, n.Detail)
		require.NotContains(t, n.Text, "/var")
		require.NotEmpty(t, n.Text)
	}
	denied := func(path string) error { return &fs.PathError{Op: "open", Path: path, Err: fs.ErrPermission} }
	f("/var/lib/woodshed", denied("/var/lib/woodshed/LOCK"),
		"The data directory /var/lib/woodshed cannot be used: /var/lib/woodshed belongs to user 1000 and group 0 (drwxr-x---), and Woodshed runs as user 472 and group 0. Run as root: chown -R 472:0 /var/lib/woodshed")
	f("/var/lib/woodshed", denied("/var/lib/woodshed/wal"),
		"The data directory /var/lib/woodshed cannot be used: /var/lib/woodshed/wal belongs to user 0 and group 0 (drwxr-x---), and Woodshed runs as user 472 and group 0. Run as root: chown -R 472:0 /var/lib/woodshed")
	f("/var/lib/new/deep", denied("/var/lib/new"),
		"The data directory /var/lib/new/deep cannot be used: /var/lib belongs to user 0 and group 0 (drwxr-x---), and Woodshed runs as user 472 and group 0. Run as root: install -d -m 0750 -o 472 -g 0 /var/lib/new/deep")
	f("/var/it's here", fs.ErrPermission,
		`The data directory /var/it's here cannot be used: /var/it's here belongs to user 0 and group 0 (drwxr-x---), and Woodshed runs as user 472 and group 0. Run as root: chown -R 472:0 '/var/it'\''s here'`)

	_, known := ExplainAccess("/var", errors.New("full"), h.system())
	require.False(t, known)
	n, known := ExplainAccess("/x", fs.ErrPermission, host{}.system())
	require.True(t, known)
	require.Contains(t, n.Detail, "belongs to an unknown user")
}

// TestSystemFiles asks the real system about a directory of ours.
func TestSystemFiles(t *testing.T) {
	sys, dir := SystemFiles(), t.TempDir()
	uid, gid, mode, err := sys.Owner(dir)
	require.NoError(t, err)
	require.EqualValues(t, os.Getuid(), uid)
	require.EqualValues(t, os.Getgid(), gid)
	info, err := os.Stat(dir)
	require.NoError(t, err)
	require.Equal(t, info.Mode(), mode)
	_, _, _, err = sys.Owner(filepath.Join(dir, "gone"))
	require.ErrorIs(t, err, fs.ErrNotExist)
	if _, err = sys.Kind(dir); !errors.Is(err, errors.ErrUnsupported) {
		require.NoError(t, err)
		_, err = sys.Kind(filepath.Join(dir, "gone"))
		require.ErrorIs(t, err, fs.ErrNotExist)
	}
}

func TestExplainDisk(t *testing.T) {
	f := func(err error, want string) {
		t.Helper()
		n, ok := ExplainDisk("/data/logs", fmt.Errorf("open: %w", &fs.PathError{Op: "mkdir", Path: "/data/logs", Err: err}))
		require.Equal(t, want != "", ok)
		require.Equal(t, want, n.Detail)
		require.NotContains(t, n.Text, "/data")
	}
	f(syscall.EROFS, "The store could not open: /data/logs is on a read-only file system. Mount it for writing, or set woodshed_data_dir.")
	f(syscall.ENOSPC, "The store could not open: the disk of /data/logs is full. Make room there; it is tried again every second, and nothing stored is lost.")
	f(syscall.EDQUOT, "The store could not open: the disk of /data/logs is full. Make room there; it is tried again every second, and nothing stored is lost.")
	f(syscall.EIO, "")
	f(syscall.EACCES, "")
}
