package core

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestIDText(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		id := ID(rapid.Uint64Range(1, 1<<56-1).Draw(t, "id"))
		task := TaskID{id, rapid.Uint32Range(0, MaxTargets-1).Draw(t, "index")}
		if got, ok := ParseTaskID(task.String()); !ok || got != task || len(task.String()) != 16 {
			t.Fatalf("ParseTaskID(%q) = %v, %v", task, got, ok)
		}
		if got, ok := ParseID(id.String()); !ok || got != id {
			t.Fatalf("ParseID(%q) = %v, %v", id, got, ok)
		}
		if got, ok := ParseUUID(id.UUID()); !ok || got != id {
			t.Fatalf("ParseUUID(%q) = %v, %v", id.UUID(), got, ok)
		}
		if _, ok := ParseID(task.String()); ok != (task.Index == 0) {
			t.Fatalf("ParseID took the task id %q", task)
		}
		b := []byte(id.String())
		i := rapid.IntRange(0, 15).Draw(t, "position")
		b[i] = "0123456789abcdefghjkmnpqrstvwxyz"[rapid.IntRange(0, 31).Draw(t, "letter")]
		if got, ok := ParseID(string(b)); ok && string(b) != id.String() && got == id {
			t.Fatalf("%q and %q are the same id", b, id)
		}
	})
}

func TestIDsGrowAndSort(t *testing.T) {
	t.Parallel()
	ids := NewIDs(7)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var last ID
	var texts []string
	for i := range 100_000 {
		at := now.Add(time.Duration(i/1000) * time.Millisecond)
		if i%5000 == 4999 {
			at = at.Add(-time.Hour) // the clock may jump back
		}
		id := ids.Next(at)
		if id <= last {
			t.Fatalf("%d after %d", id, last)
		}
		last = id
		if i%100 == 0 {
			texts = append(texts, id.String())
		}
	}
	if !slices.IsSorted(texts) {
		t.Error("texts do not sort by time")
	}
	if d := last.Time().Sub(now); d < 0 || d > time.Second {
		t.Errorf("the last id claims to be %v after the first", d)
	}
}

func FuzzParseID(f *testing.F) {
	f.Add("0123456789abcdef")
	f.Add(ID(1 << 40).String())
	f.Add(ID(1 << 40).UUID())
	f.Fuzz(func(t *testing.T, s string) {
		if id, ok := ParseTaskID(s); ok && id.String() != s {
			t.Errorf("ParseTaskID(%q) reads as %q", s, id)
		}
		if id, ok := ParseUUID(s); ok && len(id.UUID()) != len(s) {
			t.Errorf("ParseUUID(%q) reads as %q", s, id.UUID())
		}
	})
}
