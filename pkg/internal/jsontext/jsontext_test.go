package jsontext

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEnds(t *testing.T) {
	require.Equal(t, 4, Space(" \t\r\n\v", 0))
	require.Equal(t, 1, Space("a", 1))
	str := func(s string, want int) {
		t.Helper()
		require.Equal(t, want, StringEnd(s, 1), s)
	}
	str(`""`, 2)
	str(`"a" "b"`, 3)
	str(`"a\"b"x`, 6)
	str(`"a\\"b"`, 5)
	str(`"\\\""`, 6)
	str(`"a\"`, -1)
	str(`"`, -1)
	block := func(s string, want int) {
		t.Helper()
		require.Equal(t, want, BlockEnd(s, 0), s)
	}
	block(`{}x`, 2)
	block(`[[1],[2]]]`, 9)
	block(`{"}":"\"}"}x`, 11)
	block(`[}]`, 3) // brackets of the other kind do not count
	block(`{"a":{}`, -1)
	block(`["]`, -1)
}

// The end of a string is that of a reader that goes from character to character.
func FuzzStringEnd(f *testing.F) {
	f.Add(`a\\\"b"c`)
	f.Fuzz(func(t *testing.T, s string) {
		want := -1
		for i := 0; i < len(s) && want < 0; i++ {
			switch s[i] {
			case '\\':
				i++
			case '"':
				want = i + 2
			}
		}
		require.Equal(t, want, StringEnd(`"`+s, 1))
		if end := BlockEnd("["+s, 0); end >= 0 {
			require.True(t, strings.HasSuffix(("[" + s)[:end], "]"))
		}
	})
}
