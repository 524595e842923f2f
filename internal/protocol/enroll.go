package protocol

import (
	"strconv"
	"strings"
)

// EnrollPath is where a machine that is not a node yet asks to become one: a POST over HTTPS with an EnrollRequest as JSON, answered
// with an EnrollAnswer, or with a Problem and a status of 400 or more. Everything after that travels over the bus.
//
// A machine that did not hear the answer asks again with the same key and becomes the same node; the code is used up only once.
const EnrollPath = "/agent/enroll"

// NodePath is where a node asks, with a proof, what it would be told if it enrolled now: a GET answered with an EnrollAnswer.
const NodePath = "/agent/node"

// NodeStart is the query parameter of NodePath with which a node that the bus refused names its StartID, to hear whether it is taken for a clone.
const NodeStart = "start"

// ReenrollPath is where a clone becomes a node of its own: a POST of a ReenrollRequest, with a proof by the key that it shares with the node it
// is a copy of, answered with an EnrollAnswer. Asked again with the same new key, the answer is the same node.
const ReenrollPath = "/agent/reenroll"

// LeavePath is where a node gives up being one: a POST without a body, with a proof, answered with 204. From then on its key is refused, and
// so is the same request, which whoever did not hear the answer may take for one.
const LeavePath = "/agent/leave"

// NextKeyPath is where a node announces the key that will replace its own: a POST of a NextKey, with a proof by the present key, answered with 204. The
// server takes either key until the first connection to the bus with the new one, and only that from then on.
const NextKeyPath = "/agent/next-key"

// NextKey is a key that a node has made and keeps.
type NextKey struct {
	PublicKey string `json:"public_key"`
	Signature []byte `json:"signature"` // by the new key over SigningText
}

// SigningText is what the new key signs, so that nobody announces a key that is another's.
func (k *NextKey) SigningText(present string) []byte {
	return []byte(strings.Join([]string{"errand-next-key-1", present, k.PublicKey}, "\n"))
}

// ReenrollRequest is a clone's wish to become a node of its own, under the registration code that the other one joined with.
type ReenrollRequest struct {
	StartID   string      `json:"start_id"`
	PublicKey string      `json:"public_key"` // the new one
	Signature []byte      `json:"signature"`  // by the new key over SigningText
	MachineID string      `json:"machine_id,omitempty"`
	Facts     EnrollFacts `json:"facts"`
}

// SigningText is what the new key signs, so that nobody enrols a key that is another's.
func (r *ReenrollRequest) SigningText(shared string) []byte {
	return []byte(strings.Join([]string{"errand-reenroll-1", shared, r.PublicKey, r.StartID}, "\n"))
}

// MaxEnroll is the largest request body in bytes that is read.
const MaxEnroll = 64 << 10

// EnrollRequest is a machine's wish to become a node. Unknown members are ignored, so that a newer agent can ask an older server.
type EnrollRequest struct {
	CodeID     string `json:"code_id"` // of the registration code, in either of its forms
	CodeSecret string `json:"code_secret"`
	PublicKey  string `json:"public_key"` // an nkey of a user: "U" and 55 characters of base32
	Timestamp  int64  `json:"timestamp"`  // seconds since 1970 by the machine's clock; only makes signatures differ
	Signature  []byte `json:"signature"`  // ed25519 over SigningText, as base64

	NodeID    string      `json:"node_id,omitempty"` // wished for; empty leaves it to the server
	Name      string      `json:"name,omitempty"`    // wished for; empty leaves it to the server
	Tags      []EnrollTag `json:"tags,omitempty"`
	MachineID string      `json:"machine_id,omitempty"`
	Facts     EnrollFacts `json:"facts"`
}

// EnrollTag is a label for the new node.
type EnrollTag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// EnrollFacts is what the agent knows about its machine; the fields are those of Hello.
type EnrollFacts struct {
	Hostname string   `json:"hostname"`
	OS       string   `json:"os"` // runtime.GOOS
	OSName   string   `json:"os_name,omitempty"`
	Kernel   string   `json:"kernel,omitempty"`
	Arch     string   `json:"arch"` // runtime.GOARCH
	Agent    string   `json:"agent"`
	IPs      []string `json:"ips,omitempty"`
	Zone     string   `json:"zone,omitempty"`
	BootID   string   `json:"boot_id,omitempty"`
	Features []string `json:"features,omitempty"`
	CPUs     uint64   `json:"cpus,omitempty"`
	Memory   uint64   `json:"memory_bytes,omitempty"`
	GPUs     []string `json:"gpus,omitempty"`
}

// SigningText is what the machine signs to show that it holds the private key of PublicKey. It names no host, since a server may be
// reached under many names, and its time is not compared with any clock: the code's secret, which only TLS has seen, is what keeps
// others from asking.
func (r *EnrollRequest) SigningText() []byte {
	return []byte(strings.Join([]string{
		"errand-enroll-1", "POST", EnrollPath, r.CodeID, r.PublicKey, strconv.FormatInt(r.Timestamp, 10),
	}, "\n"))
}

// EnrollAnswer is what a new node needs to connect.
type EnrollAnswer struct {
	NodeID    string   `json:"node_id"`
	NodeKey   int64    `json:"node_key"` // names the node's subjects, see In and Out
	AccountID string   `json:"account_id"`
	NATSURLs  []string `json:"nats_urls"`
	CA        string   `json:"ca"`        // PEM certificates that the bus's certificate must descend from
	Heartbeat int64    `json:"heartbeat"` // seconds between two Beats
	// ReleaseKeys is the signed list of the keys whose releases the node shall believe, see package release; empty if the server has none.
	ReleaseKeys string `json:"release_keys,omitempty"`

	// Clone says that the bus refused this process because the node is connected elsewhere, MayReenroll that it can become a node of its own.
	Clone       bool `json:"clone,omitempty"`
	MayReenroll bool `json:"may_reenroll,omitempty"`
}

// Problem is an error of the agents' door, in the form of RFC 9457.
type Problem struct {
	Type   string        `json:"type"`
	Title  string        `json:"title"`
	Status int           `json:"status"`
	Detail string        `json:"detail"`
	Reason ProblemReason `json:"reason"`
}

// ProblemReason tells an agent what to do about an error.
type ProblemReason string

// The reasons.
const (
	ProblemMalformed ProblemReason = "malformed"  // asking again is pointless
	ProblemRefused   ProblemReason = "refused"    // another code is needed
	ProblemNodeTaken ProblemReason = "node_taken" // another node id is needed
	ProblemTooMany   ProblemReason = "too_many"   // ask again after the time in Retry-After
	ProblemNoSuch    ProblemReason = "no_such_path"
	ProblemInternal  ProblemReason = "internal" // ask again later
	ProblemUnproven  ProblemReason = "unproven" // the proof is missing or does not fit the request

	ProblemTransferGone ProblemReason = "transfer_gone" // not, or no longer, a task of this node
	ProblemTooLarge     ProblemReason = "too_large"     // for a file that is fetched
	ProblemNoRoom       ProblemReason = "no_room"       // for it at the server
	ProblemChanged      ProblemReason = "changed"       // it is not the file that it was, or not what was read of it
)
