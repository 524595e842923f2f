// Package cast writes and reads recordings of terminals in the form of asciicast v2, one JSON document a line, and finds the text in them. It knows
// neither where recordings are kept nor whose they are.
// https://docs.asciinema.org/manual/asciicast/v2/
package cast

import (
	"bytes"
	"encoding/json"
	"errors"
	"iter"
	"strconv"
	"time"
	"unicode/utf8"
)

// Header is the first line.
type Header struct {
	Version   int               `json:"version"` // 2
	Width     int               `json:"width"`
	Height    int               `json:"height"`
	Timestamp int64             `json:"timestamp"` // seconds since 1970
	Duration  float64           `json:"duration,omitempty"`
	Command   string            `json:"command,omitempty"`
	Title     string            `json:"title,omitempty"`
	Env       map[string]string `json:"env,omitempty"`
}

// Kinds of events.
const (
	Output byte = 'o'
	Input  byte = 'i'
	Resize byte = 'r' // "80x24": columns and rows
	Marker byte = 'm'
)

// Event is a line after the first.
type Event struct {
	At   time.Duration // since the beginning
	Kind byte
	Data string
}

// Line is the header as a line.
func (h Header) Line() []byte {
	h.Version = 2
	line, err := json.Marshal(h)
	if err != nil {
		panic("cast: " + err.Error()) // numbers and texts always have a JSON form
	}
	return append(line, '\n')
}

// Append adds an event as a line. What is no text in data is replaced.
func Append(b []byte, e Event) []byte {
	b = append(b, '[')
	b = strconv.AppendFloat(b, e.At.Seconds(), 'f', 6, 64)
	b = append(b, `, "`...)
	b = append(b, e.Kind)
	b = append(b, `", `...)
	text, err := json.Marshal(e.Data)
	if err != nil {
		panic("cast: " + err.Error()) // as above
	}
	return append(append(b, text...), "]\n"...)
}

// errEvent says that a line is none of a recording.
var errEvent = errors.New("damaged recording")

// Events reads events, one line each, and ends with an error at the first that is none.
func Events(b []byte) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for line := range bytes.Lines(b) {
			e, err := parse(line)
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

func parse(line []byte) (e Event, err error) {
	var (
		parts [3]json.RawMessage
		at    float64
		kind  string
	)
	if err := json.Unmarshal(line, &parts); err != nil {
		return e, errors.Join(errEvent, err)
	}
	err = errors.Join(json.Unmarshal(parts[0], &at), json.Unmarshal(parts[1], &kind), json.Unmarshal(parts[2], &e.Data))
	if err != nil || len(kind) != 1 || at < 0 || at > 1e9 {
		return e, errors.Join(errEvent, err)
	}
	e.At, e.Kind = time.Duration(at*float64(time.Second)), kind[0]
	return e, nil
}

// Whole is how many bytes of data there are without a character at its end of which more may come.
func Whole(data []byte) int {
	for back := 1; back < utf8.UTFMax && back <= len(data); back++ {
		if at := len(data) - back; utf8.RuneStart(data[at]) {
			if data[at] >= utf8.RuneSelf && !utf8.FullRune(data[at:]) {
				return at
			}
			break
		}
	}
	return len(data)
}
