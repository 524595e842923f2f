package campaign

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"
)

// disk is a file system of its own that can be made full.
type disk struct {
	dir  string
	size int64

	mu        sync.Mutex
	full      bool
	fullUntil time.Time
}

func (c *campaign) newDisk(dir string, size int64) *disk {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		c.t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d,mode=755", size)); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return &disk{dir: dir, size: size}
}

// fill makes the disk as small as what lies on it. Nothing has to be written for that, so it takes no time.
func (d *disk) fill() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.full = true
	for try := 0; ; try++ {
		var s syscall.Statfs_t
		if err := syscall.Statfs(d.dir, &s); err != nil {
			return err
		}
		err := d.resize(int64(s.Blocks-s.Bfree) * s.Bsize)
		if !errors.Is(err, syscall.EINVAL) || try == 100 { // something was written meanwhile
			return err
		}
	}
}

func (d *disk) free() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.full, d.fullUntil = false, time.Now()
	return d.resize(d.size)
}

func (d *disk) resize(size int64) error {
	return syscall.Mount("tmpfs", d.dir, "tmpfs", syscall.MS_REMOUNT, fmt.Sprintf("size=%d", size))
}

// wasFull reports whether the disk is full or was a moment ago.
func (d *disk) wasFull() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.full || time.Since(d.fullUntil) < 5*time.Second
}
