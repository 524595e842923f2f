package core

import (
	"context"
	"net/netip"
	"time"
	"unicode/utf8"
)

// Session is an interactive connection of a caller to one or several nodes. The caller gets a URL with a token and speaks through it; the
// relay between the two sides reports what became of the connections.
// https://www.alibabacloud.com/help/en/ecs/developer-reference/api-ecs-2014-05-26-startterminalsession
type Session struct {
	ID      ID
	Account AccountID
	Region  string
	Origin  Origin
	Mode    SessionMode
	Kind    string // the vendor's word for it, as it was passed

	User         string // empty means the agent's own user
	PasswordName string // where the user's password is kept; as it was passed, nothing here reads it
	Command      string // one command line, for SessionCommand
	Port         int    // for SessionPort
	Host         string // where the port is; empty means the node itself
	Network      string // Internet or Intranet, as it was passed
	Encryption   SessionEncryption

	Rows, Columns int           // of the caller's terminal at the start; 0 if unknown
	Idle          time.Duration // after which it ends without a sign of the caller; 0 leaves it to whoever relays it
	Limit         time.Duration // after which it ends in any case; 0 as well
	Record        bool          // what the nodes print is kept
	RecordInput   bool          // so is what the caller types

	TokenHash string
	CreatedAt time.Time
	ExpiresAt time.Time // nobody can begin to use the session from then on
	EndedAt   time.Time // when the last of its connections was over; zero until then

	ClientIP  string
	Principal string // who started it
	Identity  Identity

	Connections []Connection // in the order of the order
}

// SessionMode is what is at the node's end of a session.
type SessionMode string

// The modes.
const (
	SessionShell   SessionMode = "shell"   // a login shell in a terminal
	SessionCommand SessionMode = "command" // one command line in a terminal
	SessionPort    SessionMode = "port"    // a TCP connection
)

// SessionEncryption is what a caller wants to have encrypted besides the connections, which always are where TLS is used.
type SessionEncryption struct {
	Enabled bool
	Mode    string // SessionEncryptAuto or SessionEncryptKMS; empty means the former
	KeyID   string
}

// The modes of SessionEncryption.
const (
	SessionEncryptAuto = "Auto"
	SessionEncryptKMS  = "Kms"
)

// Identity is what kind of principal started a session.
type Identity string

// The identities.
const (
	IdentityAccount Identity = "account" // the root of the account
	IdentityUser    Identity = "user"
	IdentityRole    Identity = "role" // by a temporary key
)

// Connection is the part of a session that belongs to one node.
type Connection struct {
	Node      NodeKey
	NodeID    string
	Shown     string // the node's id as the caller's frames name it
	Status    ConnectionStatus
	Closed    CloseReason // why it is over; NotClosed until then
	Detail    string      // why it failed, for people
	Exit      *Exit       // how its program ended, if it did so by itself and the agent tells
	StartedAt time.Time   // when the node's end was there
	EndedAt   time.Time
}

// Exit is how a program ended.
type Exit struct {
	Code   int32 // if Signal is 0
	Signal uint8 // number of the signal that ended it
}

// ConnectionStatus is how far a connection is. It only moves forward.
type ConnectionStatus uint8

// The statuses. From ConnectionDisconnected on they are final.
const (
	ConnectionConnecting ConnectionStatus = iota
	ConnectionConnected
	ConnectionDisconnected // one side was cut off
	ConnectionTerminated   // either side ended it
	ConnectionFailed       // it never came about
)

// Over reports whether the status is final.
func (s ConnectionStatus) Over() bool { return s >= ConnectionDisconnected }

// CloseReason is why a connection is over.
type CloseReason uint8

// The reasons.
const (
	NotClosed             CloseReason = iota
	ClosedNodeNotFound                // the node was removed
	ClosedDeliveryTimeout             // the node did not answer, or nobody used the session in time
	ClosedAgentTooOld                 // it cannot open terminals
	ClosedAgentOffline
	ClosedMalformed // the node said what cannot be
	ClosedByAgent   // the program ended, the node refused or fell silent
	ClosedByClient  // the caller ended it or went away
)

