package console

import (
	"runtime/debug"
	"time"
)

type systemView struct {
	Connected, Open, Nodes, Online int
	Since                          time.Time
	Up                             time.Duration
	GoVersion, Version             string
}

// system shows the living program: numbers, no names.
func (c *Console) system(r *request) (answer, error) {
	s := c.Status()
	v := systemView{Connected: s.Connected, Open: s.Open, Since: s.Since, Up: c.Now().Sub(s.Since)}
	if info, ok := debug.ReadBuildInfo(); ok {
		v.GoVersion, v.Version = info.GoVersion, info.Main.Version
	}
	var err error
	if v.Nodes, err = c.count(r, false); err != nil {
		return answer{}, err
	}
	if v.Online, err = c.count(r, true); err != nil {
		return answer{}, err
	}
	return answer{view: "system", nav: "system", title: r.t.text("system.title"), data: v}, nil
}
