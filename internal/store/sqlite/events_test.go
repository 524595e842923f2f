package sqlite

import (
	"strings"
	"testing"

	"errand/internal/core"
)

// TestEventPlans looks at how the database goes about events: by number within an account, whatever there is of others.
func TestEventPlans(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	page := listEvents(&core.EventFilter{Account: 7, After: 5})
	some := listEvents(&core.EventFilter{Account: 7, Seqs: []int64{1, 2}})
	tests := map[string]struct {
		text string
		args []any
		want []string
	}{
		"page": {
			page.query(eventColumns, " ORDER BY e.seq LIMIT 9"), page.args, []string{"events_told (account=? AND rowid>?)"},
		},
		"by number": {
			some.query(eventColumns, " ORDER BY e.seq LIMIT 9"), some.args, []string{"SEARCH e USING INTEGER PRIMARY KEY (rowid=?)"},
		},
		"scan":       {scanEvents, []any{5, 9}, []string{"SEARCH e USING INTEGER PRIMARY KEY (rowid>?)"}},
		"what waits": {waiting, []any{1, 9}, []string{"events_told (account=? AND rowid>?)"}},
	}
	for name, tt := range tests {
		steps := strings.Join(plan(t, s, tt.text, tt.args), "\n")
		for _, want := range tt.want {
			if !strings.Contains(steps, want) {
				t.Errorf("%s: no step %q in\n%s", name, want, steps)
			}
		}
		if strings.Contains(steps, "TEMP B-TREE FOR ORDER BY") && name != "what waits" {
			t.Errorf("%s is sorted:\n%s", name, steps)
		}
	}
}