// Bounds of sessions, all of them Alibaba's.
// https://www.alibabacloud.com/help/en/ecs/user-guide/use-session-manager
const (
	MaxSessionNodes    = 10
	MaxNodeSessions    = 20  // connected at a time, on one node
	MaxSessions        = 100 // created and not over, in an account and region
	MaxSessionCommand  = 512 // characters; ours takes more
	MaxSessionHost     = 128
	MaxSessionUser     = 255
	MaxSessionPassword = 255 // of the password's name

	// MaxOwnCommand is MaxSessionCommand for the native API.
	MaxOwnCommand = 4096

	// MaxSessionSize is how many rows or columns a terminal has at most.
	MaxSessionSize = 1<<15 - 1

	// SessionURLValidity is how long after its start a session can be joined for the first time.
	SessionURLValidity = 10 * time.Minute

	// keptSessions is how many of the newest sessions of an account are kept; older ones go, as those that are too old.
	keptSessions = 1000
)

// Names of what an order for a session consists of, in refusals.
const (
	FieldSessionNodes      = "nodes"
	FieldSessionCommand    = "command-line"
	FieldSessionPort       = "port"
	FieldSessionHost       = "target-server"
	FieldSessionPassword   = "password-name"
	FieldSessionNetwork    = "connection-type"
	FieldSessionEncryption = "encryption"
	FieldSessionSize       = "size"
	FieldSessionIdle       = "idle_seconds"
	FieldSessionLimit      = "limit_seconds"
	FieldSessionRecord     = "record"
)

// SessionSpec is an order for a session.
type SessionSpec struct {
	Region       string
	Origin       Origin
	Kind         string
	Nodes        []string // ids
	Show         func(id string) string
	User         string
	PasswordName string
	Command      string
	Port         *int
	Host         string
	Network      string
	Encryption   SessionEncryption

	Rows, Columns int
	Idle, Limit   *time.Duration // nil leaves them to the installation
	Record        *bool          // nil leaves it to the installation
	RecordInput   bool
}

// check applies the rules that need no node.
func (o *SessionSpec) check() error {
	single := o.Command != "" || o.Host != ""
	switch {
	case len(o.Nodes) == 0:
		return invalid(ReasonTargetsMissing, FieldSessionNodes, "none named")
	case o.Command != "" && (o.Port != nil || o.Host != ""):
		return invalid(ReasonInvalidValue, FieldSessionCommand, "besides a port or a target server")
	case o.Host != "" && o.Port == nil:
		return invalid(ReasonMissing, FieldSessionPort, "needed with a target server")
	case o.Port != nil && (*o.Port < 1 || *o.Port > 1<<16-1):
		return invalid(ReasonInvalidValue, FieldSessionPort, "not a TCP port")
	case single && len(o.Nodes) > 1:
		return invalid(ReasonTooLong, FieldSessionNodes, "more than one with a command or a target server")
	case len(o.Nodes) > MaxSessionNodes:
		return invalid(ReasonTargetsTooMany, FieldSessionNodes, "more than %d", MaxSessionNodes)
	case o.Rows < 0 || o.Rows > MaxSessionSize || o.Columns < 0 || o.Columns > MaxSessionSize:
		return invalid(ReasonInvalidValue, FieldSessionSize, "no terminal has %d rows and %d columns", o.Rows, o.Columns)
	case o.Network != "" && o.Network != "Internet" && o.Network != "Intranet":
		return invalid(ReasonInvalidValue, FieldSessionNetwork, "unknown network %q", o.Network)
	}
	if err := o.checkTexts(); err != nil {
		return err
	}
	return o.Encryption.check()
}

func (o *SessionSpec) checkTexts() error {
	commandMost := MaxSessionCommand
	if o.Origin == OriginNative {
		commandMost = MaxOwnCommand
	}
	for _, text := range []struct {
		field, value string
		most         int
	}{
		{FieldSessionCommand, o.Command, commandMost},
		{FieldSessionHost, o.Host, MaxSessionHost},
		{FieldSessionPassword, o.PasswordName, MaxSessionPassword},
	} {
		if utf8.RuneCountInString(text.value) > text.most {
			return invalid(ReasonTooLong, text.field, "more than %d characters", text.most)
		}
	}
	switch {
	case utf8.RuneCountInString(o.User) > MaxSessionUser:
		return invalid(ReasonUserTooLong, "user", "more than %d characters", MaxSessionUser)
	case !printable(o.User):
		return invalid(ReasonUserInvalid, "user", "control characters")
	case !printable(o.Host), deniedHost(o.Host):
		return unsupported(FieldSessionHost, "no node connects to this address")
	}
	return nil
}

