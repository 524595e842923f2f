package files

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWriteMakesFileAndFolders(t *testing.T) {
	t.Parallel()
	f := File{Name: "app.conf", Dir: filepath.Join(t.TempDir(), "etc", "app"), Content: []byte("port=1\n"), Mode: 0o640}
	write(t, f)
	if diff := cmp.Diff("port=1\n", read(t, f.Path())); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"app.conf"}, names(t, f.Dir)); diff != "" {
		t.Error(diff)
	}
}

func TestWriteReplacesOnlyWhenAllowed(t *testing.T) {
	t.Parallel()
	f := File{Name: "f", Dir: t.TempDir(), Content: []byte("one"), Mode: 0o644}
	write(t, f)
	f.Content = []byte("two")
	wantFault(t, Write(t.Context(), f), Exists)
	if diff := cmp.Diff("one", read(t, f.Path())); diff != "" {
		t.Error(diff)
	}
	f.Overwrite = true
	write(t, f)
	if diff := cmp.Diff("two", read(t, f.Path())); diff != "" {
		t.Error(diff)
	}
}

func TestWriteRefusesWhatIsNoName(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"", ".", "..", "/", "a/b", "../x", "../../etc/passwd", "/etc/passwd", "a/", "a/..", "..\x00", "a\x00b", strings.Repeat("n", MaxName+1),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "target")
			err := Write(t.Context(), File{Name: name, Dir: dir, Content: []byte("x"), Mode: 0o644})
			wantFault(t, err, NameInvalid)
			if got := names(t, filepath.Dir(dir)); len(got) != 0 {
				t.Errorf("left %q", got)
			}
		})
	}
}

func TestWriteTakesOddNames(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{".hidden", "...", "a b", "-rf", "~", "Ünï", strings.Repeat("n", MaxName)} {
		write(t, File{Name: name, Dir: dir, Content: []byte(name), Mode: 0o644})
		if diff := cmp.Diff(name, read(t, filepath.Join(dir, name))); diff != "" {
			t.Error(diff)
		}
	}
}

func TestWriteRefusesWhatIsNoFolder(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	write(t, File{Name: "plain", Dir: top, Content: []byte("x"), Mode: 0o644})
	for _, dir := range []string{
		"", ".", "relative", "./x", "~", top + "/../elsewhere", top + "/x/..", top + "/a\x00b",
		top + "/plain", top + "/plain/below", top + "/" + strings.Repeat("d", 300),
	} {
		t.Run(dir, func(t *testing.T) {
			t.Parallel()
			wantFault(t, Write(t.Context(), File{Name: "f", Dir: dir, Content: []byte("x"), Mode: 0o644}), PathInvalid)
		})
	}
}

func TestWriteRefusesEmptyContentAndOddMode(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "target")
	wantFault(t, Write(t.Context(), File{Name: "f", Dir: dir, Mode: 0o644}), ContentInvalid)
	for _, mode := range []fs.FileMode{0o10000, fs.ModeDir | 0o755, fs.ModeSymlink} {
		wantFault(t, Write(t.Context(), File{Name: "f", Dir: dir, Content: []byte("x"), Mode: mode}), ModeInvalid)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder was made: %v", err)
	}
}

func TestParseMode(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]fs.FileMode{
		"": 0o644, "644": 0o644, "0644": 0o644, "000": 0, "0777": 0o777,
		"4755": fs.ModeSetuid | 0o755, "2750": fs.ModeSetgid | 0o750, "1777": fs.ModeSticky | 0o777,
		"7777": fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky | 0o777,
	} {
		if got, err := ParseMode(text); err != nil || got != want {
			t.Errorf("ParseMode(%q) = %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"7", "64", "999", "0999", "00644", "10644", "u+x", "rw-", "-644", "+644", "0o44", "6_4", " 644"} {
		_, err := ParseMode(text)
		wantFault(t, err, ModeInvalid)
	}
}

func FuzzParseMode(f *testing.F) {
	f.Add("0644")
	f.Add("u=rwx")
	f.Fuzz(func(t *testing.T, text string) {
		mode, err := ParseMode(text)
		if err == nil && (File{Name: "f", Dir: t.TempDir(), Content: []byte("x"), Mode: mode}).validate() != nil {
			t.Errorf("ParseMode(%q) = %v, which Write refuses", text, mode)
		}
	})
}

func TestErrorTellsPathFaultAndCause(t *testing.T) {
	t.Parallel()
	err := &Error{Fault: NoSpace, Path: "/a/b", Err: fs.ErrInvalid}
	if diff := cmp.Diff(`write file "/a/b": no space left: invalid argument`, err.Error()); diff != "" {
		t.Error(diff)
	}
	if !errors.Is(err, fs.ErrInvalid) {
		t.Error("the cause is lost")
	}
}

func write(t *testing.T, f File) {
	t.Helper()
	if err := Write(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, entry := range entries {
		list = append(list, entry.Name())
	}
	return list
}

func wantFault(t *testing.T, err error, want Fault) {
	t.Helper()
	var got *Error
	if !errors.As(err, &got) || got.Fault != want {
		t.Errorf("error %v, want %q", err, want)
	}
}
