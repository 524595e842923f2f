package upgrade

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"errand/internal/release"
)

// Names in the folder of programs.
const (
	folderName  = "programs"
	currentName = "current"
	stateName   = "state.json"
	keysName    = "keys.json"
	proofName   = "release.json"
	lockName    = "lock"
	fetchName   = "fetching"
)

// folder is where programs are kept, below an agent's data folder.
type folder string

func folderOf(data string) folder { return folder(filepath.Join(data, folderName)) }

func (f folder) path(names ...string) string {
	return filepath.Join(append([]string{string(f)}, names...)...)
}

// make makes the folder, for its owner only.
func (f folder) make() error {
	if err := os.MkdirAll(filepath.Dir(string(f)), 0o711); err != nil { //nolint:gosec // commands pass through the data folder to their scripts
		return err
	}
	if err := os.Mkdir(string(f), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(filepath.Dir(string(f)))
}

// current returns the version that the link names; empty if the installed program is the current one.
func (f folder) current() string {
	name, err := os.Readlink(f.path(currentName))
	if err != nil || !release.ValidVersion(name) {
		return ""
	}
	return name
}

// setCurrent moves the link, at once and for good; an empty version removes it.
func (f folder) setCurrent(version string) error {
	link := f.path(currentName)
	if version == "" {
		if err := os.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return syncDir(string(f))
	}
	if err := os.Remove(link + ".new"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Symlink(version, link+".new"); err != nil {
		return err
	}
	if err := os.Rename(link+".new", link); err != nil {
		return err
	}
	return syncDir(string(f))
}

// program is the path of a version's agent.
func (f folder) program(version string) string {
	return f.path(version, release.ProgramName(release.AgentProgram, runtime.GOOS))
}

// sweep removes all versions but those to keep, and with them whatever was not finished.
func (f folder) sweep(keep ...string) error {
	entries, err := os.ReadDir(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	kept := map[string]bool{}
	for _, k := range keep {
		kept[k] = true
	}
	for _, e := range entries {
		if e.IsDir() && !kept[e.Name()] {
			err = errors.Join(err, os.RemoveAll(f.path(e.Name())))
		}
	}
	return err
}

// ErrUntrusted means that somebody else could have changed a program.
var ErrUntrusted = errors.New("not safe from other users")

// guarded refuses a file or folder that others than its owner could change, or that is not the agent's own.
func guarded(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if !ownedHere(info) || info.Mode().Type() != 0 && !info.IsDir() || info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%s: %w", path, ErrUntrusted)
	}
	return nil
}

// verify checks that a version's programs are what enough of the pinned keys signed, and safe from others.
func (f folder) verify(version string, p *pinned) error {
	for _, path := range []string{filepath.Dir(string(f)), string(f), f.path(version), f.path(version, proofName)} {
		if err := guarded(path); err != nil {
			return err
		}
	}
	text, err := readBounded(f.path(version, proofName), release.MaxDocument)
	if err != nil {
		return err
	}
	m, err := p.manifest(text)
	if err != nil {
		return err
	}
	platform, ok := m.Platform(runtime.GOOS, runtime.GOARCH)
	if m.Version != version || !ok {
		return fmt.Errorf("%w: the manifest of %s for another machine", release.ErrContent, m.Version)
	}
	for i := range platform.Files {
		if err := checkFile(f.path(version, platform.Files[i].Name), &platform.Files[i]); err != nil {
			return err
		}
	}
	return nil
}

func checkFile(path string, f *release.File) error {
	if err := guarded(path); err != nil {
		return err
	}
	program, err := os.Open(path)
	if err != nil {
		return err
	}
	defer program.Close()
	return f.Check(program)
}

func readBounded(path string, most int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > most {
		return nil, fmt.Errorf("%s: more than %d bytes", path, most)
	}
	return os.ReadFile(path)
}

// replace gives a file a new content, at once and for good.
func replace(path string, content []byte) error {
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(path+".new"))
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // folders cannot be synced there, and need not be
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
