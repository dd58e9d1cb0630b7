package storage

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every number there is is added up: a new field cannot be forgotten.
func TestScanStatsAddsEveryField(t *testing.T) {
	var one ScanStats
	next := uint64(0)
	var fill func(v reflect.Value)
	fill = func(v reflect.Value) {
		for i := range v.NumField() {
			switch f := v.Field(i); f.Kind() {
			case reflect.Struct:
				fill(f)
			case reflect.Uint64:
				next++
				f.SetUint(next)
			}
		}
	}
	fill(reflect.ValueOf(&one).Elem())
	one.Warnings = []string{"a"}
	sum := ScanStats{}
	sum.Add(&one)
	require.Equal(t, one, sum)
	sum.Add(&ScanStats{Chunks: 1, Warnings: []string{"b"}})
	require.Equal(t, one.Chunks+1, sum.Chunks)
	require.Equal(t, []string{"a", "b"}, sum.Warnings)
}
