package config

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

// FuzzFile reads any text as a configuration file. What is accepted can be printed, and reads back as the same.
func FuzzFile(f *testing.F) {
	for _, seed := range []string{
		"listen: 127.0.0.1:${PORT:1}\nstorage: {flush_bytes: 3MB}\norg_tenants: {1: [a, b], 2: c}\n",
		"limits_config: &l {max_line_size: 1KB}\noverrides: {x: *l}\n", "wal:\n  <<: {sync: \"off\"}\n",
		"org_tenants: 1=a 2=b,c", "server: {}", "a: &a [*a]", "- 1", "\"\": 1", "data_dir: $$HOME", "insecure: yes", "%YAML 1.1\n---\nlisten: off",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		load := func(text string) (Config, error) {
			files := fstest.MapFS{"c.yaml": {Data: []byte(text)}}
			return Load(Sources{Environ: []string{fromFile, "HOME=/root"}, Open: func(name string) (fs.File, error) { return files.Open(name) }})
		}
		c, err := load(text)
		if err != nil {
			return
		}
		_ = c.Warnings()
		printed, err := c.YAML()
		require.NoError(t, err)
		again, err := load(escapeDollars(string(printed)))
		require.NoError(t, err, "%s", printed)
		printedAgain, err := again.YAML()
		require.NoError(t, err)
		require.Equal(t, stripComments(printed), stripComments(printedAgain))
	})
}

// escapeDollars keeps values that hold a dollar from being expanded a second time.
func escapeDollars(s string) string { return strings.ReplaceAll(s, "$", "$$") }

// stripComments drops the warnings on top, which name lines of the file that was read.
func stripComments(b []byte) string {
	s := string(b)
	for strings.HasPrefix(s, "#") {
		_, s, _ = strings.Cut(s, "\n")
	}
	return s
}
