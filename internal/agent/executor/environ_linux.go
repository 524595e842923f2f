package executor

import (
	"maps"
	"slices"
	"strings"
)

// TaskVariable is the environment variable that tells a command its task's id.
const TaskVariable = "ERRAND_TASK_ID"

// markVariable carries a random mark by which processes that lost their supervisor are recognised. Unlike the id, nobody else can come to
// have it.
const markVariable = "ERRAND_TASK_MARK"

const (
	systemEnvironment = "/etc/environment"
	loginDefs         = "/etc/login.defs"

	defaultPath     = "/usr/local/bin:/usr/bin:/bin"
	defaultRootPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
)

// environment returns what a fresh login of a would have, then the system's and the task's own variables. Nothing of
// the agent's environment is in it.
func environment(a account, id, mark string, extra map[string]string) ([]string, error) {
	env, err := loginVariables(a)
	if err != nil {
		return nil, err
	}
	maps.Copy(env, extra)
	env[TaskVariable], env[markVariable] = id, mark
	return sorted(env), nil
}

// loginVariables returns what a fresh login of a would have, and the system's variables.
func loginVariables(a account) (map[string]string, error) {
	path, err := loginPath(loginDefs, a.uid == 0)
	if err != nil {
		return nil, err
	}
	env := map[string]string{
		"HOME": a.home, "USER": a.name, "LOGNAME": a.name, "SHELL": a.shell,
		"PATH": path, "LANG": "C.UTF-8", "TERM": "dumb",
	}
	return env, systemVariables(systemEnvironment, env)
}

// sorted lists variables as NAME=value.
func sorted(env map[string]string) []string {
	list := make([]string, 0, len(env))
	for _, name := range slices.Sorted(maps.Keys(env)) {
		list = append(list, name+"="+env[name])
	}
	return list
}

// loginPath reads ENV_PATH or ENV_SUPATH, whose value is written PATH=... or without that prefix.
func loginPath(file string, root bool) (string, error) {
	key, path := "ENV_PATH", defaultPath
	if root {
		key, path = "ENV_SUPATH", defaultRootPath
	}
	err := eachLine(file, func(line string) bool {
		if f := strings.Fields(line); len(f) == 2 && f[0] == key {
			path = strings.TrimPrefix(f[1], "PATH=")
		}
		return true
	})
	return path, err
}

// systemVariables adds the NAME=value lines of /etc/environment as PAM reads them: export and quotes are tolerated,
// nothing is expanded.
func systemVariables(file string, env map[string]string) error {
	return eachLine(file, func(line string) bool {
		line = strings.TrimPrefix(strings.TrimSpace(line), "export ")
		name, value, ok := strings.Cut(line, "=")
		if !ok || name == "" || strings.ContainsAny(name, "# \t\x00") || strings.ContainsRune(value, 0) {
			return true
		}
		if n := len(value); n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
			value = value[1 : n-1]
		}
		env[name] = value
		return true
	})
}

// lookupVariable returns a variable's value from a list such as environment returns.
func lookupVariable(env []string, name string) string {
	for _, e := range env {
		if value, ok := strings.CutPrefix(e, name+"="); ok {
			return value
		}
	}
	return ""
}
