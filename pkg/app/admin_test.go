package app

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A backup is not led into the store's own directories by symbolic links.
func TestReallyAt(t *testing.T) {
	root, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	data := filepath.Join(root, "data")
	require.NoError(t, os.MkdirAll(filepath.Join(data, "blocks"), 0o750))
	require.NoError(t, os.Symlink(data, filepath.Join(root, "link")))
	require.NoError(t, os.Symlink(filepath.Join(data, "blocks"), filepath.Join(root, "detour")))
	require.NoError(t, os.Mkdir(filepath.Join(root, "else"), 0o750))
	f := func(dataDir, dir, want string) {
		t.Helper()
		s := &store{dir: dataDir}
		require.Equal(t, want, s.reallyAt(dir))
	}
	f(data, filepath.Join(root, "detour", "t1", "new"), filepath.Join(data, "blocks", "t1", "new"))
	f(data, filepath.Join(root, "link"), data)
	f(filepath.Join(root, "link"), filepath.Join(data, "blocks", "x"), filepath.Join(root, "link", "blocks", "x"))
	f(data, filepath.Join(root, "else", "new", "deep"), filepath.Join(root, "else", "new", "deep"))
	f(data, filepath.Join(root, "data-2"), filepath.Join(root, "data-2"))
	f(data, "relative", "relative")
	f(filepath.Join(root, "missing"), filepath.Join(root, "else"), filepath.Join(root, "else"))
}
