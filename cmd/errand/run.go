package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// watchHelp is what the help of run and script say in common about results.
const watchHelp = `

On one node the output passes as with ssh: both streams apart, as it comes, and the exit code is the command's own. On several nodes, outputs that are equal with
equal exit codes are folded under one heading, and --diff shows how the others differ from the largest group that succeeded. While it lasts, a terminal shows
a block of a few lines with keys: f failures, s running, o output so far, p pause or resume, q detach, Ctrl-C detach or cancel. Elsewhere standard error gets
a line for each change of the run's state and each failed node. Standard output has results only.

On a terminal, control characters of the output are shown instead of obeyed, but for colours; --raw lets them through. In a pipe every byte passes.

More than confirm_over nodes (10, errand ctx add --confirm-over) are asked about once on a terminal, and want --yes elsewhere.`

func newRun() *cobra.Command {
	var c connection
	var o order
	cmd := &cobra.Command{
		Use: "run [TARGETS] [flags] -- COMMAND [ARG]...", Aliases: []string{"x"},
		Short: "Run a command on nodes, watch it and see the results",
		Long: `Runs a command on all nodes that TARGETS name (see errand help targets), which may be left out where there is only one node. One argument behind the -- is a line
for the shell; several are run as they are, without a shell looking at them.` + watchHelp + connectHelp,
		Example: `  errand run web-1 -- uptime
  errand run 'role=web' -- uname -r
  errand run all --diff -- 'cat /etc/os-release | head -2'
  errand run role=web -x web-2 -o json -- hostname
  errand run all --yes --steps 1,50%,100% --max-failures 1 --probe 'true' --reason 'new kernel' -- true
  errand run all --pick 1 --seed 7 --dry-run -- systemctl restart nginx
  errand run web-1 --detach --queue 24h -- sleep 1`,
		Args: func(cmd *cobra.Command, args []string) error {
			switch dash := cmd.ArgsLenAtDash(); {
			case dash < 0:
				return usage(errors.New("-- belongs before the command: errand run TARGETS -- COMMAND"))
			case dash == len(args):
				return usage(errors.New("no command behind the --"))
			}
			return nil
		},
		ValidArgsFunction: completeTargets,
		RunE: func(cmd *cobra.Command, args []string) error {
			dash := cmd.ArgsLenAtDash()
			content := commandLine(args[dash:])
			exports, err := o.exports()
			if err != nil {
				return usage(err)
			}
			return o.start(cmd, &c, args[:dash], map[string]any{"content": exports + content})
		},
	}
	c.add(cmd)
	o.add(cmd)
	return cmd
}

// commandLine is a script that runs one argument as a line of shell, or several as they are.
func commandLine(args []string) string {
	if len(args) == 1 {
		return args[0] + "\n"
	}
	return script(args)
}

func newScript() *cobra.Command {
	var c connection
	var o order
	cmd := &cobra.Command{
		Use:   "script [TARGETS] FILE [flags] [-- ARG...]",
		Short: "Run a script on nodes, watch it and see the results",
		Long: `Runs a script from a file, or with - from standard input, on all nodes that TARGETS name (see errand help targets). Its first line may name its program; .ps1 and .bat
are run by Windows nodes. Arguments for the script stand behind --. The last argument before that is the file, those before it are targets.` + watchHelp + connectHelp,
		Example: `  errand script role=web deploy.sh -- --version 1.2.3
  errand script all - --yes < check.sh
  errand script db-1 migrate.sh --timeout 10m --as root --env MODE=dry --secret DB_PASSWORD --limits cpu=0.5,mem=256m`,
		Args: func(cmd *cobra.Command, args []string) error {
			if n := o.before(cmd, args); n < 1 {
				return usage(errors.New("which script? errand script TARGETS FILE"))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			n := o.before(cmd, args)
			what, err := scriptFrom(cmd, args[n-1], args[n:])
			if err != nil {
				return err
			}
			exports, err := o.exports()
			if err != nil {
				return usage(err)
			}
			if exports != "" {
				if what["content"], err = withExports(what, exports); err != nil {
					return usage(err)
				}
			}
			return o.start(cmd, &c, args[:n-1], what)
		},
	}
	c.add(cmd)
	o.add(cmd)
	return cmd
}

// before is how many arguments stand before the --.
func (o *order) before(cmd *cobra.Command, args []string) int {
	if n := cmd.ArgsLenAtDash(); n >= 0 {
		return n
	}
	return len(args)
}

// withExports puts lines that set variables into a shell script, behind a first line that names the shell.
func withExports(what map[string]any, exports string) (string, error) {
	text, _ := what["content"].(string)
	if what["type"] != nil {
		return "", errors.New("--env is for shell scripts")
	}
	first, rest, _ := strings.Cut(text, "\n")
	if program, ok := strings.CutPrefix(first, "#!"); ok {
		if !strings.HasSuffix(strings.TrimSpace(program), "sh") {
			return "", fmt.Errorf("--env is for shell scripts, and this one is for %s", strings.TrimSpace(program))
		}
		return first + "\n" + exports + rest, nil
	}
	return exports + text, nil
}
