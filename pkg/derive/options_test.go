package derive

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The bytes stand in write-ahead logs: changing them needs a new version.
func TestOptionsGolden(t *testing.T) {
	o := Options{Version: Version1, ServiceNames: []string{"app", "job"}, DiscoverLevels: true, LevelFields: []string{"level"}, JSONMaxDepth: 2}
	const golden = "01" + "01" + "04" + "02" + "03617070" + "036a6f62" + "01" + "056c6576656c"
	require.Equal(t, golden, hex.EncodeToString(o.AppendBinary(nil)))
	require.Equal(t, "ff"+golden, hex.EncodeToString(o.AppendBinary([]byte{0xff})), "it appends")
	parsed, err := ParseOptions(o.AppendBinary(nil))
	require.NoError(t, err)
	require.Equal(t, o, parsed)
	require.Equal(t, o, New(o).Options())
	require.Equal(t, golden, hex.EncodeToString(New(o).Binary()))
}

func TestParseOptionsErrors(t *testing.T) {
	good := testOptions().AppendBinary(nil)
	for n := range good {
		_, err := ParseOptions(good[:n])
		require.ErrorIs(t, err, ErrOptions, "%d of %d bytes", n, len(good))
	}
	f := func(want string, b ...byte) {
		t.Helper()
		_, err := ParseOptions(b)
		require.ErrorIs(t, err, ErrOptions)
		require.ErrorContains(t, err, want)
	}
	f("behind the end", append(good, 0)...)
	f("version 2 is not known", 2, 0, 0, 0, 0)
	f("version 0 is not known", 0, 0, 0, 0, 0)
	f("unknown flags 0x80", 1, 0x80, 0, 0, 0)
	f("number of names", 1, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f)
	f("length of a name", 1, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0x0f)
	long := Options{Version: Version1, ServiceNames: []string{strings.Repeat("x", optionNameBytesMax+1)}}
	f("length of a name", long.AppendBinary(nil)...)
}

func FuzzParseOptions(f *testing.F) {
	f.Add(testOptions().AppendBinary(nil))
	f.Add(Options{Version: Version1, JSONMaxDepth: -1}.AppendBinary(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := ParseOptions(b)
		if err != nil {
			return
		}
		again, err := ParseOptions(o.AppendBinary(nil))
		require.NoError(t, err)
		require.Equal(t, o, again)
	})
}
