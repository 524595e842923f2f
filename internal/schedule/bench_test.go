package schedule

import (
	"testing"
	"time"
)

func BenchmarkParse(b *testing.B) {
	for _, expr := range []string{"rate(5m)", "at(2030-01-31 08:00:00)", "0 15 10 ? * MON-FRI", "0 0/5 14,18 15W FEB-NOV 4#2 2026-2030 GMT+8:00", "0 0 0 * * ? Europe/Berlin"} {
		b.Run(expr, func(b *testing.B) {
			for b.Loop() {
				if _, err := Parse(expr); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkNext(b *testing.B) {
	after := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, expr := range []string{
		"rate(5m)", "* * * * * ?", "0 15 10 ? * MON-FRI", "0 30 2 * * ? Europe/Berlin",
		"0 0 0 29 2 ?",                      // the longest ordinary wait
		"0 0 0 ? 2 MON#5 Europe/Berlin",     // the longest of all, through eighty changes of the clocks
		"0 0 0 29 2 MON 2096 Europe/Berlin", // as far as a year reaches
		"0 0 0 1 1 ? 2025 Europe/Berlin",    // over
	} {
		b.Run(expr, func(b *testing.B) {
			p, err := Parse(expr)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				p.Next(after, after, nil)
			}
		})
	}
}

func BenchmarkMinGap(b *testing.B) {
	p, err := Parse("0 0 0 29 2 ?")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		p.MinGap()
	}
}
