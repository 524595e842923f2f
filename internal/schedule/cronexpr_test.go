package schedule

import (
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/cronexpr"
)

// disagreements are the cases of the suite, by name and reason, in which cronexpr says something else. It descends from the library that the
// vendor's own agent uses, so these are also what somebody who comes from there will notice. Everything else is the same for both.
func disagreements() map[string][]string {
	return map[string][]string{
		"a time that the clock skips is left out there until the next day, here it is late by what was skipped": {
			"Berlin, forward: a skipped time is late", "Berlin, forward: the first skipped second", "Berlin, forward: the last skipped second",
			"Berlin, forward: every two hours", "Berlin, forward: asked in the middle", "Berlin, forward: only that date",
			"New York, forward: a skipped time is late", "New York, forward: weekdays still count",
			"Lord Howe, forward: half an hour late", "Lord Howe, forward: one firing of two",
			"Beirut, forward at midnight", "Troll, forward by two hours",
		},
		"after a change of half an hour or of a day it is wrong there: a time that was not skipped is left out, or one comes that is not after the other": {
			"Lord Howe, forward: a time that is not skipped", "Samoa: only the day that was left out",
		},
		"of an hour that the clock shows twice, named hours run twice there and once here": {
			"Berlin, back: once a night", "Berlin, back: asked between the two", "Berlin, back: a range names its hours",
			"Berlin, back: minutes of a named hour", "Berlin, back: a mixed list goes by the item", "New York, back: once a night",
			"Lord Howe, back: once a night", "Dublin, whose winter time is the exception",
		},
		"the week begins on Sunday there, and on Monday in the vendor's documentation": {
			"step of weekdays counts from Monday", "weekday from a value every 2",
		},
		"a range up to Sunday ends on Saturday there": {
			"range up to Sunday", "range of a name and a number", "Saturday to 7", "names up to Sunday",
		},
		"L alone is not known there in day of week": {"L in day of week is Sunday"},
		"without a year it ends with 2099 there": {
			"leap day past a century without", "leap day is a fifth Sunday", "the end of time",
		},
		"the zero time has no successor there": {"before the first year"},
	}
}

// TestSuiteAgainstCronexpr asks an independent implementation about every cron of the suite.
func TestSuiteAgainstCronexpr(t *testing.T) {
	t.Parallel()
	reasons := map[string]string{}
	for reason, names := range disagreements() {
		for _, name := range names {
			reasons[name] = reason
		}
	}
	agree, differ := 0, 0
	for _, c := range suite() {
		for _, n := range c.next {
			theirs, ok := c.inCronexpr(t, &n)
			same := theirs == strings.Join(n.want, " ")
			reason, listed := reasons[n.name]
			delete(reasons, n.name)
			switch {
			case !ok && listed, ok && same && listed:
				t.Errorf("%s: no disagreement, but listed: %s", n.name, reason)
			case !ok: // a rate or an at, which it does not know
			case same:
				agree++
			case listed:
				differ++
			default:
				t.Errorf("%s: %s after %s\n  here  %s\n  there %s", n.name, n.expr, n.after, strings.Join(n.want, " "), theirs)
			}
		}
	}
	for name := range reasons {
		t.Errorf("no case is called %q", name)
	}
	t.Logf("%d cases are the same there, %d differ for reasons that are listed", agree, differ)
	if agree < 120 {
		t.Errorf("only %d cases are the same there", agree)
	}
}

// inCronexpr returns what the other implementation makes of a case; ok is false for expressions that it does not have.
func (c *chapter) inCronexpr(t *testing.T, n *nextCase) (firings string, ok bool) {
	t.Helper()
	p, err := c.parse(n.expr)
	if err != nil {
		t.Fatal(err)
	}
	if p.Kind() != Cron {
		return "", false
	}
	words := strings.Fields(n.expr)
	switch {
	case c.crontab:
	case len(words) > 6 && looksLikeYear(words[6]):
		words = words[:7]
	default:
		words = append(words[:6:6], "*")
	}
	e, err := cronexpr.Parse(strings.Join(words, " "))
	if err != nil {
		return err.Error(), true
	}
	at := moment(t, n.after).In(p.zoneOr(zone(t, c.local)))
	var got []string
	for range n.want {
		if at = e.Next(at); at.IsZero() {
			got = append(got, "none")
			break
		}
		got = append(got, at.Format(time.RFC3339Nano))
	}
	return strings.Join(got, " "), true
}
