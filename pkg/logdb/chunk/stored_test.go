package chunk

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/model"
)

// TestReaderEncoded reads a chunk back as it is stored, and finds every flipped byte and missing end.
func TestReaderEncoded(t *testing.T) {
	var rows Rows
	for i := range 200 {
		rows.Append(model.Entry{Timestamp: model.Timestamp(i * 7), Line: "line of the chunk", Level: []string{"info", "warn"}[i%2],
			Metadata: []model.Pair{{Name: "k", Value: string(rune('a' + i%20))}}})
	}
	e, err := Encode([]Run{{Ref: 3, Rows: rows.Snapshot()}}, Options{})
	require.NoError(t, err)
	const base = 9
	file := append(make([]byte, base), e.Pages...)

	got, err := NewReader(bytes.NewReader(file), base, &e.Table).Encoded(e.Filter, e.MetaFilter)
	require.NoError(t, err)
	require.Equal(t, e, got)
	got, err = e.Reader().Encoded(e.Filter, e.MetaFilter)
	require.NoError(t, err)
	require.Equal(t, e, got)

	for i := range e.Pages {
		damaged := bytes.Clone(file)
		damaged[base+i] ^= 16
		_, err = NewReader(bytes.NewReader(damaged), base, &e.Table).Encoded(e.Filter, e.MetaFilter)
		require.ErrorIs(t, err, ErrCorrupt, "byte %d", i)
	}
	_, err = NewReader(bytes.NewReader(file[:len(file)-1]), base, &e.Table).Encoded(e.Filter, e.MetaFilter)
	require.ErrorIs(t, err, ErrCorrupt)
	broken := errors.New("disk on fire")
	_, err = NewReader(failingReader{broken}, base, &e.Table).Encoded(e.Filter, e.MetaFilter)
	require.ErrorIs(t, err, broken)
	require.NotErrorIs(t, err, ErrCorrupt)
	_, err = NewReader(failingReader{io.EOF}, base, &e.Table).Encoded(e.Filter, e.MetaFilter)
	require.ErrorIs(t, err, ErrCorrupt)
}
