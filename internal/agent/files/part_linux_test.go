package files

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

const temp = tempPrefix + "1-0"

func openPart(t *testing.T, f File, size int64) *Part {
	t.Helper()
	p, err := OpenPart(t.Context(), f, temp, size)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestPart begins a file in one process, goes on in the next, and puts it in its place in a third.
func TestPart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := File{Name: "f", Dir: dir, Mode: 0o4711, Owner: "nobody", Group: "nogroup"}
	p := openPart(t, f, 10)
	if err := p.Write([]byte("0123456"), 0); err != nil {
		t.Fatal(err)
	}
	p.Close()
	p = openPart(t, f, 10)
	var there bytes.Buffer
	if have, err := p.Resume(t.Context(), &there, 4, 10); err != nil || have != 4 || there.String() != "0123" {
		t.Fatalf("%d, %q, %v", have, there.String(), err)
	}
	if err := errors.Join(p.Write([]byte("4567"), 4), p.Write([]byte("89"), 8), p.Ready()); err != nil {
		t.Fatal(err)
	}
	p.Close()
	if _, err := os.Lstat(filepath.Join(dir, "f")); !os.IsNotExist(err) {
		t.Fatalf("it is in its place already: %v", err)
	}
	for range 2 { // the second time after a crash that came too late
		if err := FinishPart(f, temp); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(filepath.Join(dir, "f"))
	if err != nil || string(got) != "0123456789" {
		t.Errorf("%q, %v", got, err)
	}
	if st := stat(t, filepath.Join(dir, "f")); st.Mode != unix.S_IFREG|0o4711 || st.Uid != 65534 || st.Gid != 65534 {
		t.Errorf("mode %o of %d:%d", st.Mode, st.Uid, st.Gid)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("left: %v", left)
	}
}

func TestPartRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "there"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		file File
		want Fault
	}{
		"exists":   {File{Name: "there", Dir: dir}, Exists},
		"a folder": {File{Name: "folder", Dir: dir, Overwrite: true}, CreateFail},
		"up":       {File{Name: "..", Dir: dir}, NameInvalid},
		"relative": {File{Name: "f", Dir: "x"}, PathInvalid},
		"a file":   {File{Name: "f", Dir: filepath.Join(dir, "there")}, PathInvalid},
		"owner":    {File{Name: "f", Dir: dir, Owner: "no-such-user"}, OwnerNotFound},
		"group":    {File{Name: "f", Dir: dir, Group: "no-such-group"}, GroupNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := OpenPart(t.Context(), tt.file, temp, 1)
			wantFault(t, err, tt.want)
		})
	}
	if _, err := OpenPart(t.Context(), File{Name: "f", Dir: dir}, "../x", 1); err == nil {
		t.Error("a part elsewhere")
	}
	if err := RemovePart(dir, "there"); err == nil {
		t.Error("removed what is no part")
	}
}

// TestPartNeedsRoom finds out that there is none before any byte has come.
func TestPartNeedsRoom(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		t.Fatal(err)
	}
	_, err := OpenPart(t.Context(), File{Name: "f", Dir: dir}, temp, int64(fs.Blocks)*fs.Bsize+1<<20)
	wantFault(t, err, NoSpace)
}

// TestPartTrustsNoOther does not write into what somebody else has put under the name of a part.
func TestPartTrustsNoOther(t *testing.T) {
	t.Parallel()
	for name, plant := range map[string]func(dir string) error{
		"link": func(dir string) error { return os.Symlink(filepath.Join(dir, "victim"), filepath.Join(dir, temp)) },
		"twin": func(dir string) error { return os.Link(filepath.Join(dir, "victim"), filepath.Join(dir, temp)) },
		"pipe": func(dir string) error { return unix.Mkfifo(filepath.Join(dir, temp), 0o600) },
		"mode": func(dir string) error { return os.WriteFile(filepath.Join(dir, temp), []byte("bad"), 0o666) },
		"owner": func(dir string) error {
			return errors.Join(os.WriteFile(filepath.Join(dir, temp), []byte("bad"), 0o600), os.Chown(filepath.Join(dir, temp), 65534, 65534))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := errors.Join(os.WriteFile(filepath.Join(dir, "victim"), []byte("victim"), 0o600), plant(dir)); err != nil {
				t.Fatal(err)
			}
			f := File{Name: "f", Dir: dir, Mode: 0o644}
			p := openPart(t, f, 1)
			have, err := p.Resume(t.Context(), new(bytes.Buffer), 1, 1)
			if err != nil || have != 0 {
				t.Errorf("%d bytes of another's, %v", have, err)
			}
			if err := errors.Join(p.Write([]byte("x"), 0), p.Ready(), p.Place()); err != nil {
				t.Fatal(err)
			}
			p.Close()
			got, err := os.ReadFile(filepath.Join(dir, "victim"))
			if err != nil || string(got) != "victim" {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

// TestPlaceDoesNotOverwrite leaves what took the name while the part was filled.
func TestPlaceDoesNotOverwrite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := openPart(t, File{Name: "f", Dir: dir}, 0)
	defer p.Close()
	if err := os.WriteFile(filepath.Join(dir, "f"), []byte("theirs"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := p.Ready(); err != nil {
		t.Fatal(err)
	}
	wantFault(t, p.Place(), Exists)
	if got, _ := os.ReadFile(filepath.Join(dir, "f")); string(got) != "theirs" {
		t.Errorf("%q", got)
	}
	if err := RemovePart(dir, temp); err != nil {
		t.Fatal(err)
	}
	if err := RemovePart(dir, temp); err != nil {
		t.Errorf("removed twice: %v", err)
	}
}

func TestSource(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "f")
	if err := os.WriteFile(file, []byte("content"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(file, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(filepath.Join(dir, "pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	sock, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(sock)
	if err := unix.Bind(sock, &unix.SockaddrUnix{Name: filepath.Join(dir, "socket")}); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]Fault{
		filepath.Join(dir, "none"): Missing, filepath.Join(file, "below"): Missing, dir: NotRegular, filepath.Join(dir, "link"): NotRegular,
		filepath.Join(dir, "pipe"): NotRegular, filepath.Join(dir, "socket"): NotRegular, "/dev/null": NotRegular, "f": PathInvalid,
		dir + "/../x": PathInvalid,
	} {
		_, err := OpenSource(path, false)
		wantFault(t, err, want)
	}
	s, err := OpenSource(filepath.Join(dir, "link"), true)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	b := make([]byte, 4)
	if err := s.Read(b, 3); err != nil || string(b) != "tent" || s.Size() != 7 {
		t.Errorf("%q of %d, %v", b, s.Size(), err)
	}
	if err := s.Unchanged(); err != nil {
		t.Error(err)
	}
	wantFault(t, s.Read(b, 4), Changed)
}

// TestSourceChanges notices whatever is done to a file while it is read.
func TestSourceChanges(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(file string) error{
		"longer":  func(file string) error { return os.WriteFile(file, []byte("longer content"), 0o644) },
		"shorter": func(file string) error { return os.Truncate(file, 1) },
		"touched": func(file string) error { return syscall.Utimes(file, []syscall.Timeval{{Sec: 9}, {Sec: 9}}) },
	} {
		file := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(file, []byte("content"), 0o644); err != nil {
			t.Fatal(err)
		}
		s, err := OpenSource(file, false)
		if err != nil {
			t.Fatal(err)
		}
		if err := change(file); err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) { wantFault(t, s.Unchanged(), Changed) })
		s.Close()
	}
}
