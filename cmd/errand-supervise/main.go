// Command errand-supervise is the supervisor of one command and nothing else. The agent starts it when it lies beside the agent's own program,
// because it starts faster and stays smaller than the agent started again; without it the agent does that.
package main

import (
	"os"

	"errand/internal/agent/executor"
)

func main() {
	if len(os.Args) != 3 || os.Args[1] != executor.SuperviseArg {
		os.Exit(2)
	}
	os.Exit(executor.Supervise(os.Args[2]))
}
