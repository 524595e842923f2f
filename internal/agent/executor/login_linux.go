package executor

import (
	"context"
	"syscall"
)

// Login is what a login of a user begins with.
type Login struct {
	UID        uint32
	Shell      string
	Dir        string              // the user's home, or / when that cannot be entered
	Env        []string            // nothing of this process's environment is in it
	Credential *syscall.Credential // with the user's groups; nil for this process's own user
}

// LogIn looks up a user, or this process's own for an empty name, with the terminal's type as TERM. Its error is as that of Start.
func LogIn(ctx context.Context, user, terminal string) (Login, error) {
	if user != "" && !validUser(user) {
		return Login{}, &StartError{Reason: InvalidUser, Path: user}
	}
	who, become, err := identify(ctx, user)
	if err != nil {
		return Login{}, err
	}
	env, err := loginVariables(who)
	if err != nil {
		return Login{}, err
	}
	env["TERM"] = terminal
	l := Login{UID: who.uid, Shell: who.shell, Env: sorted(env), Credential: become.attribute(), Dir: who.home}
	if become.as(func() error { return enter(who.home) }) != nil {
		l.Dir = "/"
	}
	return l, nil
}
