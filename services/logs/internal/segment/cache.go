package segment

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"gestor.local/logs/internal/line"
	"gestor.local/wal/disk"
)

// Cache keeps the indexes of the sealed segments that were read last.
type Cache struct {
	mu     sync.Mutex // guards the following fields
	index  map[string]*Index
	order  []string // least recently used first
	bytes  int      // of the indexes
	hashes int      // hashes that the segments keep of their containers
}

// cachedBytes bounds the indexes that are kept: of a week of hourly files at about 100 KiB each.
const cachedBytes = 16 << 20

// NewCache returns an empty cache.
func NewCache() *Cache { return &Cache{index: map[string]*Index{}} }

// load returns the index in a file. The result is shared: do not change it.
func (c *Cache) load(fsys disk.FS, path string) (*Index, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if x := c.index[path]; x != nil {
		c.touch(path)
		return x, nil
	}

	x, err := readIndex(fsys, path)
	if err != nil {
		return nil, err
	}
	c.put(path, x)
	return x, nil
}

// add takes in an index that was made again.
func (c *Cache) add(path string, x *Index) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.put(path, x)
}

func (c *Cache) put(path string, x *Index) {
	c.remove(path)
	x.held = x.weight()
	if x.held > cachedBytes/2 {
		return // a rare one must not drive out all others
	}

	c.index[path] = x
	c.bytes += x.held

	c.touch(path)
	for c.bytes > cachedBytes {
		c.remove(c.order[0])
	}
}

// remove drops an index. The caller holds mu.
func (c *Cache) remove(path string) {
	if x := c.index[path]; x != nil {
		c.bytes -= x.held
		delete(c.index, path)
		c.order = slices.DeleteFunc(c.order, func(p string) bool { return p == path })
	}
}

func (c *Cache) touch(path string) {
	if i := slices.Index(c.order, path); i >= 0 {
		c.order = slices.Delete(c.order, i, i+1)
	}
	c.order = append(c.order, path)
}

// forget drops the index of a removed segment.
func (c *Cache) forget(path string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(path)
}

// readIndex reads an index file and checks that it is whole.
func readIndex(fsys disk.FS, path string) (*Index, error) {
	b, err := disk.ReadFile(fsys, path)
	if err != nil {
		return nil, fmt.Errorf("read index: %w", err)
	}

	b = bytes.TrimSuffix(b, []byte("\n"))
	if !line.Check(b) {
		return nil, fmt.Errorf("read index %s: checksum does not match", path)
	}
	x := newIndex()
	if err := json.Unmarshal(b, x); err != nil {
		return nil, fmt.Errorf("read index %s: %w", path, err)
	}
	return x, nil
}

// write stores the index beside its segment, durably.
func (x *Index) write(fsys disk.FS, dir, name string) error {
	if x.identities != nil && len(x.Producers) == 0 {
		x.Producers = x.producers()
	}

	b, err := json.Marshal(x)
	if err != nil {
		return fmt.Errorf("write index: %w", err)
	}
	if err := disk.WriteFile(fsys, dir+"/"+name+IndexExt, line.AppendChecksum(nil, b)); err != nil {
		return fmt.Errorf("write index: %w", err)
	}
	return nil
}
