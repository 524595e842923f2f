package program

import (
	"errors"
	"flag"
	"io"
	"log/slog"
	"os"

	"errand/internal/agent/logs"
	"errand/internal/agent/reach"
)

// logFlags say where the log goes.
type logFlags struct {
	level  slog.Level
	format string
	file   string
	size   int // MB
	files  int
}

func (l *logFlags) add(fs *flag.FlagSet) {
	l.format = "text"
	fs.TextVar(&l.level, "log-level", slog.LevelInfo, "`LEVEL` of the log: debug, info, warn or error")
	fs.Func("log-format", "`FORMAT` of the log, text (the default) or json", func(s string) error {
		if s != "text" && s != "json" {
			return errors.New("want text or json")
		}
		l.format = s
		return nil
	})
	fs.StringVar(&l.file, "log-file", "", "`FILE` for the log instead of the standard error; rotated by size, as FILE.1 and so on")
	fs.IntVar(&l.size, "log-size", logs.DefaultSize>>20, "`MB` of one log file, by default 10")
	fs.IntVar(&l.files, "log-files", logs.DefaultFiles, "`NUMBER` of log files, the current one included, by default 5")
}

// open returns the log, in which secrets are hidden, and what closes it.
func (l *logFlags) open(stderr io.Writer, secrets []string) (log *slog.Logger, closeLog func() error, err error) {
	w, closeLog := stderr, func() error { return nil }
	if l.size <= 0 || l.files <= 0 {
		return nil, nil, errors.New("--log-size and --log-files must be at least 1")
	}
	if l.file != "" {
		f, err := logs.Open(l.file, int64(l.size)<<20, l.files)
		if err != nil {
			return nil, nil, err
		}
		w, closeLog = f, f.Close
	}
	return logs.New(w, logs.Options{Level: l.level, JSON: l.format == "json", Hidden: secrets}), closeLog, nil
}

// secrets are those that the program is started with.
func secrets(o *Options) []string {
	return append(reach.Passwords(o.Proxy, os.Getenv), o.ActivationCode)
}
