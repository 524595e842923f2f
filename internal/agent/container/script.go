package container

import (
	"bytes"
	"errors"
	"fmt"
)

// shell is the only interpreter that the vendors document for containers.
const shell = "/bin/sh"

// markVariable is set for everything that a script starts, so that it can be found again however far it has run from its parent.
const markVariable = "ERRAND_EXEC"

// wrapper is what the shell is started with. It takes the script from standard input up to a line with the mark, since not every runtime
// can end a program's input, and only then begins; a connection that breaks before leaves nothing half done. The commands of the script
// find nothing to read, as without a container. Being part of the command line, the mark also tells from outside who the shell is.
const wrapper = `%[1]s=%[2]s; export %[1]s; s=; while :; do IFS= read -r l || exit 125; [ "$l" = %[2]s ] && break; s="$s$l
"; done; exec </dev/null; eval "unset l s;$s"`

// command is a program to be started in a container.
type command struct {
	argv          []string
	user, workDir string
}

// wrap returns what to start for a script, and what to write to it.
func wrap(script []byte, mark string) (argv []string, input []byte, err error) {
	if bytes.IndexByte(script, 0) >= 0 {
		return nil, nil, errors.New("script with a NUL byte")
	}
	input = fmt.Appendf(nil, "%s\n%s\n", script, mark)
	return []string{shell, "-c", fmt.Sprintf(wrapper, markVariable, mark)}, input, nil
}

// signaller sends a signal to every process that bears the mark, except to those it is told of, and prints the numbers of all. It is for
// machines that do not see the processes of their containers. The mark comes by standard input, so that it does not bear the mark itself.
const signaller = `read -r s && read -r m && read -r told || exit 125; n=; for p in /proc/[0-9]*; do ` +
	`if grep -qs -e "$m" "$p/cmdline" "$p/environ" 2>/dev/null; then p=${p#/proc/}; ` +
	`case " $told " in *" $p "*) kill -0 "$p";; *) kill "-$s" "$p";; esac 2>/dev/null && n="$n $p"; fi; done; echo "$n"`
