package console

// keyGroup is a part of the sheet of keys. Which key does what is in web/src/keys.ts.
type keyGroup struct {
	Name    string
	Actions []string
}

func keymap() []keyGroup {
	return []keyGroup{
		{"go", []string{"home", "runs", "nodes", "schedules", "audit", "back"}},
		{"list", []string{"next", "previous", "open", "pick", "filter"}},
		{"run", []string{"expand", "diff", "next-failure", "previous-failure", "tail"}},
		{"all", []string{"compose", "palette", "help"}},
	}
}
