package agent

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// localZone is the machine's time zone, which may change while the agent runs. For one goroutine at a time.
type localZone struct {
	path string // of the zone's data, unless the environment names another zone
	env  func(name string) (string, bool)

	from string // what the present location was made of
	data []byte
	at   *time.Location
}

func systemZone() *localZone { return &localZone{path: "/etc/localtime", env: os.LookupEnv} }

// location returns the zone, the same pointer as long as it is the same zone. What cannot be read is as Go reads it.
func (z *localZone) location() *time.Location {
	from := z.path
	if tz, ok := z.env("TZ"); ok {
		if from = strings.TrimPrefix(tz, ":"); from == "" {
			from = "UTC"
		}
	}
	var data []byte
	if filepath.IsAbs(from) {
		data, _ = os.ReadFile(from)
	}
	if z.at == nil || from != z.from || !bytes.Equal(data, z.data) {
		z.from, z.data, z.at = from, data, load(from, data)
	}
	return z.at
}

func load(from string, data []byte) *time.Location {
	at, err := time.LoadLocation(from)
	if filepath.IsAbs(from) {
		at, err = time.LoadLocationFromTZData("Local", data)
	}
	if err != nil {
		return time.Local
	}
	return at
}
