package executor

import (
	"errors"
	"testing"
)

func TestSpecValidate(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*Spec)
		reason Reason // empty for a mistake of the caller
	}{
		"no id":             {func(s *Spec) { s.ID = "" }, ""},
		"id with slash":     {func(s *Spec) { s.ID = "../x" }, ""},
		"negative timeout":  {func(s *Spec) { s.Timeout = -1 }, ""},
		"grace too long":    {func(s *Spec) { s.Grace = MaxGrace + 1 }, ""},
		"user as a command": {func(s *Spec) { s.User = "x;touch /tmp/y" }, InvalidUser},
		"user as an option": {func(s *Spec) { s.User = "-x" }, InvalidUser},
		"relative folder":   {func(s *Spec) { s.WorkDir = "tmp" }, DirectoryNotFound},
		"NUL in folder":     {func(s *Spec) { s.WorkDir = "/tmp\x00" }, DirectoryNotFound},
		"NUL in argument":   {func(s *Spec) { s.Args = []string{"a\x00b"} }, InvalidContent},
		"odd variable":      {func(s *Spec) { s.Env = map[string]string{"A=B": ""} }, InvalidContent},
	} {
		spec := Spec{ID: "t-1"}
		if err := spec.validate(); err != nil {
			t.Fatal(err)
		}
		test.change(&spec)
		err := spec.validate()
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
		wantReason(t, name, err, test.reason)
	}
}

func TestKindString(t *testing.T) {
	t.Parallel()
	for kind, want := range map[Kind]string{KindShell: "shell", KindPowerShell: "powershell", KindBat: "bat", 9: "kind(9)"} {
		if got := kind.String(); got != want {
			t.Errorf("Kind %d = %q, want %q", kind, got, want)
		}
	}
}

// wantReason fails unless err is a StartError with that reason, or anything else when reason is empty.
func wantReason(t *testing.T, what string, err error, reason Reason) {
	t.Helper()
	var e *StartError
	switch {
	case reason == "" && errors.As(err, &e):
		t.Errorf("%s: unexpected start error %v", what, err)
	case reason != "" && !errors.Is(err, &StartError{Reason: reason}):
		t.Errorf("%s: %v, want reason %s", what, err, reason)
	}
}
