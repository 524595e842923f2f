package upgrade

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"errand/internal/protocol"
	"errand/internal/release"
)

// maxStarts is how often a version on trial may be started. More than one is for machines that lost their power in between.
const maxStarts = 3

// Launcher is the installed program's part.
type Launcher struct {
	Data    string // the agent's data folder
	Version string // of the installed program
	Now     func() time.Time
	Log     *slog.Logger
}

// Launch is how a program was started.
type Launch struct {
	Path  string // of the launcher
	By    bool   // started by it, rather than being it
	Trial bool   // it watches
}

// Choice is a program to run.
type Choice struct {
	Program string // a path; empty for the installed program
	Version string
	Window  time.Duration // in which it has to prove itself; zero if it has
}

// Choose decides which program runs, and writes down what follows from it: also the start of a trial, before it begins.
func (l *Launcher) Choose() (Choice, error) {
	f := folderOf(l.Data)
	if _, err := os.Lstat(string(f)); errors.Is(err, fs.ErrNotExist) {
		return Choice{}, nil
	}
	unlock, err := lock(f.path(lockName))
	if err != nil {
		return Choice{}, err
	}
	defer unlock()
	s, err := f.load()
	if err != nil {
		l.Log.Error("upgrades", "error", err)
	}
	keys, err := f.loadKeys()
	if err != nil {
		l.Log.Error("upgrades", "error", err)
	}
	current := f.current()
	if s.Trial != nil && s.Trial.Version != current {
		s.Trial = nil // it was written down and never began
	}
	c, err := l.judge(f, &s, keys, current)
	if err == nil {
		return c, nil
	}
	l.Log.Error("not running the current version", "version", current, "error", err)
	return l.back(f, &s, keys)
}

// judge returns the current program if it may run. Otherwise the error says why not.
func (l *Launcher) judge(f folder, s *state, keys *pinned, current string) (Choice, error) {
	if current == "" {
		return Choice{}, nil
	}
	if b, ok := s.findBad(current, ""); ok {
		return Choice{}, errors.New(b.Reason)
	}
	if s.Trial == nil && l.Version != s.Installed && release.Compare(l.Version, current) > 0 {
		return Choice{}, fmt.Errorf("%s was installed since", l.Version)
	}
	if err := f.verify(current, keys); err != nil {
		if s.Trial != nil {
			s.condemn(current, err.Error(), l.Now())
		}
		return Choice{}, err
	}
	c := Choice{Program: f.program(current), Version: current}
	if s.Trial == nil {
		return c, nil
	}
	if s.Trial.Starts >= maxStarts {
		reason := fmt.Sprintf("started %d times without proving itself", s.Trial.Starts)
		s.condemn(current, reason, l.Now())
		return Choice{}, errors.New(reason)
	}
	s.Trial.Starts++
	s.Installed = l.Version
	c.Window = time.Duration(s.Trial.Window) * time.Second
	return c, f.save(s) // a trial that cannot be counted is none
}

// back goes back to the version before, or else to the installed program. What cannot be written down is done all the same: the next start
// comes to the same decision.
func (l *Launcher) back(f folder, s *state, keys *pinned) (Choice, error) {
	previous := s.Previous
	if previous != "" {
		err := f.verify(previous, keys)
		if b, ok := s.findBad(previous, ""); ok {
			err = errors.New(b.Reason)
		}
		if err == nil && l.Version != s.Installed && release.Compare(l.Version, previous) > 0 {
			err = fmt.Errorf("%s was installed since", l.Version)
		}
		if err != nil {
			l.Log.Error("not running the previous version", "version", previous, "error", err)
			previous = ""
		}
	}
	s.Previous = ""
	if err := errors.Join(f.save(s), f.setCurrent(previous)); err != nil {
		l.Log.Error("going back is not written down", "error", err)
	}
	if previous == "" {
		return Choice{}, nil
	}
	return Choice{Program: f.program(previous), Version: previous}, nil
}

// Proved reports whether a version on trial has proved itself.
func (l *Launcher) Proved(version string) bool {
	s, err := folderOf(l.Data).load()
	o := s.Outcome
	return err == nil && s.Trial == nil && o != nil && o.Version == version && o.State == protocol.UpgradeDone
}

// Condemn ends the trial of a version that did not prove itself, and makes the one before it the current one again.
func (l *Launcher) Condemn(version, reason string) error {
	return l.change(func(f folder, s *state) error {
		s.condemn(version, reason, l.Now())
		if err := f.save(s); err != nil {
			return err
		}
		keys, err := f.loadKeys()
		if err != nil {
			return err
		}
		_, err = l.back(f, s, keys)
		return err
	})
}

// uncount takes the latest start of a trial back: it was ended by whoever stopped the agent.
func (l *Launcher) uncount() error {
	return l.change(func(f folder, s *state) error {
		if s.Trial == nil {
			return nil
		}
		s.Trial.Starts--
		return f.save(s)
	})
}

func (l *Launcher) change(change func(folder, *state) error) error {
	f := folderOf(l.Data)
	unlock, err := lock(f.path(lockName))
	if err != nil {
		return err
	}
	defer unlock()
	s, err := f.load()
	if err != nil {
		return err
	}
	return change(f, &s)
}
