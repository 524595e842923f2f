package console

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestContrast computes how well every colour of text stands out from every surface it is used on, in both themes: 4.5:1 at least, as WCAG 2.2
// asks for text (1.4.3), and 3:1 for the borders of fields (1.4.11).
func TestContrast(t *testing.T) {
	t.Parallel()
	sheet, err := os.ReadFile("../../web/src/tokens.css")
	if err != nil {
		t.Fatal(err)
	}
	blocks := map[string]string{}
	for name, begin := range map[string]string{
		"light": ":root {", "dark of the system": `:root:not([data-theme="light"]) {`, "dark": `:root[data-theme="dark"] {`,
	} {
		_, rest, ok := strings.Cut(string(sheet), begin)
		if !ok {
			t.Fatalf("no %q", begin)
		}
		blocks[name], _, _ = strings.Cut(rest, "}")
	}
	squeeze := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	if squeeze(blocks["dark"]) != squeeze(blocks["dark of the system"]) {
		t.Error("the two dark themes differ")
	}
	surfaces := []string{"bg", "surface", "raised", "sunken", "hover", "selected"}
	pairs := map[string][]string{"on-accent": {"accent"}, "text": append(surfaces, "code-bg", "mark"), "muted": surfaces, "accent-text": surfaces}
	for _, tone := range append(tones, "warn") {
		pairs[tone] = append(surfaces, tone+"-bg", "code-bg")
	}
	color := regexp.MustCompile(`--([a-z-]+): #([0-9a-f]{6});`)
	for name, block := range blocks {
		colors := map[string]float64{}
		for _, m := range color.FindAllStringSubmatch(block, -1) {
			colors[m[1]] = luminance(m[2])
		}
		check := func(a, b string, least float64) {
			x, ok1 := colors[a]
			y, ok2 := colors[b]
			if !ok1 || !ok2 {
				t.Fatalf("%s: no colour %s or %s", name, a, b)
			}
			if ratio := (max(x, y) + .05) / (min(x, y) + .05); ratio < least {
				t.Errorf("%s: %s on %s is %.2f:1", name, a, b, ratio)
			}
		}
		for text, on := range pairs {
			for _, surface := range on {
				check(text, surface, 4.5)
			}
		}
		check("line-strong", "surface", 3)
		check("line-strong", "bg", 3)
	}
}

// luminance is that of sRGB (WCAG 2.2, relative luminance).
func luminance(hex string) float64 {
	var l float64
	for i, weight := range []float64{.2126, .7152, .0722} {
		n, err := strconv.ParseUint(hex[2*i:2*i+2], 16, 8)
		if err != nil {
			panic(fmt.Sprintf("colour %s: %v", hex, err))
		}
		v := float64(n) / 255
		if v <= .04045 {
			v /= 12.92
		} else {
			v = math.Pow((v+.055)/1.055, 2.4)
		}
		l += weight * v
	}
	return l
}
