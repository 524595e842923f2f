package core

import (
	"net/netip"
	"time"
)

// OnlineWindow is how long after its last heartbeat a node counts as online. It is the only threshold a vendor publishes
// (Alibaba ECS, DescribeCloudAssistantStatus) and holds in all dialects.
const OnlineWindow = 2 * time.Minute

// HeartbeatInterval is how often an agent reports when it has nothing else to say.
const HeartbeatInterval = time.Minute

// Platform is the operating system family of a node.
type Platform string

// The platforms an agent runs on.
const (
	Linux   Platform = "linux"
	Windows Platform = "windows"
	Darwin  Platform = "darwin"
	FreeBSD Platform = "freebsd"
)

// HasAgent reports whether there is an agent for this platform that can be installed. One that calls itself FreeBSD was built by somebody.
func (p Platform) HasAgent() bool { return p == Linux || p == Windows || p == Darwin }

// Node is a machine with an agent.
type Node struct {
	Key       NodeKey
	Account   AccountID
	ID        string // set by the operator, or an ID's text when it was left to us
	Name      string
	Region    string
	PublicKey string // the node's nkey
	// NextPublicKey replaces PublicKey with the first connection that is made with it; empty if there is none.
	NextPublicKey string

	Registration ID
	RegisteredAt time.Time
	UpdatedAt    time.Time
	RemovedAt    time.Time // zero while the node exists

	Hostname  string
	Platform  Platform
	OSName    string
	Kernel    string
	Arch      string
	MachineID string
	BootID    string
	Zone      string
	PrivateIP string
	PublicIP  string // address it enrolled or connected from
	Agent     string // version of the agent program
	Features  []string
	CPUs      int      // 0 if it is not known
	Memory    int64    // bytes; 0 if it is not known
	GPUs      []string // the model of each

	LastSeen        time.Time // last sign of life; zero if there never was one
	KeyedAt         time.Time // since when PublicKey is the node's; zero if it joined with it
	RotationAskedAt time.Time // when somebody asked for another key that the node does not have yet
	InstallAskedAt  time.Time // when somebody last asked for the agent to be installed; zero if nobody did

	CordonedAt   time.Time // since when no new runs come to it; zero if they do
	CordonedBy   string
	CordonReason string

	ResourceGroup string
	Tags          []Tag
}

// Online reports whether the node was heard of within the OnlineWindow.
func (n *Node) Online(now time.Time) bool {
	return !n.LastSeen.IsZero() && now.Sub(n.LastSeen) < OnlineWindow && n.RemovedAt.IsZero()
}

// Facts is what an agent says about its machine when it connects.
type Facts struct {
	Hostname, OSName, Kernel, Arch, BootID, Zone, PrivateIP, Agent string
	Platform                                                       Platform
	Features                                                       []string
	CPUs                                                           int
	Memory                                                         int64 // bytes
	GPUs                                                           []string
}

// NodeLoad is how much a node has done and is doing.
type NodeLoad struct {
	Active      int       // tasks that have not ended
	Finished    int       // tasks that have ended
	LastInvoked time.Time // when the latest of its tasks was created
}

// Tag is a label on a node, a command, an invocation or a registration code.
type Tag struct{ Key, Value string }

// RegistrationCode lets machines join an account.
type RegistrationCode struct {
	ID            ID
	Account       AccountID
	Region        string
	SecretHash    string
	NamePrefix    string // empty: nodes are named after their host
	Description   string
	Limit         int            // how many machines may join
	Registered    int            // how many did
	Deregistered  int            // how many of those left again
	Networks      []netip.Prefix // where from; empty means anywhere
	CreatedAt     time.Time
	UpdatedAt     time.Time
	ExpiresAt     time.Time // zero means never
	Disabled      bool
	ResourceGroup string
	Tags          []Tag
}
