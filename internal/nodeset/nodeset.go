// Package nodeset writes many names as few words and reads them back: web[001-380,384]. It knows nothing of nodes; the order, the limits and
// the zero padding of numbers are the same for whoever shows names and whoever types them.
package nodeset

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// MaxNames is how many names a text may stand for.
const MaxNames = 1 << 18

// maxDigits is the longest run of digits that counts as a number; a longer one is text like any other.
const maxDigits = 15

// Plain reports whether a character stands for itself in a name that is not quoted.
func Plain(r rune) bool {
	return !unicode.IsSpace(r) && unicode.IsPrint(r) && !strings.ContainsRune("[](){},;\"'`\\&|!=<>~@*?#$%^", r)
}

// Quote writes a text so that it is read back as it is: bare if all its characters are plain, and otherwise in double quotes.
func Quote(text string) string {
	if text != "" && strings.IndexFunc(text, func(r rune) bool { return !Plain(r) }) < 0 {
		return text
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

// Compare orders texts as people do: runs of digits by their value, all else byte by byte. It returns 0 for texts that differ in leading zeros
// alone.
func Compare(a, b string) int {
	for a != "" && b != "" {
		x, y := digits(a), digits(b)
		if x == 0 || y == 0 {
			if a[0] != b[0] {
				return cmp.Compare(a[0], b[0])
			}
			a, b = a[1:], b[1:]
			continue
		}
		m, n := strings.TrimLeft(a[:x], "0"), strings.TrimLeft(b[:y], "0")
		if c := cmp.Or(cmp.Compare(len(m), len(n)), cmp.Compare(m, n)); c != 0 {
			return c
		}
		a, b = a[x:], b[y:]
	}
	return cmp.Compare(len(a), len(b))
}

// Sort puts names in the order of Compare, and names that it takes for the same in that of their bytes.
func Sort(names []string) {
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(Compare(a, b), strings.Compare(a, b)) })
}

// digits is how many digits a text begins with.
func digits(s string) (n int) {
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}

// piece is a part of a name: text, or a number.
type piece struct {
	text   string
	number bool
	width  int // digits that the number is padded to; 0 for as many as it has
}

// split takes a name apart into texts and numbers.
func split(name string) (list []piece) {
	for name != "" {
		n := digits(name)
		number := n > 0 && n <= maxDigits
		if n == 0 {
			if n = strings.IndexAny(name, "0123456789"); n < 0 {
				n = len(name)
			}
		}
		if last := len(list) - 1; !number && last >= 0 && !list[last].number {
			list[last].text += name[:n] // digits that are no number
		} else {
			list = append(list, piece{text: name[:n], number: number})
		}
		name = name[n:]
	}
	return list
}

// item is one of the words that names are folded to: what it has at each of its numbers is a list of ranges.
type item struct{ pieces []piece }

// key is the word with the number at a place left out.
func (it *item) key(without int) string {
	var b strings.Builder
	for i, p := range it.pieces {
		switch {
		case i == without:
			b.WriteString("\x00" + strconv.Itoa(p.width))
		case p.number:
			b.WriteString("\x01" + strconv.Itoa(p.width) + ":" + p.text)
		default:
			b.WriteString("\x02" + p.text)
		}
		b.WriteByte(0)
	}
	return b.String()
}

// Fold writes names as one text, each once. The order of the names does not matter: words come in the order of Compare of the first name each
// stands for. Expand reads it back.
func Fold(names []string) string { return strings.Join(Words(names), ",") }

// Words is Fold as a list of words.
func Words(names []string) []string {
	names = slices.Clone(names)
	Sort(names)
	names = slices.Compact(names)
	items := make([]*item, 0, len(names))
	var words []word
	for _, name := range names {
		if q := Quote(name); q != name {
			words = append(words, word{name, q})
			continue
		}
		items = append(items, &item{split(name)})
	}
	setWidths(items)
	for place := longest(items) - 1; place >= 0; place-- {
		items = merge(items, place)
	}
	for _, it := range items {
		words = append(words, it.word())
	}
	slices.SortFunc(words, func(a, b word) int { return cmp.Or(Compare(a.first, b.first), strings.Compare(a.first, b.first)) })
	list := make([]string, len(words))
	for i, w := range words {
		list[i] = w.text
	}
	return list
}

func longest(items []*item) (n int) {
	for _, it := range items {
		n = max(n, len(it.pieces))
	}
	return n
}

// setWidths decides which numbers are padded: those with a leading zero, and among names that are alike otherwise, those of the same length.
func setWidths(items []*item) {
	for place := range longest(items) {
		padded := map[string]bool{}
		like := func(it *item, width int) string { return it.shape() + "\x00" + strconv.Itoa(width) }
		for _, it := range items {
			if n := it.number(place); len(n) > 1 && n[0] == '0' {
				padded[like(it, len(n))] = true
			}
		}
		if len(padded) == 0 {
			continue
		}
		for _, it := range items {
			if n := it.number(place); n != "" && padded[like(it, len(n))] {
				it.pieces[place].width = len(n)
			}
		}
	}
}

// shape is what a name is apart from its numbers.
func (it *item) shape() string {
	var b strings.Builder
	for _, p := range it.pieces {
		if p.number {
			b.WriteByte(1)
		} else {
			b.WriteString(p.text)
		}
		b.WriteByte(0)
	}
	return b.String()
}

// number is the number at a place, or nothing.
func (it *item) number(place int) string {
	if place < len(it.pieces) && it.pieces[place].number {
		return it.pieces[place].text
	}
	return ""
}

// merge joins items that differ in nothing but the number at a place.
func merge(items []*item, place int) []*item {
	values := map[string][]string{}
	var kept []*item
	for _, it := range items {
		if it.number(place) == "" {
			kept = append(kept, it)
			continue
		}
		k := it.key(place)
		if values[k] == nil {
			kept = append(kept, it)
		}
		values[k] = append(values[k], it.pieces[place].text)
	}
	for _, it := range kept {
		if it.number(place) != "" {
			it.pieces[place].text = ranges(values[it.key(place)])
		}
	}
	return kept
}

// ranges writes numbers, each once, as ranges.
func ranges(numbers []string) string {
	Sort(numbers)
	var b strings.Builder
	for i := 0; i < len(numbers); {
		j := i
		for j+1 < len(numbers) && value(numbers[j+1]) == value(numbers[j])+1 {
			j++
		}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(numbers[i])
		if j > i {
			b.WriteString("-" + numbers[j])
		}
		i = j + 1
	}
	return b.String()
}

func value(number string) int64 {
	n, _ := strconv.ParseInt(number, 10, 64) // at most maxDigits of them
	return n
}

// word is a folded word with the first name it stands for.
type word struct{ first, text string }

func (it *item) word() word {
	var first, text strings.Builder
	for _, p := range it.pieces {
		if !p.number {
			first.WriteString(p.text)
			text.WriteString(p.text)
			continue
		}
		end := strings.IndexAny(p.text, "-,")
		if end < 0 {
			first.WriteString(p.text)
			text.WriteString(p.text)
			continue
		}
		first.WriteString(p.text[:end])
		text.WriteString("[" + p.text + "]")
	}
	return word{first.String(), text.String()}
}
