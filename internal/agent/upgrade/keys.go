package upgrade

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"errand/internal/release"
)

// keptLists is how many lists of keys are kept: the newest counts for what is offered, the others for programs that were installed under
// them.
const keptLists = 4

// pinned is the lists of release keys that an agent believes in.
type pinned struct {
	texts []json.RawMessage // as they were signed
	lists []release.KeyList // the same, the newest last
}

// loadKeys reads the pinned lists. There are none before the first was pinned.
func (f folder) loadKeys() (*pinned, error) {
	p := &pinned{}
	text, err := readBounded(f.path(keysName), keptLists*2*release.MaxDocument)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal(text, &p.texts); err != nil {
		return p, fmt.Errorf("pinned release keys: %w", err)
	}
	for _, t := range p.texts {
		l, err := release.ReadKeys(t)
		if err != nil {
			return p, fmt.Errorf("pinned release keys: %w", err)
		}
		p.lists = append(p.lists, l)
	}
	return p, nil
}

func (f folder) saveKeys(p *pinned) error {
	text, err := json.MarshalIndent(p.texts, "", "  ")
	if err != nil {
		return err
	}
	return replace(f.path(keysName), append(text, '\n'))
}

// add takes in a list of keys and reports whether it is new: the first that there is, or a successor of the newest.
func (p *pinned) add(text []byte) (bool, error) {
	var l release.KeyList
	var err error
	if len(p.lists) == 0 {
		l, err = release.ReadKeys(text)
	} else {
		l, err = p.lists[len(p.lists)-1].Succeed(text)
	}
	if errors.Is(err, release.ErrStale) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("release keys: %w", err)
	}
	p.texts, p.lists = append(p.texts, text), append(p.lists, l)
	if n := len(p.lists) - keptLists; n > 0 {
		p.texts, p.lists = p.texts[n:], p.lists[n:]
	}
	return true, nil
}

// newest is the list that counts for what is offered.
func (p *pinned) newest() (*release.KeyList, error) {
	if len(p.lists) == 0 {
		return nil, ErrNoKeys
	}
	return &p.lists[len(p.lists)-1], nil
}

// manifest reads the proof of an installed version, which any of the lists may have vouched for when it was installed.
func (p *pinned) manifest(text []byte) (m release.Manifest, err error) {
	err = ErrNoKeys
	for i := len(p.lists) - 1; i >= 0 && err != nil; i-- {
		m, err = release.ReadManifest(text, &p.lists[i])
	}
	return m, err
}

// ErrNoKeys means that no release keys are pinned.
var ErrNoKeys = errors.New("no release keys are trusted here")

// Pinned reports whether the agent with this data folder believes in release keys.
func Pinned(data string) bool {
	_, err := os.Stat(folderOf(data).path(keysName))
	return err == nil
}

// Pin makes a signed list of keys the one that the agent with this data folder believes in, unless it believes in others already.
func Pin(data string, text []byte) error {
	f := folderOf(data)
	p, err := f.loadKeys()
	if err != nil || len(p.lists) > 0 {
		return err
	}
	if _, err := p.add(text); err != nil {
		return err
	}
	if err := f.make(); err != nil {
		return err
	}
	return f.saveKeys(p)
}
