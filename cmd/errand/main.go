// Command errand is the whole product in one program: the server, the agent and the client commands.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"errand/internal/agent/executor"
	"errand/internal/agent/program"
)

// version is set when a release is built.
var version = "0.1.0"

func main() { os.Exit(run(os.Args)) }

func run(args []string) int {
	if len(args) == 3 && args[1] == executor.SuperviseArg {
		return executor.Supervise(args[2])
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if len(args) > 1 && args[1] == "agent" {
		return program.Main(ctx, program.Env{Name: "errand agent", Version: version, Stdout: os.Stdout, Stderr: os.Stderr}, args[2:])
	}
	root := newRoot()
	root.SetArgs(args[1:])
	err := root.ExecuteContext(ctx)
	var silent exitCode
	if err != nil && !errors.As(err, &silent) {
		fmt.Fprintln(os.Stderr, "errand:", err)
		if todo := hint(err); todo != "" {
			fmt.Fprintln(os.Stderr, "hint:  ", todo)
		}
	}
	return codeOf(err)
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "errand",
		Short:         "Run commands on every machine you own, and keep every result",
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.ArbitraryArgs,
		RunE:          rootCommand,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return fromEnvironment(cmd.Flags())
		},
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage(err) })
	root.AddCommand(newAccount(), newUser(), newKey(), newNodes(), newGroups(), newPolicy(), newQuota(), newAudit(), newEvents(), newRelease(), newUpgrade())
	root.AddCommand(newShell(), newTunnel(), newSessions())
	root.AddCommand(newRun(), newScript(), newRuns(), newStored(), newSchedules(), newAPI(), newContext(), newLogin(), newLogout(), newWhoAmI(), newPush(), newFetch(), newReference())
	root.AddCommand(newServer(), newTry(), newUp(), newEnroll(), newEnv(), newBench(), &cobra.Command{
		Use: "agent", Short: "Run the agent of one machine (errand agent --help)", DisableFlagParsing: true,
		Run: func(*cobra.Command, []string) {}, // run handles it before cobra is asked
	})
	root.AddCommand(topics()...)
	arrange(root)
	return root
}

// fromVariable is the note on a flag that was set from the environment.
const fromVariable = "errand_variable"

// fromEnvironment sets each flag that was not given from ERRAND_<FLAG>.
func fromEnvironment(flags *pflag.FlagSet) error {
	var errs []error
	flags.VisitAll(func(f *pflag.Flag) {
		name := "ERRAND_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		if v, ok := os.LookupEnv(name); ok && v != "" && !f.Changed {
			if err := flags.Set(f.Name, v); err != nil {
				errs = append(errs, usage(fmt.Errorf("%s: %w", name, err)))
			}
			errs = append(errs, flags.SetAnnotation(f.Name, fromVariable, []string{name}))
		}
	})
	return errors.Join(errs...)
}
