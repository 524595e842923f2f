package session

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestFrameBytes compares frames with what the description of the framing says, byte by byte.
func TestFrameBytes(t *testing.T) {
	t.Parallel()
	created := time.UnixMilli(0x0102030405)
	for name, tt := range map[string]struct {
		f    frame
		want string
	}{
		"input without names": {
			frame{kind: frameInput, created: created, sequence: 1, payload: []byte("ls\n")},
			"00000000" + "312e3031" + "00" + "00" + "0504030201000000" + "0100000000000000" + "03000000" + "6c730a",
		},
		"output": {
			frame{kind: frameOutput, session: "s-1", instance: "i-x", created: created, sequence: -2, payload: []byte{0xff}},
			"01000000" + "312e3031" + "03732d31" + "03692d78" + "0504030201000000" + "feffffffffffffff" + "01000000" + "ff",
		},
		"close": {
			frame{kind: frameClose, created: created, sequence: 3, payload: []byte("1")},
			"03000000" + "312e3031" + "0000" + "0504030201000000" + "0300000000000000" + "01000000" + "31",
		},
	} {
		got := tt.f.append(nil)
		if hex.EncodeToString(got) != tt.want {
			t.Errorf("%s:\n got %x\nwant %s", name, got, tt.want)
		}
		back, err := parseFrame(got)
		if diff := cmp.Diff(tt.f, back, cmp.AllowUnexported(frame{})); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
		for n := range got {
			if _, err := parseFrame(got[:n]); !errors.Is(err, errFrame) {
				t.Errorf("%s cut at %d: %v", name, n, err)
			}
		}
	}
	if len((&frame{created: created}).append(nil)) != 30 {
		t.Error("an empty frame without names has not 30 bytes")
	}
}

func TestFrameSize(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		payload       []byte
		rows, columns uint16
		ok            bool
	}{
		{[]byte{24, 0, 80, 0}, 24, 80, true},
		{[]byte{0x2c, 1, 0xff, 0x7f}, 300, 32767, true},
		{[]byte{24, 0, 0, 0}, 24, 0, false},
		{[]byte{24, 0, 0, 0x80}, 24, 0x8000, false},
		{[]byte{24, 0, 80}, 0, 0, false},
		{nil, 0, 0, false},
	} {
		f := frame{payload: tt.payload}
		rows, columns, ok := f.size()
		if rows != tt.rows || columns != tt.columns || ok != tt.ok {
			t.Errorf("%v: %d, %d, %t", tt.payload, rows, columns, ok)
		}
	}
}

func FuzzFrame(f *testing.F) {
	f.Add((&frame{kind: frameSize, session: "s-1", instance: "i-1", created: time.UnixMilli(5), payload: []byte{24, 0, 80, 0}}).append(nil))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := parseFrame(b)
		if err != nil {
			return
		}
		again := got.append(nil)
		copy(again[4:8], b[4:8]) // the version is taken as it comes
		if !bytes.Equal(again, b) {
			t.Errorf("%x became %x", b, again)
		}
	})
}
