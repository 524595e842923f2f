package files

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestModeIsKeptWhole(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for mode, want := range map[fs.FileMode]uint32{
		0o644: 0o644, 0: 0, 0o777: 0o777, // no umask
		0o4755: 0o4755, fs.ModeSetuid | 0o755: 0o4755, fs.ModeSetgid | 0o711: 0o2711, 0o7777: 0o7777,
	} {
		write(t, File{Name: "f", Dir: dir, Content: []byte("x"), Mode: mode, Owner: "nobody", Overwrite: true})
		if got := stat(t, filepath.Join(dir, "f")).Mode; got != unix.S_IFREG|want {
			t.Errorf("mode %o, want %o", got, want)
		}
	}
}

func TestOwnerAndGroup(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "made")
	for _, c := range []struct {
		owner, group string
		uid, gid     uint32
	}{
		{"", "", 0, 0},
		{"root", "root", 0, 0},
		{"nobody", "nogroup", 65534, 65534},
		{"nobody", "", 65534, 0},
		{"", "nogroup", 0, 65534},
	} {
		write(t, File{Name: "f", Dir: dir, Content: []byte("x"), Mode: 0o600, Owner: c.owner, Group: c.group, Overwrite: true})
		if st := stat(t, filepath.Join(dir, "f")); st.Uid != c.uid || st.Gid != c.gid {
			t.Errorf("owner %q and group %q: %d:%d", c.owner, c.group, st.Uid, st.Gid)
		}
	}
	if st := stat(t, dir); st.Mode != unix.S_IFDIR|0o755 || st.Uid != 0 {
		t.Errorf("folder: mode %o of %d", st.Mode, st.Uid)
	}
}

func TestOwnerAndGroupAreFoundFirst(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "target")
	for _, name := range []string{"no-such-name", "0", "-h", "a:b", "$(id)", "root\n", strings.Repeat("u", 300)} {
		f := File{Name: "f", Dir: dir, Content: []byte("x"), Mode: 0o644, Owner: name}
		wantFault(t, Write(t.Context(), f), OwnerNotFound)
		f.Owner, f.Group = "root", name
		wantFault(t, Write(t.Context(), f), GroupNotFound)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder was made: %v", err)
	}
}

func TestIDInFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "group")
	long := "crowd:x:7:" + strings.Repeat("member,", 50_000)
	if err := os.WriteFile(path, []byte("\n#bad\nshort:x\nwild:x:4294967295:\nletters:x:a:\n"+long+"\nlast:x:9:"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{"crowd": 7, "last": 9, "short": -1, "wild": -1, "letters": -1, "las": -1} {
		if got, err := idInFile(path, name); err != nil || got != want {
			t.Errorf("%s: %d, %v, want %d", name, got, err, want)
		}
	}
	if got, err := idInFile(path+"-missing", "root"); err != nil || got != -1 {
		t.Errorf("missing file: %d, %v", got, err)
	}
}

func TestLinkIsReplacedNotFollowed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	victim := File{Name: "victim", Dir: t.TempDir(), Content: []byte("precious"), Mode: 0o600}
	write(t, victim)
	f := File{Name: "f", Dir: dir, Content: []byte("new"), Mode: 0o666, Owner: "nobody"}
	for _, target := range []string{victim.Path(), "/nowhere/at/all"} {
		os.Remove(f.Path())
		if err := os.Symlink(target, f.Path()); err != nil {
			t.Fatal(err)
		}
		f.Overwrite = false
		wantFault(t, Write(t.Context(), f), Exists)
		f.Overwrite = true
		write(t, f)
		if st := stat(t, f.Path()); st.Mode != unix.S_IFREG|0o666 {
			t.Errorf("mode %o", st.Mode)
		}
	}
	if diff := cmp.Diff("precious", read(t, victim.Path())); diff != "" {
		t.Error(diff)
	}
	if st := stat(t, victim.Path()); st.Uid != 0 || st.Mode != unix.S_IFREG|0o600 {
		t.Errorf("victim has mode %o and belongs to %d", st.Mode, st.Uid)
	}
}

func TestLinkRaceNeverReachesTheVictim(t *testing.T) {
	t.Parallel()
	victim := File{Name: "victim", Dir: t.TempDir(), Content: []byte("precious"), Mode: 0o600}
	write(t, victim)
	f := File{Name: "f", Dir: t.TempDir(), Content: []byte("new"), Mode: 0o666, Owner: "nobody", Overwrite: true}
	var done atomic.Bool
	var attacker sync.WaitGroup
	attacker.Go(func() {
		for trick := filepath.Join(f.Dir, "trick"); !done.Load(); {
			_ = os.Symlink(victim.Path(), trick)
			_ = os.Rename(trick, f.Path())
			_ = os.Remove(f.Path())
		}
	})
	for range 300 {
		write(t, f)
	}
	done.Store(true)
	attacker.Wait()
	if diff := cmp.Diff("precious", read(t, victim.Path())); diff != "" {
		t.Error(diff)
	}
	if st := stat(t, victim.Path()); st.Uid != 0 || st.Mode != unix.S_IFREG|0o600 {
		t.Errorf("victim has mode %o and belongs to %d", st.Mode, st.Uid)
	}
}

