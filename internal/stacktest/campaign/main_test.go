package campaign

import (
	"flag"
	"fmt"
	"os"
	"testing"
	"time"
)

// The flags of a campaign. `make faults` sets the length; everything that a failure has to be repeated with is printed at the start.
var (
	seedFlag   = flag.Uint64("campaign.seed", 0, "seed of plan and work; 0 takes one by chance")
	lengthFlag = flag.Duration("campaign.for", 75*time.Second, "how long things are broken")
	faultsFlag = flag.Float64("campaign.faults", 1, "how many times as often as usual things are broken")
	workFlag   = flag.Float64("campaign.work", 16, "orders each second")
	nodesFlag  = flag.Int("campaign.nodes", 5, "number of agents")
	planFlag   = flag.Bool("campaign.plan", false, "print the plan and what became of it also when nothing is wrong")
	keepFlag   = flag.String("campaign.keep", "", "folder that is left behind with logs, notes and data; empty means one that is removed")
)

// TestMain lets the test binary also be an agent.
func TestMain(m *testing.M) {
	if s := os.Getenv(agentVariable); s != "" {
		if err := beAgent(s); err != nil {
			fmt.Fprintln(os.Stderr, "agent:", err)
			os.Exit(1)
		}
		return
	}
	m.Run()
}

// TestCampaign is the campaign. When it fails it prints the seed, the plan, and the history of each task that something is wrong with.
func TestCampaign(t *testing.T) {
	t.Parallel()
	c := begin(t)
	defer c.explain()
	c.warmUp()
	before := c.count()
	c.breakAndWork()
	c.rest()
	c.noLeaks(before)
	c.stop()
	c.judge()
}
