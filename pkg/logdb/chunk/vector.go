package chunk

import (
	"math/bits"
	"sync"
	"unsafe"

	"github.com/woodshed-logs/woodshed/pkg/internal/invariant"
	"github.com/woodshed-logs/woodshed/pkg/model"
)

// Arrays of Rows come back: fresh memory costs a page fault and a clearing for each of its pages, and what is left behind
// while vectors double is as much as they hold in the end. An array may come back only when nobody but the owner of its
// Rows can have seen it (Rows.shown). The collector empties these pools, so they hold no more than what two of its
// cycles would otherwise find as garbage.
const (
	recycledMin = 12 // log2 of the bytes from which an array comes back
	recycledMax = 20 // and of the largest: RawBytesMax
)

// Vectors keeps arrays of T, which holds no pointers, by their size. The zero value is ready.
type Vectors[T any] struct {
	arrays [recycledMax + 1]sync.Pool // by log2 of the bytes; of *T, the first element
}

// Grow returns s with room for n more elements, at least twice as many as there was room for. The old array comes back
// unless others may still read it.
func (p *Vectors[T]) Grow(s []T, n int, shown bool) []T {
	grown := p.make(max(len(s)+n, 2*cap(s)))[:len(s)]
	copy(grown, s)
	if !shown {
		p.Recycle(s)
	}
	return grown
}

// make returns an array of at least n elements, with anything in it.
func (p *Vectors[T]) make(n int) []T {
	size := int(unsafe.Sizeof(*new(T)))
	class := bits.Len(uint(n*size - 1))
	if class < recycledMin || class > recycledMax {
		return make([]T, n)
	}
	n = 1 << class / size
	if first, ok := p.arrays[class].Get().(*T); ok {
		return unsafe.Slice(first, n)
	}
	return make([]T, n)
}

// Recycle takes an array that Grow made and nobody reads any more.
func (p *Vectors[T]) Recycle(s []T) {
	size := int(unsafe.Sizeof(*new(T)))
	class := bits.Len(uint(cap(s)*size - 1))
	if class < recycledMin || class > recycledMax || cap(s) != 1<<class/size {
		return
	}
	first := unsafe.SliceData(s)
	invariant.Mangle(unsafe.Slice((*byte)(unsafe.Pointer(first)), cap(s)*size))
	p.arrays[class].Put(first)
}

var (
	timeVectors   Vectors[model.Timestamp]
	uint32Vectors Vectors[uint32]
	uint16Vectors Vectors[uint16]
	byteVectors   Vectors[byte]
	pairVectors   Vectors[pair]
)
