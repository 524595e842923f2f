package identity

import (
	"errors"
	"io/fs"
	"path/filepath"
)

// Where names the file in an agent's data folder that Load goes by, and why it is that one. The file is empty if there is none.
func Where(dir string) (file, why string) {
	current, previous := filepath.Join(dir, folder, fileName), filepath.Join(dir, folder, previousName)
	_, err := read(current)
	if err == nil {
		return current, "it is the current one and can be read"
	}
	if _, perr := read(previous); perr == nil {
		return previous, "it is the copy of the one before, because the current one cannot be used: " + err.Error()
	}
	if errors.Is(err, fs.ErrNotExist) {
		return "", "there is no identity in " + filepath.Join(dir, folder)
	}
	return "", "neither the current one nor the copy of the one before can be used: " + err.Error()
}
