package main

import (
	"strings"

	"github.com/spf13/cobra"
)

// topics are pages of help that belong to no command.
func topics() []*cobra.Command {
	page := func(name, short, long string) *cobra.Command {
		return &cobra.Command{Use: name, Short: short, Long: strings.TrimSpace(long)}
	}
	return []*cobra.Command{
		page("exit-codes", "What exit codes mean", exitCodesText),
		page("environment", "Which variables of the environment count", environmentText),
		page("targets", "How to say which nodes are meant", targetsText),
		page("formats", "How answers are shown: tables, JSON, YAML, CSV, names", formatsText),
	}
}

const exitCodesText = `
Exit codes are stable.

  0    success; of a run: every node succeeded
  1    the program or the server failed
  2    wrong usage
  3    a run has finished, and some nodes failed, timed out, were lost or did not run
  4    not authenticated, or not allowed
  5    no node matches (unless --allow-empty)
  6    stopped waiting (--wait-timeout); the run goes on
  7    a run was cancelled, aborted, or paused by its failure budget or a probe
  130  interrupted

A run on one node ends with the exit code of its command, as ssh does. With --rc a run on several nodes ends with the largest of theirs.
`

const environmentText = `
Every flag has a variable, ERRAND_ and its name in capitals with _ for -: ERRAND_OUTPUT=json is --output json. A flag on the command line counts more than its
variable, a variable more than the context (errand ctx). These are used most:

  ERRAND_SERVER             URL of the server
  ERRAND_ACCESS_KEY_ID      the access key by which calls are made
  ERRAND_ACCESS_KEY_SECRET  its secret
  ERRAND_TOKEN              security token of a temporary key, or a bearer token without a key
  ERRAND_CONTEXT            name of the context
  ERRAND_DATA               data folder of a server on this machine
  ERRAND_CA_FILE            certificates to trust besides the system's
  ERRAND_OUTPUT             how answers are shown, see errand help formats

Others follow the customs of many programs:

  NO_COLOR                  no colours, whatever its value
  CLICOLOR_FORCE            colours also where there is no terminal, unless it is 0
  TERM=dumb                 lines instead of a block that is drawn again, no colours
  EDITOR, VISUAL            what errand cmd edit opens
  HTTPS_PROXY, NO_PROXY     the way to the server
  XDG_CONFIG_HOME           where errand/config.yaml with the contexts is
`

const targetsText = `
Targets are expressions. Several, as arguments or by -t, are all meant together; -x leaves nodes out.

  web-1                     a node by its id or its name
  web[01-40,44]             a set of nodes
  'web-*'                   a pattern
  @frontends                a saved group (errand groups)
  role=web                  a tag that a node carries; != < <= > >= work too, for numbers and versions as well
  'os~"Debian*"'            a fact that matches a pattern; facts are id, name, hostname, platform, os, kernel, arch, agent, zone, ip,
                            private_ip, public_ip, group, feature, gpu, cpus, mem_gib and gpus
  'role in (web, db)'       one of several
  online                    who is there; offline, cordoned
  all                       every node: spelled out, so that no forgotten argument means it

They are put together with && (and), || (or a comma) and ! (not), in parentheses where needed:

  errand run 'role=web && mem_gib>=64 && online' -- uptime

Nodes that are cordoned are left out unless the expression speaks of cordoned. --pick 5% takes some of the nodes by chance, and --seed the same ones again;
--nodes-file reads names from a file. errand run --dry-run shows which nodes an expression takes.
`

const formatsText = `
-o chooses how an answer is shown.

  table   columns for people
  wide    the same with more columns
  json    the server's answer, with all its members
  jsonl   one entry of a list on each line, as JSON
  yaml    the same as json
  csv     comma-separated values with a line of headings, with the columns of wide
  name    the first column alone, one on each line, for other programs

--columns name,state shows these columns of a table or of CSV; --sort name, or --sort -name the other way round, orders the rows. Answers in JSON and YAML stay as
they came. Standard output has answers only: progress, questions and hints go to standard error.

Control characters in what is shown, and marks that turn the reading order round, are replaced in tables and CSV and escaped in JSON and YAML.
`

// The groups of commands in the help.
const (
	dailyGroup  = "daily"
	nounGroup   = "nouns"
	accessGroup = "access"
	hereGroup   = "here"
)

// arrange puts the commands into groups.
func arrange(root *cobra.Command) {
	root.AddGroup(
		&cobra.Group{ID: dailyGroup, Title: "Every day:"}, &cobra.Group{ID: nounGroup, Title: "What there is:"},
		&cobra.Group{ID: accessGroup, Title: "Who may do what:"}, &cobra.Group{ID: hereGroup, Title: "Servers, agents, and this machine:"},
	)
	for group, names := range map[string]string{
		dailyGroup:  "run script push fetch shell tunnel",
		nounGroup:   "runs node nodes groups cmd sched sessions events api enroll",
		accessGroup: "ctx login logout whoami account user key policy quota audit",
		hereGroup:   "server agent try up env bench release upgrade",
	} {
		for _, name := range strings.Fields(names) {
			for _, cmd := range root.Commands() {
				if cmd.Name() == name {
					cmd.GroupID = group
				}
			}
		}
	}
	root.SetHelpCommandGroupID(hereGroup)
	root.SetCompletionCommandGroupID(hereGroup)
}

// rootCommand does what errand does without a command.
func rootCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	return needsCommand(cmd, args)
}
