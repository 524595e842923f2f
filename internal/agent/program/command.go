package program

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
)

// Env is what a command of the program works in.
type Env struct {
	Name    string // of the program, as it is called: "errand-agent" or "errand agent"
	Version string
	Args    []string // of the process, if its program can be replaced by another version; see package upgrade
	Stdout  io.Writer
	Stderr  io.Writer
}

// command is something that the program does besides running the agent. It returns the exit code of the process.
type command struct {
	name  string
	short string
	run   func(ctx context.Context, e Env, args []string) int
}

// commands lists them in the order of the help.
func commands() []command {
	return []command{
		{"status", "Tell how the agent on this machine is", status},
		{"doctor", "Look for what is wrong on this machine and on the way to the server", examine},
		{"metrics", "Print its numbers for Prometheus", metrics},
		{"enroll", "Make this machine a node and end", enrollOnly},
		{"end-commands", "End all commands before the agent is removed", endCommands},
		{"deregister", "Take this machine out of its account", deregister},
		{"reset", "Forget everything, before an image is made of this machine", reset},
	}
}

// Exit codes that all commands share. A command that has more to tell counts on from 3.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// Main does what args say, the first of which may name a command. Without one it runs the agent until ctx ends. It returns the exit code of the
// process: 0 after an orderly end, 1 after a failure, 2 for wrong usage; a command may have further ones.
func Main(ctx context.Context, e Env, args []string) int {
	if len(args) == 1 && args[0] == "--version" {
		fmt.Fprintln(e.Stdout, e.Name, e.Version)
		return exitOK
	}
	if len(args) > 0 {
		for _, c := range commands() {
			if c.name == args[0] {
				return c.run(ctx, e, args[1:])
			}
		}
	}
	return runAgent(ctx, e, args)
}

// newFlags returns an empty set of flags for a command, which is empty for the agent itself. usage is all that its help says before the
// flags, in which %[1]s is the name of the program.
func newFlags(e Env, command, usage string) *flag.FlagSet {
	fs := flag.NewFlagSet(strings.TrimSpace(e.Name+" "+command), flag.ContinueOnError)
	fs.SetOutput(e.Stderr)
	fs.Usage = func() {
		w := fs.Output()
		fmt.Fprintf(w, usage, e.Name)
		fmt.Fprint(w, "\nFlags (each can be set by the environment variable in brackets):\n")
		fs.VisitAll(func(f *flag.Flag) {
			arg, text := flag.UnquoteUsage(f)
			if len(f.Name) == 1 {
				fmt.Fprintf(w, "  -%-27s %s\n", f.Name+" "+arg, text)
				return
			}
			fmt.Fprintf(w, "  --%-26s %s [%s]\n", strings.TrimSpace(f.Name+" "+arg), text, envName(f.Name))
		})
	}
	return fs
}

// addReach adds the flags that every command has which speaks to anybody outside the machine.
func addReach(fs *flag.FlagSet, o *Options) {
	fs.StringVar(&o.CAFile, "ca-file", "", "`FILE` with the CA of the server's HTTPS certificate, if it is a private one; read again when it changes")
	fs.StringVar(&o.Proxy, "proxy", "",
		"`URL` of a proxy (http, https, socks5 or socks5h), instead of HTTPS_PROXY and ALL_PROXY, or direct for none; NO_PROXY excepts from it; "+
			"one with a password belongs into the variable")
}

// addData adds the flag that names the data folder of an agent that is there already.
func addData(fs *flag.FlagSet, data *string) {
	fs.StringVar(data, "data", defaultData(), "`DIR` of the agent, by default "+defaultData())
}

// addOutput adds the flag that chooses between a table and JSON.
func addOutput(fs *flag.FlagSet, output *string) {
	*output = "table"
	fs.Func("o", "`FORMAT` of the output, table (the default) or json", func(s string) error {
		if s != "table" && s != "json" {
			return errors.New("want table or json")
		}
		*output = s
		return nil
	})
}

// defaultData is where packages put an agent's data.
func defaultData() string {
	if runtime.GOOS == "windows" {
		return `C:\ProgramData\errand-agent`
	}
	return "/var/lib/errand-agent"
}

// parse reads the flags, and then the environment for those that were not given. When the command has to end because of that, after
// help or wrong usage, it returns false and the exit code.
func parse(fs *flag.FlagSet, args []string) (code int, ok bool) {
	err := fs.Parse(args)
	if err == nil && fs.NArg() > 0 {
		err = fmt.Errorf("unexpected argument %q", fs.Arg(0))
		fmt.Fprintf(fs.Output(), "%s: %v\n", fs.Name(), err)
	}
	if err == nil {
		err = fromEnvironment(fs)
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitOK, false
	case err != nil:
		return exitUsage, false
	}
	return exitOK, true
}

// fromEnvironment sets each flag that was not given from ERRAND_<FLAG>.
func fromEnvironment(fs *flag.FlagSet) (err error) {
	given := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { given[f.Name] = true })
	fs.VisitAll(func(f *flag.Flag) {
		v, ok := os.LookupEnv(envName(f.Name))
		if !ok || given[f.Name] || v == "" || len(f.Name) == 1 {
			return
		}
		values := []string{v}
		if f.Name == "tag" {
			values = strings.Split(v, ",")
		}
		for _, v := range values {
			if e := f.Value.Set(v); e != nil {
				fmt.Fprintf(fs.Output(), "%s: %s: %v\n", fs.Name(), envName(f.Name), e)
				err = e
			}
		}
	})
	return err
}

func envName(flagName string) string {
	return "ERRAND_" + strings.ToUpper(strings.ReplaceAll(flagName, "-", "_"))
}
