package executor

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestRecording(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "tasks", "1")
	r, err := Record(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Record(dir); !errors.Is(err, ErrExists) {
		t.Errorf("the same folder again: %v", err)
	}
	out, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(r.Writer(Stdout), "one")
	fmt.Fprint(r.Writer(Stderr), "two")
	if c, err := out.Read(0, 100); err != nil || string(c.Data) != "onetwo" || len(c.Runs) != 2 || c.End {
		t.Errorf("while it goes on: %+v, %v", c, err)
	}
	big := bytes.Repeat([]byte("x"), 3*frameMax+5)
	if n, err := r.Writer(Stdout).Write(big); n != len(big) || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	e, err := r.End(Exit{Cause: Exited, Code: 3, EndedAt: time.Unix(1, 0)})
	if err != nil || e.Stdout != int64(len(big))+3 || e.Stderr != 3 || e.OutputCap != DefaultOutputCap || e.OutputErrno != 0 {
		t.Errorf("%+v, %v", e, err)
	}
	c, err := out.Read(6, 2*len(big))
	if err != nil || !bytes.Equal(c.Data, big) || !c.End {
		t.Errorf("%d bytes, end %v, %v", len(c.Data), c.End, err)
	}
	if _, err := Attach(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("taken for a command: %v", err)
	}
	if err := Remove(dir); err != nil {
		t.Error(err)
	}
}

// What a disk does not take is counted.
func TestRecordingOnAFullDisk(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "1")
	r, err := Record(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if n, err := r.Writer(Stdout).Write([]byte("lost")); n != 4 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if e, err := r.End(Exit{}); err == nil || e.Stdout != 4 || e.OutputErrno == 0 {
		t.Errorf("%+v, %v", e, err)
	}
}
