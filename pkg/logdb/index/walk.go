package index

import (
	"encoding/binary"
	"slices"
)

const (
	readPages  = 3  // read at once: most leaves have some overflow pages
	aheadPages = 16 // read at once in a long walk over neighbouring keys
)

// pageWindow is the bytes of some neighbouring pages. The zero value holds none.
type pageWindow struct {
	offset int64
	b      []byte
	pages  int64 // read last time
}

func (w *pageWindow) reset() { w.offset, w.b, w.pages = 0, w.b[:0], 0 }

// from returns what the window holds from the offset on.
func (w *pageWindow) from(offset int64) []byte {
	if at := offset - w.offset; at >= 0 && at < int64(len(w.b)) {
		return w.b[at:]
	}
	return nil
}

// fill makes the window hold n bytes from the offset on, reading only those that it did not hold.
func (w *pageWindow) fill(f *pageFile, offset, n int64) error {
	w.b = append(w.b[:0], w.from(offset)...)
	w.offset = offset
	held := int64(len(w.b))
	if held >= n {
		return nil
	}
	w.b = slices.Grow(w.b, int(n-held))[:n]
	err := f.read(w.b[held:], offset+held)
	if err != nil {
		w.reset()
	}
	return err
}

// page returns a page, valid until the next one is read into the window.
func (f *pageFile) page(id uint64, w *pageWindow) (page, error) {
	if id < 2 || id >= uint64(f.size/f.pageSize) {
		return page{}, corrupt("page %d lies outside the file", id)
	}
	offset := int64(id) * f.pageSize
	if int64(len(w.from(offset))) < f.pageSize {
		w.pages = min(max(readPages, 2*w.pages), aheadPages) // it was read before: a walk
		if err := w.fill(f, offset, min(w.pages*f.pageSize, f.size-offset)); err != nil {
			return page{}, err
		}
	}
	b := w.from(offset)
	p, overflow, err := decodePage(b)
	if err != nil {
		return page{}, err
	}
	if got := binary.LittleEndian.Uint64(b); got != id {
		return page{}, corrupt("page %d says that it is %d", id, got)
	}
	bytes := (int64(overflow) + 1) * f.pageSize
	if bytes > f.size-offset {
		return page{}, corrupt("page %d ends outside the file", id)
	}
	if int64(len(b)) < bytes {
		if err := w.fill(f, offset, bytes); err != nil {
			return page{}, err
		}
	}
	p.b = w.from(offset)[:bytes]
	return p, nil
}

// pageWalk finds key after key, each not far from the one before: it reads the pages that they share once. The zero value
// is ready.
type pageWalk struct {
	levels [depthMax]pageWindow
}

// reset forgets all pages.
func (w *pageWalk) reset() {
	for i := range w.levels {
		w.levels[i].reset()
	}
}

// get returns the checked value of a key, valid until the next call.
func (w *pageWalk) get(f *pageFile, b *bucket, key []byte) ([]byte, error) {
	v, isBucket, err := f.search(b, key, func(depth int, id uint64) (page, error) { return f.page(id, &w.levels[depth]) })
	if err != nil {
		return nil, err
	}
	return checked(key, v, isBucket)
}

// checked returns the value of a key, which every key that is asked for has in a sound file.
func checked(key, v []byte, isBucket bool) ([]byte, error) {
	if isBucket {
		return nil, corrupt("key %x is a bucket", key)
	}
	return signed(key, v)
}

// get appends the checked value of a key to dst.
func (f *pageFile) get(dst []byte, b *bucket, key []byte) ([]byte, error) {
	n := len(dst)
	dst, isBucket, err := f.find(dst, b, key)
	if err != nil {
		return nil, err
	}
	body, err := checked(key, dst[n:], isBucket)
	if err != nil {
		return nil, err
	}
	return dst[:n+len(body)], nil
}

// find appends the value of a key to dst.
func (f *pageFile) find(dst []byte, b *bucket, key []byte) (value []byte, isBucket bool, err error) {
	w, _ := f.windows.Get().(*pageWindow)
	if w == nil {
		w = new(pageWindow)
	}
	defer f.windows.Put(w)
	v, isBucket, err := f.search(b, key, func(_ int, id uint64) (page, error) {
		w.reset() // what it holds may be of any age
		return f.page(id, w)
	})
	return append(dst, v...), isBucket, err
}

// search returns the value of a key, going down from the root. child reads a page below a page of that depth.
func (f *pageFile) search(b *bucket, key []byte, child func(depth int, id uint64) (page, error)) (value []byte, isBucket bool, err error) {
	p := b.root
	for depth := range depthMax {
		at, found, err := p.search(key)
		if err != nil {
			return nil, false, err
		}
		if p.flags == pageLeaf {
			if !found {
				return nil, false, corrupt("key %x is missing", key)
			}
			_, v, err := p.element(at)
			flags := binary.LittleEndian.Uint32(p.b[pageHeaderBytes+at*elementBytes:])
			return v, flags&leafBucket != 0, err
		}
		at = max(at, 0)
		if _, _, err := p.element(at); err != nil { // checks that the element is there at all
			return nil, false, err
		}
		if p, err = child(depth, binary.LittleEndian.Uint64(p.b[pageHeaderBytes+at*elementBytes+8:])); err != nil {
			return nil, false, err
		}
	}
	return nil, false, corrupt("key %x: more than %d levels of pages", key, depthMax)
}