func TestFolderBehindLink(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	if err := os.Symlink(filepath.Join(top, "gone"), filepath.Join(top, "dangling")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real", filepath.Join(top, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(top, "real"), 0o700); err != nil {
		t.Fatal(err)
	}
	f := File{Name: "f", Content: []byte("x"), Mode: 0o644}

	f.Dir = filepath.Join(top, "link", "below")
	write(t, f)
	if diff := cmp.Diff("x", read(t, filepath.Join(top, "real", "below", "f"))); diff != "" {
		t.Error(diff)
	}
	f.Dir = filepath.Join(top, "dangling", "below")
	wantFault(t, Write(t.Context(), f), PathInvalid)
	f.Dir = "/proc/self/root" + top // a magic link
	wantFault(t, Write(t.Context(), f), PathInvalid)
}

func TestWhatIsNoFileIsNotReplaced(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "folder"), 0o700), unix.Mkfifo(filepath.Join(dir, "fifo"), 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"folder", "fifo"} {
		f := File{Name: name, Dir: dir, Content: []byte("x"), Mode: 0o644}
		wantFault(t, Write(t.Context(), f), Exists)
		f.Overwrite = true
		wantFault(t, Write(t.Context(), f), CreateFail)
	}
	if diff := cmp.Diff([]string{"fifo", "folder"}, names(t, dir)); diff != "" {
		t.Error(diff)
	}
}

func TestReaderSeesOldOrNew(t *testing.T) {
	t.Parallel()
	const size = 3 << 20
	f := File{Name: "f", Dir: t.TempDir(), Mode: 0o644, Overwrite: true}
	contents := [][]byte{[]byte(strings.Repeat("a", size)), []byte(strings.Repeat("b", size))}
	f.Content = contents[0]
	write(t, f)
	path := f.Path()
	var done atomic.Bool
	var reader sync.WaitGroup
	reader.Go(func() {
		for !done.Load() {
			got, err := os.ReadFile(path)
			if err != nil || len(got) != size || strings.Trim(string(got), string(got[:1])) != "" {
				t.Errorf("read %d bytes, mixed or short: %v", len(got), err)
				return
			}
		}
	})
	for i := range 20 {
		f.Content = contents[i%2]
		write(t, f)
	}
	done.Store(true)
	reader.Wait()
}

func TestOneOfManyWins(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var won atomic.Int32
	var writers sync.WaitGroup
	for i := range 20 {
		writers.Go(func() {
			err := Write(t.Context(), File{Name: "f", Dir: filepath.Join(dir, "new"), Content: []byte{'a' + byte(i)}, Mode: 0o644})
			if err == nil {
				won.Add(1)
				return
			}
			wantFault(t, err, Exists)
		})
	}
	writers.Wait()
	if won.Load() != 1 {
		t.Errorf("%d writers won", won.Load())
	}
	if diff := cmp.Diff([]string{"f"}, names(t, filepath.Join(dir, "new"))); diff != "" {
		t.Error(diff)
	}
}

// TestPublishGuards is the race that checkTarget cannot see.
func TestPublishGuards(t *testing.T) {
	t.Parallel()
	f := File{Name: "f", Dir: t.TempDir(), Content: []byte("first"), Mode: 0o644}
	dir, err := openDirectory(f.Dir)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.close()
	write(t, f)
	f.Content = []byte("second")
	wantFault(t, f.refuse(f.put(t.Context(), dir, owner{})), Exists)
	if diff := cmp.Diff("first", read(t, f.Path())); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"f"}, names(t, f.Dir)); diff != "" {
		t.Error(diff)
	}
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	dir := mount(t, "size=64k", 0)
	f := File{Name: "f", Dir: dir, Content: []byte("old"), Mode: 0o644, Overwrite: true}
	write(t, f)
	f.Content = make([]byte, 1<<20)
	wantFault(t, Write(t.Context(), f), NoSpace)
	if diff := cmp.Diff("old", read(t, f.Path())); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"f"}, names(t, dir)); diff != "" {
		t.Error(diff)
	}
}

