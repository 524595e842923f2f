package schedule

import (
	"errors"
	"testing"
	"time"
)

func TestPolicyWords(t *testing.T) {
	t.Parallel()
	for o := range Overlap(len(overlaps)) {
		if again, err := ParseOverlap(o.String()); err != nil || again != o {
			t.Errorf("%v is read as %v, %v", o, again, err)
		}
	}
	for _, m := range []Missed{SkipMissed, RunOnce, 2, MaxMissed} {
		if again, err := ParseMissed(m.String()); err != nil || again != m {
			t.Errorf("%v is read as %v, %v", m, again, err)
		}
	}
	if o, err := ParseOverlap(""); err != nil || o != SkipOverlap {
		t.Errorf("%v, %v", o, err)
	}
	if m, err := ParseMissed(""); err != nil || m != SkipMissed {
		t.Errorf("%v, %v", m, err)
	}
	var refused *Error
	for _, word := range []string{"Skip", "all", " skip", "0"} {
		if _, err := ParseOverlap(word); !errors.As(err, &refused) || refused.Field != "overlap" {
			t.Errorf("overlap %q: %v", word, err)
		}
	}
	for _, word := range []string{"catch-up", "catch-up:", "catch-up:0", "catch-up:-1", "catch-up:x", "5", "Once"} {
		if _, err := ParseMissed(word); !errors.As(err, &refused) || refused.Field != "missed" {
			t.Errorf("missed %q: %v", word, err)
		}
	}
	if got, want := Overlap(9).String(), "Overlap(9)"; got != want {
		t.Errorf("no overlap is %q, want %q", got, want)
	}
}

func TestPolicyCheck(t *testing.T) {
	t.Parallel()
	for _, good := range []Policy{{}, {Overlap: AllowOverlap, Missed: MaxMissed, Jitter: MaxJitter}, {Jitter: time.Millisecond}} {
		if err := good.Check(); err != nil {
			t.Errorf("%+v: %v", good, err)
		}
	}
	for field, bad := range map[string][]Policy{
		"overlap": {{Overlap: 3}},
		"missed":  {{Missed: -1}, {Missed: MaxMissed + 1}},
		"jitter":  {{Jitter: -1}, {Jitter: MaxJitter + time.Millisecond}, {Jitter: time.Microsecond}},
	} {
		for _, p := range bad {
			var refused *Error
			if err := p.Check(); !errors.As(err, &refused) || refused.Field != field || !errors.Is(err, ErrRange) {
				t.Errorf("%+v: %v", p, err)
			}
		}
	}
}

// TestShareSpreadsNodes wants the same share each time, and as many nodes in each tenth of the jitter as chance gives.
func TestShareSpreadsNodes(t *testing.T) {
	t.Parallel()
	p := Policy{Jitter: 100 * time.Second}
	const nodes = 10_000
	var tenths [10]int
	moved := 0
	for node := range uint64(nodes) {
		share := p.Share(node, 1)
		if share < 0 || share >= p.Jitter || share%time.Millisecond != 0 || share != p.Share(node, 1) {
			t.Fatalf("node %d is put off by %v", node, share)
		}
		tenths[share/(p.Jitter/10)]++
		if p.Share(node, 2) != share {
			moved++
		}
	}
	for i, n := range tenths {
		if n < 850 || n > 1150 { // five standard deviations
			t.Errorf("%d nodes in tenth %d", n, i)
		}
	}
	if moved < nodes*99/100 {
		t.Errorf("another plan has other shares on only %d nodes", moved)
	}
	if share := (Policy{}).Share(1, 1); share != 0 {
		t.Errorf("without jitter it is %v", share)
	}
}
