package files

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// directory is a folder that was looked up once. Whatever happens to its path meanwhile, all names are taken in that folder.
type directory struct {
	fd int // opened with O_PATH, which asks for no right to read the folder
}

// openDirectory enters an absolute path, and makes what is missing of it.
func openDirectory(path string) (*directory, error) {
	fd, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	for part := range strings.SplitSeq(filepath.Clean(path), "/") {
		if part == "" {
			continue
		}
		next, err := enter(fd, part)
		unix.Close(fd)
		if err != nil {
			return nil, pathFault(path, &fs.PathError{Op: "enter", Path: part, Err: err})
		}
		fd = next
	}
	return &directory{fd}, nil
}

// enter opens a folder in a folder. Links are followed, since many systems have some on the way (/var/run), but not the kernel's magic
// ones, which lead out of every root.
func enter(parent int, name string) (int, error) {
	fd, err := openFolder(parent, name, unix.O_PATH)
	if !errors.Is(err, unix.ENOENT) {
		return fd, err
	}
	err = unix.Mkdirat(parent, name, dirMode)
	if errors.Is(err, unix.EEXIST) { // somebody was faster, or it is a link that leads nowhere
		return openFolder(parent, name, unix.O_PATH)
	}
	if err != nil {
		return -1, err
	}
	fd, err = openFolder(parent, name, unix.O_RDONLY|unix.O_NOFOLLOW)
	if err != nil {
		return -1, err
	}
	if err := errors.Join(undoUmask(fd), syncFolder(parent)); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// openFolder falls back to a plain openat where the kernel is older than 5.6, or a filter of system calls does not know openat2.
func openFolder(parent int, name string, flags int) (int, error) {
	flags |= unix.O_DIRECTORY | unix.O_CLOEXEC
	for {
		fd, err := unix.Openat2(parent, name, &unix.OpenHow{Flags: uint64(flags), Resolve: unix.RESOLVE_NO_MAGICLINKS})
		if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) {
			fd, err = unix.Openat(parent, name, flags, 0)
		}
		if !errors.Is(err, unix.EINTR) && !errors.Is(err, unix.EAGAIN) { // EAGAIN: something was renamed meanwhile
			return fd, err
		}
	}
}

// undoUmask gives a new folder its mode, and leaves a group bit alone that it has from its parent.
func undoUmask(fd int) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Mode&0o777 == dirMode {
		return nil
	}
	return unix.Fchmod(fd, st.Mode&0o7000|dirMode)
}

// syncFolder makes the names in a folder durable, as far as the file system and the rights of this process allow it.
func syncFolder(parent int) error {
	fd, err := unix.Openat(parent, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.EACCES) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.Fsync(fd); err != nil && !errors.Is(err, unix.EINVAL) {
		return err
	}
	return nil
}

func (d *directory) close() { unix.Close(d.fd) }

func (d *directory) sync() error { return syncFolder(d.fd) }

// lstat returns the type of what has the name.
func (d *directory) lstat(name string) (fs.FileMode, error) {
	var st unix.Stat_t
	if err := unix.Fstatat(d.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return 0, err
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		return 0, nil
	case unix.S_IFLNK:
		return fs.ModeSymlink, nil
	case unix.S_IFDIR:
		return fs.ModeDir, nil
	}
	return fs.ModeIrregular, nil
}

// create makes a file that nobody else can open yet.
func (d *directory) create(name string) (*os.File, error) {
	fd, err := unix.Openat(d.fd, name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// reopen opens a file that this process or one before it created: anything else of the name is an error.
func (d *directory) reopen(name string) (*os.File, error) {
	fd, err := unix.Openat(d.fd, name, unix.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	if err == nil && (st.Mode&unix.S_IFMT != unix.S_IFREG || st.Mode&0o7777 != 0o600 || st.Nlink != 1 || int(st.Uid) != os.Geteuid()) {
		err = unix.EEXIST
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// reserve makes room on the disk for a file of a size, if the file system can, so that a lack of it shows before the bytes travel.
func reserve(file *os.File, size int64) error {
	var st unix.Stat_t
	var disk unix.Statfs_t
	if err := errors.Join(unix.Fstat(int(file.Fd()), &st), unix.Fstatfs(int(file.Fd()), &disk)); err != nil {
		return err
	}
	missing := size - st.Blocks*512 // the unit of stat, whatever the file system's is
	switch {
	case missing <= 0:
		return nil
	case uint64(missing)/uint64(disk.Bsize) >= disk.Bavail: // asking for it would take all that is left before it fails
		return unix.ENOSPC
	}
	err := unix.Fallocate(int(file.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, size)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINTR) {
		return nil
	}
	return err
}

// publish gives the finished file its name. Without overwrite, nobody who took the name meanwhile loses it.
func (d *directory) publish(temp, name string, overwrite bool) error {
	if overwrite {
		return unix.Renameat(d.fd, temp, d.fd, name)
	}
	err := unix.Renameat2(d.fd, temp, d.fd, name, unix.RENAME_NOREPLACE)
	if !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOSYS) {
		return err
	}
	if err := unix.Linkat(d.fd, temp, d.fd, name, 0); err != nil { // for network file systems and old kernels
		return err
	}
	return d.remove(temp)
}

func (d *directory) remove(name string) error { return unix.Unlinkat(d.fd, name, 0) }

// labelAttribute is where SELinux keeps the type of a file.
const labelAttribute = "security.selinux"

// keepLabel gives the new file the security label of the one it replaces, so that a labelled configuration file stays readable for its
// service. Machines without labels have none to keep, and the policy's default is no fault.
func (d *directory) keepLabel(name string, file *os.File) {
	label := make([]byte, 4096)
	n, err := unix.Lgetxattr("/proc/self/fd/"+strconv.Itoa(d.fd)+"/"+name, labelAttribute, label)
	if err == nil {
		_ = unix.Fsetxattr(int(file.Fd()), labelAttribute, label[:n], 0)
	}
}
