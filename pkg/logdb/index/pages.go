package index

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"slices"
	"sync"
)

// pageFile reads a bbolt file through an io.ReaderAt. bbolt itself would map the file and trust what it finds: a bad page
// number faults, a cycle of pages overflows the stack, a bad header leaves a lock held, and it wants a real file. Here
// every offset is checked against the file, a page is searched at most depthMax deep, and any file system will do.
//
// Of bbolt's format (version 2, little endian as on every machine we build for) this needs:
//
//	page    id u64 | flags u16: 1 branch, 2 leaf | count u16 | overflow u32: pages that follow | elements
//	branch  count × (pos u32 | ksize u32 | page u64), keys; pos counts from the element
//	leaf    count × (flags u32: 1 bucket | pos u32 | ksize u32 | vsize u32), keys and values
//	bucket  root page u64, 0 for one that lies right behind | sequence u64
//	meta    (page 0 and 1) magic u32 | version u32 | page size u32 | flags u32 | root bucket | freelist u64 |
//	        pages u64 | transaction u64 | fnv64a of these u64
type pageFile struct {
	src      io.ReaderAt
	size     int64
	pageSize int64
	root     bucket
	windows  sync.Pool // *pageWindow
}

const (
	pageHeaderBytes = 16
	elementBytes    = 16
	bucketBytes     = 16
	metaBytes       = 64

	pageBranch = 1
	pageLeaf   = 2
	leafBucket = 1

	boltMagic   = 0xED0CDAED
	boltVersion = 2

	pageBytesMin = 1 << 9
	pageBytesMax = 1 << 16
	depthMax     = 16 // of a tree; fan-out 2 alone would fill any disk before
)

// bucket is where one bucket starts: the page of its root, kept in memory.
type bucket struct{ root page }

// page is the bytes of one page with its overflow.
type page struct {
	b     []byte
	flags uint16
	count int
}

func openPages(src io.ReaderAt, size int64) (*pageFile, error) {
	f := &pageFile{src: src, size: size}
	var head [pageHeaderBytes + metaBytes]byte
	if err := f.read(head[:], 0); err != nil {
		return nil, err
	}
	first, err := decodeMeta(head[pageHeaderBytes:])
	if err != nil {
		return nil, err
	}
	f.pageSize = int64(first.pageSize)
	if err := f.read(head[:], f.pageSize); err != nil {
		return nil, err
	}
	latest, err := decodeMeta(head[pageHeaderBytes:])
	if err != nil {
		return nil, err
	}
	if latest.transaction < first.transaction {
		latest = first
	}
	f.root, err = f.bucket(latest.root, nil)
	return f, err
}

type boltMeta struct {
	pageSize          uint32
	root, transaction uint64
}

func decodeMeta(b []byte) (m boltMeta, err error) {
	h := fnv.New64a()
	_, _ = h.Write(b[:metaBytes-8]) // a hash never fails
	magic, version := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
	m.pageSize = binary.LittleEndian.Uint32(b[8:])
	m.root = binary.LittleEndian.Uint64(b[16:])
	m.transaction = binary.LittleEndian.Uint64(b[48:])
	if magic != boltMagic || version != boltVersion || h.Sum64() != binary.LittleEndian.Uint64(b[56:]) ||
		m.pageSize < pageBytesMin || m.pageSize > pageBytesMax || m.pageSize&(m.pageSize-1) != 0 {
		return m, corrupt("not a bbolt file")
	}
	return m, nil
}

// read fills b from the offset. Bytes that are not there are corruption: the file's length was known.
func (f *pageFile) read(b []byte, offset int64) error {
	n, err := f.src.ReadAt(b, offset)
	switch {
	case n == len(b):
		return nil
	case err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return corrupt("file ends at %d", offset+int64(n))
	}
	return fmt.Errorf("read index: %w", err)
}

func decodePage(b []byte) (p page, overflow uint32, err error) {
	if len(b) < pageHeaderBytes {
		return p, 0, corrupt("page is too short")
	}
	p = page{b: b, flags: binary.LittleEndian.Uint16(b[8:]), count: int(binary.LittleEndian.Uint16(b[10:]))}
	if p.flags != pageBranch && p.flags != pageLeaf {
		return p, 0, corrupt("page has flags %x", p.flags)
	}
	return p, binary.LittleEndian.Uint32(b[12:]), nil
}

// element returns the key of element i and what follows it: a value in a leaf, nothing in a branch.
func (p *page) element(i int) (key, value []byte, err error) {
	at := uint64(pageHeaderBytes + i*elementBytes)
	if at+elementBytes > uint64(len(p.b)) {
		return nil, nil, corrupt("element %d lies outside its page", i)
	}
	e := p.b[at:]
	pos, ksize, vsize := uint64(binary.LittleEndian.Uint32(e)), uint64(binary.LittleEndian.Uint32(e[4:])), uint64(0)
	if p.flags == pageLeaf {
		pos, ksize = ksize, uint64(binary.LittleEndian.Uint32(e[8:]))
		vsize = uint64(binary.LittleEndian.Uint32(e[12:]))
	}
	start := at + pos
	if start+ksize+vsize > uint64(len(p.b)) {
		return nil, nil, corrupt("element %d lies outside its page", i)
	}
	return p.b[start : start+ksize], p.b[start+ksize : start+ksize+vsize], nil
}

// search returns the last element whose key is not above key, -1 when there is none, and whether it is the key.
func (p *page) search(key []byte) (at int, found bool, err error) {
	lo, hi := 0, p.count
	for lo < hi {
		mid := (lo + hi) / 2
		k, _, err := p.element(mid)
		if err != nil {
			return 0, false, err
		}
		switch c := bytes.Compare(k, key); {
		case c == 0:
			return mid, true, nil
		case c < 0:
			lo = mid + 1
		default:
			hi = mid
		}
	}
	return lo - 1, false, nil
}

// bucket prepares the bucket whose root is a page or, for a small one, the bytes behind its header.
func (f *pageFile) bucket(root uint64, inline []byte) (bucket, error) {
	if root != 0 {
		var w pageWindow
		p, err := f.page(root, &w)
		p.b = slices.Clip(p.b)
		return bucket{root: p}, err
	}
	p, _, err := decodePage(inline)
	return bucket{root: p}, err
}

// open finds a bucket by name.
func (f *pageFile) open(name []byte) (bucket, error) {
	v, isBucket, err := f.find(nil, &f.root, name)
	if err != nil {
		return bucket{}, fmt.Errorf("bucket %s: %w", name, err)
	}
	if !isBucket || len(v) < bucketBytes {
		return bucket{}, corrupt("bucket %s is none", name)
	}
	b, err := f.bucket(binary.LittleEndian.Uint64(v), v[bucketBytes:])
	if err != nil {
		return bucket{}, fmt.Errorf("bucket %s: %w", name, err)
	}
	return b, nil
}
