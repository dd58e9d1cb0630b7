package dev

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A Grafana that dies at its start is seen by everybody who waits for it, each time they look.
func TestEndIsSeenMoreThanOnce(t *testing.T) {
	ended := whenEnded(func() error { return errors.New("died") })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	const nobody = "http://127.0.0.1:1/"
	require.ErrorContains(t, awaitHTTP(ctx, nobody, ended), "died")
	require.ErrorContains(t, awaitHTTP(ctx, nobody, ended), "the process ended")
	require.NoError(t, <-ended)
}

func TestFuzzTargetsAreFound(t *testing.T) {
	targets, err := fuzzTargets("../../pkg")
	require.NoError(t, err)
	require.Contains(t, targets, fuzzTarget{"../../pkg/logdb/record", "FuzzDecode"})
	require.Greater(t, len(targets), 20)
}