func TestNoInodesLeft(t *testing.T) {
	t.Parallel()
	dir := mount(t, "nr_inodes=1", 0) // the root folder's
	wantFault(t, Write(t.Context(), File{Name: "f", Dir: dir, Content: []byte("x"), Mode: 0o644}), NoSpace)
	wantFault(t, Write(t.Context(), File{Name: "f", Dir: dir + "/sub", Content: []byte("x"), Mode: 0o644}), NoSpace)
}

func TestReadOnlyMount(t *testing.T) {
	t.Parallel()
	dir := mount(t, "", unix.MS_RDONLY)
	wantFault(t, Write(t.Context(), File{Name: "f", Dir: dir, Content: []byte("x"), Mode: 0o644}), ReadOnly)
	wantFault(t, Write(t.Context(), File{Name: "f", Dir: dir + "/sub", Content: []byte("x"), Mode: 0o644}), ReadOnly)
}

func TestCancelledWriteLeavesNothing(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	err := Write(ctx, File{Name: "f", Dir: dir, Content: []byte("x"), Mode: 0o644})
	wantFault(t, err, CreateFail)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cause %v", err)
	}
	if got := names(t, dir); len(got) != 0 {
		t.Errorf("left %q", got)
	}
}

// TestWithoutRoot writes with the rights of nobody.
func TestWithoutRoot(t *testing.T) {
	t.Parallel()
	own, foreign := t.TempDir(), t.TempDir()
	for _, dir := range []string{filepath.Dir(own), filepath.Dir(foreign)} {
		if err := os.Chmod(dir, 0o711); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(own, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	f := File{Name: "f", Dir: own, Content: []byte("x"), Mode: 0o4711, Owner: "nobody", Group: "nogroup"}
	if err := writeAsNobody(t, f); err != nil {
		t.Fatal(err)
	}
	if st := stat(t, f.Path()); st.Uid != 65534 || st.Mode != unix.S_IFREG|0o4711 {
		t.Errorf("mode %o of %d", st.Mode, st.Uid)
	}
	for _, f := range []File{
		{Name: "g", Dir: own, Content: []byte("x"), Mode: 0o644, Owner: "root", Group: "nogroup"},
		{Name: "g", Dir: foreign, Content: []byte("x"), Mode: 0o644, Owner: "nobody", Group: "nogroup"},
		{Name: "g", Dir: foreign + "/sub", Content: []byte("x"), Mode: 0o644, Owner: "nobody", Group: "nogroup"},
	} {
		err := writeAsNobody(t, f)
		wantFault(t, err, CreateFail)
		if !errors.Is(err, fs.ErrPermission) {
			t.Errorf("cause %v", err)
		}
	}
	if diff := cmp.Diff([]string{"f"}, names(t, own)); diff != "" {
		t.Error(diff)
	}
}

// writeAsNobody changes the file system's idea of the user.
func writeAsNobody(t *testing.T, f File) error {
	t.Helper()
	return onThread(func() error {
		return errors.Join(unix.Setfsgid(65534), unix.Setfsuid(65534), Write(t.Context(), f))
	})
}

func TestUmaskDoesNotApply(t *testing.T) {
	t.Parallel()
	f := File{Name: "f", Dir: filepath.Join(t.TempDir(), "a", "b"), Content: []byte("x"), Mode: 0o666}
	err := onThread(func() error {
		if err := unix.Unshare(unix.CLONE_FS); err != nil {
			return err
		}
		unix.Umask(0o077)
		return Write(t.Context(), f)
	})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]uint32{f.Path(): unix.S_IFREG | 0o666, f.Dir: unix.S_IFDIR | 0o755, filepath.Dir(f.Dir): unix.S_IFDIR | 0o755} {
		if got := stat(t, path).Mode; got != want {
			t.Errorf("%s: mode %o, want %o", path, got, want)
		}
	}
}

// onThread runs f on a thread of its own, which takes with it whatever f changes about it.
func onThread(f func() error) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked, so the thread is not used again
		result <- f()
	}()
	return <-result
}

func TestSecurityLabelIsKept(t *testing.T) {
	t.Parallel()
	f := File{Name: "f", Dir: mount(t, "", 0), Content: []byte("x"), Mode: 0o644, Overwrite: true}
	write(t, f)
	const label = "system_u:object_r:etc_t:s0"
	if err := unix.Setxattr(f.Path(), labelAttribute, []byte(label), 0); err != nil {
		t.Fatal(err)
	}
	write(t, f)
	got := make([]byte, 100)
	n, err := unix.Getxattr(f.Path(), labelAttribute, got)
	if err != nil || string(got[:n]) != label {
		t.Errorf("label %q, %v", got[:max(n, 0)], err)
	}
}

// mount mounts a file system in memory and returns its folder.
func mount(t *testing.T, options string, flags uintptr) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", flags, options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func stat(t *testing.T, path string) unix.Stat_t {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		t.Fatal(err)
	}
	return st
}
