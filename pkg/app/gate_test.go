package app

import (
	"context"
	"testing"
	"time"

	"github.com/golang/snappy"
	"github.com/grafana/loki/pkg/push"
	"github.com/stretchr/testify/require"

	"github.com/woodshed-logs/woodshed/pkg/storage"
	"github.com/woodshed-logs/woodshed/pkg/wire"
)

// kept is a store that keeps what it is given, without its entries' memory.
type kept struct{ pushes, entries int }

func (k *kept) Append(_ context.Context, p storage.Push) error {
	k.pushes++
	for _, s := range p.Streams {
		k.entries += len(s.Entries)
	}
	return nil
}

func TestGate(t *testing.T) {
	now := time.Date(2026, 1, 2, 9, 0, 0, 0, time.UTC)
	store := &kept{}
	gate, err := NewGate(store, func() time.Time { return now })
	require.NoError(t, err)
	at := func(when time.Time) error {
		body := push.PushRequest{Streams: []push.Stream{{Labels: `{app="a"}`, Entries: []push.Entry{{Timestamp: when, Line: "x"}}}}}
		raw, err := body.Marshal()
		require.NoError(t, err)
		req, err := wire.DecodeSnappyProto(snappy.Encode(nil, raw), wire.Options{})
		require.NoError(t, err)
		defer req.Release()
		return gate.Push(t.Context(), "t", req)
	}
	require.NoError(t, at(now.Add(-time.Hour)), "the age of entries is told by the given clock")
	require.ErrorIs(t, at(now.Add(time.Hour)), storage.ErrInvalid)
	require.Equal(t, &kept{1, 1}, store)
}
