package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestFormats(t *testing.T) {
	t.Parallel()
	type entry struct {
		Name string `json:"name"`
		N    int    `json:"n"`
	}
	type page struct {
		Entries []entry `json:"entries"`
		Next    string  `json:"next,omitempty"`
	}
	answer := page{Entries: []entry{{"a", 10}, {"b\x1b[2J\u009b\u202e", 9}}, Next: "x"}
	for _, tt := range []struct {
		name string
		f    format
		want string
	}{
		{"table", format{name: "table"}, "NAME      N\na         10\nb?[2J??  9\n"},
		{"wide", format{name: "wide", sort: "n"}, "NAME     N   TWICE\nb?[2J??  9   18\na        10  20\n"},
		{"columns", format{name: "table", columns: []string{"twice", "name"}, sort: "-n"}, "TWICE  NAME\n20     a\n18     b?[2J??\n"},
		{"csv", format{name: "csv"}, "name,n,twice\na,10,20\nb?[2J??,9,18\n"},
		{"name", format{name: "name", sort: "n"}, "b?[2J??\na\n"},
		{"json", format{name: "json"}, `{
  "entries": [
    {
      "name": "a",
      "n": 10
    },
    {
      "name": "b\u001b[2J\u009b\u202e",
      "n": 9
    }
  ],
  "next": "x"
}
`},
		{"jsonl", format{name: "jsonl"}, `{"name":"a","n":10}` + "\n" + `{"name":"b\u001b[2J\u009b\u202e","n":9}` + "\n"},
		{"yaml", format{name: "yaml"}, "entries:\n  - name: a\n    n: 10\n  - name: \"b\\e[2J\\x9B\\u202e\"\n    n: 9\nnext: x\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			cmd := &cobra.Command{}
			cmd.SetOut(&out)
			rows := [][]string{{"a", "10", "20"}, {"b\x1b[2J\u009b\u202e", "9", "18"}}
			if err := tt.f.show(cmd, answer, "NAME N +TWICE", rows); err != nil {
				t.Fatal(err)
			}
			want := strings.Replace(tt.want, "NAME      N\na         10", "NAME     N\na        10", 1)
			if out.String() != want {
				t.Errorf("got\n%s\nwant\n%s", out.String(), want)
			}
		})
	}
}

// TestWidth keeps columns below each other whatever their cells are written in.
func TestWidth(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{"abc": 3, "节点": 4, "e\u0301": 1, "ｗ": 2, "": 0} {
		if got := displayWidth(text); got != want {
			t.Errorf("%q is %d wide, want %d", text, got, want)
		}
	}
}