// deniedHost reports whether a host is written as an address that no node connects to: one that only makes sense to the node itself, such as
// that of a cloud's metadata service, where credentials can be had for the asking. The node looks again, at what a name stands for.
func deniedHost(host string) bool {
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	addr = addr.Unmap()
	return addr.IsLinkLocalUnicast() || addr.IsMulticast() || addr.IsUnspecified()
}

func (e *SessionEncryption) check() error {
	switch {
	case e.Mode != "" && e.Mode != SessionEncryptAuto && e.Mode != SessionEncryptKMS:
		return invalid(ReasonInvalidValue, FieldSessionEncryption, "unknown mode %q", e.Mode)
	case !printable(e.KeyID) || len(e.KeyID) > maxDeliveryKeyID:
		return invalid(ReasonInvalidValue, FieldSessionEncryption, "no key")
	case e.Enabled && e.Mode == SessionEncryptKMS:
		return unsupported(FieldSessionEncryption, "there is no key management service")
	}
	return nil
}

func (o *SessionSpec) mode() SessionMode {
	switch {
	case o.Port != nil:
		return SessionPort
	case o.Command != "":
		return SessionCommand
	default:
		return SessionShell
	}
}

// identity is what kind of principal a caller is.
func (c *Caller) identity() Identity {
	switch {
	case c.KeyKind == KeyTemporary:
		return IdentityRole
	case c.Root:
		return IdentityAccount
	default:
		return IdentityUser
	}
}

// finish notes the end of the session when all its connections are over.
func (s *Session) finish(now time.Time) {
	for i := range s.Connections {
		if !s.Connections[i].Status.Over() {
			return
		}
	}
	if s.EndedAt.IsZero() {
		s.EndedAt = now
	}
}

// end ends every connection that is not over and with them the session.
func (s *Session) end(status ConnectionStatus, why CloseReason, detail string, now time.Time) {
	for i := range s.Connections {
		s.Connections[i].reach(status, why, detail, now)
	}
	s.finish(now)
}

// reach moves a connection forward and reports whether it did.
func (c *Connection) reach(status ConnectionStatus, why CloseReason, detail string, now time.Time) bool {
	if c.Status.Over() || status <= c.Status {
		return false
	}
	c.Status = status
	switch {
	case status == ConnectionConnected:
		c.StartedAt = now
	case status.Over():
		c.Closed, c.EndedAt = why, now
	}
	if status == ConnectionFailed {
		c.Detail = detail
	}
	return true
}

// SessionFilter selects sessions; zero fields select all. Lists are alternatives, fields add up.
type SessionFilter struct {
	Account AccountID
	IDs     []ID
	Nodes   []NodeKey // with a connection to any of them
	Open    bool      // only those that have not ended
	Ended   bool      // only those that have
}

// SessionLoad is what stands beside a session that is about to be stored.
type SessionLoad struct {
	Open      int             // sessions of its account and region that have not ended
	Connected map[NodeKey]int // connections of its nodes that are ConnectionConnected, in any account
}

// Sessions keeps sessions with their connections. Listings order by ID descending (Cursor.A).
type Sessions interface {
	// InsertSession stores a session unless check, which is called inside the transaction, refuses. ErrTaken if the id is in use.
	InsertSession(ctx context.Context, s *Session, check func(SessionLoad) error) error
	// Session finds a session by its id, in any account.
	Session(ctx context.Context, id ID) (Session, error)
	// ChangeSession reads a session, lets change decide and writes what it changed of EndedAt and of the Connections, whose number and nodes
	// stay as they are, in one transaction.
	ChangeSession(ctx context.Context, id ID, change func(*Session) error) error
	ListSessions(ctx context.Context, f SessionFilter, p Page) (rows []Session, total int, err error)
	// NthSession returns the id of an account's newest session for 1, of the one before it for 2, and so on; ErrNotFound after the last.
	NthSession(ctx context.Context, account AccountID, n int) (ID, error)
	// DeleteSessions deletes sessions of an account that have ended and whose id is less than before, the oldest first, at most most of them, with
	// their recordings' rows, and returns how many. RemovedRecords returns those that had recordings.
	DeleteSessions(ctx context.Context, account AccountID, before ID, most int) (int, error)
}
