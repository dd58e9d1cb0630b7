package tidy

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// root finds the repository: the nearest directory above this package with a go.mod.
func root(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	require.NoError(t, err)
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		require.NotEqual(t, parent, dir, "no go.mod above the test")
		dir = parent
	}
}

// TestRepository holds this repository to the rules.
func TestRepository(t *testing.T) {
	tree, err := Load(root(t))
	require.NoError(t, err)
	require.NotEmpty(t, tree.Files)
	for _, v := range tree.Check() {
		t.Error(v)
	}
	t.Log(tree.count())
	for _, line := range tree.Lengths() {
		t.Log(line)
	}
}

func TestRepositoryLinks(t *testing.T) {
	require.NoError(t, CheckLinks(root(t)))
}

// TestAllowLists keeps exceptions from outliving what they are for, and the table from naming nothing.
func TestAllowLists(t *testing.T) {
	for pkg, allowed := range layers {
		for _, a := range allowed {
			if a == everything || filepath.Base(a) == "..." {
				continue
			}
			require.Contains(t, layers, a, "the row of %s", pkg)
		}
	}
	for path, why := range streamsAllowed {
		require.FileExists(t, filepath.Join(root(t), filepath.FromSlash(path)))
		require.NotEmpty(t, why)
	}
	for path, why := range sleepAllowed {
		require.FileExists(t, filepath.Join(root(t), filepath.FromSlash(path)))
		require.NotEmpty(t, why)
	}
	tree, err := Load(root(t))
	require.NoError(t, err)
	names := map[string]bool{}
	for _, f := range tree.Files {
		for _, id := range exported(f.AST) {
			names[f.Package+"."+id.Name] = true
		}
	}
	for name, why := range namesAllowed {
		require.True(t, names[name], "nothing is called %s any more", name)
		require.NotEmpty(t, why)
	}
}
