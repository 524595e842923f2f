package policy

import (
	"encoding/json"
	"slices"
)

// Builtin returns the system policies, which exist in every account and cannot be changed:
//
//   - AdministratorAccess permits everything.
//   - ReadOnlyAccess permits every verb that does not write.
//   - OperatorAccess permits the daily work on machines: commands, runs, files, schedules and sessions, and seeing what concerns them. It
//     reaches neither accounts, users, keys and policies nor the audit; it cannot remove a machine or admit one; nor does it permit
//     changing tags, on which other policies' conditions may rest.
func Builtin() []Named { return slices.Clone(builtin) }

var builtin = systemPolicies()

func systemPolicies() []Named {
	var reads []string
	for _, v := range Verbs() {
		if v.Access != Write {
			reads = append(reads, v.Name)
		}
	}
	return []Named{
		{"AdministratorAccess", allowing("*")},
		{"ReadOnlyAccess", allowing(reads...)},
		{"OperatorAccess", allowing(
			"command.*", "invocation.*", "task.*", "file.*", "schedule.*", "session.*", "agent.*",
			"node.list", "registration.list", "tag.list", "region.list", "scene.list", "quota.list", "settings.read", "event.list", "event.watch",
		)},
	}
}

// allowing is the document that permits these actions on everything.
func allowing(actions ...string) Document {
	type statement struct {
		Effect   Effect
		Action   []string
		Resource string
	}
	text, err := json.Marshal(struct {
		Version   string
		Statement []statement
	}{"1", []statement{{Allow, actions, "*"}}})
	if err != nil {
		panic("policy: " + err.Error()) // texts always have a JSON form
	}
	d, err := Parse(text)
	if err != nil {
		panic("policy: built-in: " + err.Error()) // the actions are constants of this file
	}
	return d
}
