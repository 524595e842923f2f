package core

import (
	"context"
	"time"

	"errand/internal/target"
)

// Store keeps rows and decides nothing. It is the sum of small interfaces by noun; code asks for the one it needs.
//
// Every method that changes something returns after the change is durable. Methods may be called from many goroutines. A row that is not
// there is ErrNotFound; a key that exists is ErrTaken. All times are kept to the microsecond, in UTC.
type Store interface {
	Accounts
	Access
	Nodes
	NodeGroups
	Registrations
	Commands
	Invocations
	Tasks
	Results
	Paces
	Deliveries
	Tags
	Settings
	Repeats
	Schedules
	Releases
	Events
	Sessions
	Records
	Parcels
	Close() error
}

// Accounts keeps accounts, access keys and the installation's own settings.
type Accounts interface {
	InsertAccount(ctx context.Context, a Account) error
	Account(ctx context.Context, id AccountID) (Account, error)
	// ListAccounts returns all accounts, by id.
	ListAccounts(ctx context.Context) ([]Account, error)
	InsertKey(ctx context.Context, k AccessKey) error
	// Key finds an access key by its public id, in any account.
	Key(ctx context.Context, id string) (AccessKey, error)
	// Setting returns a named value of the installation; ErrNotFound if it was never set.
	Setting(ctx context.Context, name string) ([]byte, error)
	// SetSetting sets it if it is not set yet and returns the value that holds, so that replicas agree.
	SetSetting(ctx context.Context, name string, value []byte) ([]byte, error)
}

// Page is a stretch of a listing that is ordered newest first, by (A descending, B ascending).
type Page struct {
	After  *Cursor // continue after this row; takes precedence over Offset
	Offset int
	Limit  int  // must be positive
	Count  bool // also count all matches
}

// Cursor is the position of a row in a listing.
type Cursor struct{ A, B int64 }

// NodeFilter selects nodes; zero fields select all. Lists are alternatives.
type NodeFilter struct {
	Account       AccountID
	Keys          []NodeKey
	IDs           []string
	Names         []string
	Platforms     []Platform
	Registrations []ID
	MachineID     string
	IP            string // private or public
	Online        *bool  // by LastSeen against Now
	Now           time.Time
	ResourceGroup string
	Tags          []Tag    // all of them
	TagKeys       []string // all of them
	NoTagKey      string   // not this one
	Removed       bool     // include nodes that were removed
	GeneratedIDs  bool     // only nodes whose id was left to us
	// Expr is an expression without groups that nodes have to fit, in which online is by LastSeen against Now; nil for none. A store answers as
	// Matches does.
	Expr target.Expr
}

// Nodes keeps machines. Listings order by Key descending (Cursor.A).
type Nodes interface {
	// InsertNode stores a new node and returns its key. ErrTaken if the id or the public key is in use by a node that was not removed, as is the next
	// one as a next one.
	InsertNode(ctx context.Context, n Node) (NodeKey, error)
	// ChangeNode reads a node, lets change decide and writes what it changed, in one transaction.
	ChangeNode(ctx context.Context, key NodeKey, change func(*Node) error) error
	Node(ctx context.Context, key NodeKey) (Node, error)
	// NodeByPublicKey finds a node that was not removed by its nkey or the next one.
	NodeByPublicKey(ctx context.Context, publicKey string) (Node, error)
	// NodesByID returns those of the named nodes that exist and were not removed, by id.
	NodesByID(ctx context.Context, account AccountID, ids []string) (map[string]Node, error)
	ListNodes(ctx context.Context, f NodeFilter, p Page) (rows []Node, total int, err error)
	// SelectNodes returns all nodes that a filter selects, in any order, with the fields Key, ID, Name, Platform, Agent, Features, LastSeen,
	// CordonedAt, CordonedBy, CordonReason, ResourceGroup and Tags.
	SelectNodes(ctx context.Context, f NodeFilter) ([]Node, error)
	// SetLastSeen writes signs of life, never backwards.
	SetLastSeen(ctx context.Context, seen map[NodeKey]time.Time) error
	// NodeLoads counts the tasks of some nodes.
	NodeLoads(ctx context.Context, keys []NodeKey) (map[NodeKey]NodeLoad, error)
}

// RegistrationFilter selects registration codes.
type RegistrationFilter struct {
	Account       AccountID
	IDs           []ID
	NamePrefix    string
	ResourceGroup string
	Tags          []Tag
}

// Registrations keeps registration codes. Listings order by ID descending (Cursor.A).
type Registrations interface {
	InsertRegistration(ctx context.Context, r RegistrationCode) error
	// Registration finds a code by its id, in any account.
	Registration(ctx context.Context, id ID) (RegistrationCode, error)
	// UseRegistration reads a code, lets use decide whether a machine may join, inserts the node that use returns and writes the
	// code back, in one transaction.
	UseRegistration(ctx context.Context, id ID, use func(*RegistrationCode) (Node, error)) (Node, error)
	// ChangeRegistrations reads the named codes of an account, lets change decide about each and writes or, where it does not want to keep one,
	// deletes them, all in one transaction or none of them. It returns them as they are, or were last. ErrNotFound if one is missing.
	ChangeRegistrations(
		ctx context.Context, account AccountID, ids []ID, change func(*RegistrationCode) (keep bool, err error),
	) ([]RegistrationCode, error)
	ListRegistrations(ctx context.Context, f RegistrationFilter, p Page) (rows []RegistrationCode, total int, err error)
}

// CommandFilter selects stored commands; zero fields select all. Lists are alternatives, fields add up.
type CommandFilter struct {
	Account       AccountID
	IDs           []ID
	Name          Pattern
	Description   Pattern
	Types         []CommandType
	ResourceGroup string
	Tags          []Tag    // all of them
	TagKeys       []string // all of them
}

// Pattern matches text; the zero Pattern matches everything.
type Pattern struct {
	Text   string
	Prefix bool // anything may follow
	Suffix bool // anything may come before
	Fold   bool // ignore the case of ASCII letters
}

// Commands keeps stored commands. Listings order by ID descending (Cursor.A) and fill the Invocations and LastInvokedAt fields.
type Commands interface {
	// InsertCommand stores a command. With uniqueName, ErrTaken if the account has one of this name in this region.
	InsertCommand(ctx context.Context, c Command, uniqueName bool) error
	Command(ctx context.Context, account AccountID, id ID) (Command, error)
	// ChangeCommand reads a command, lets change decide and writes it, in one transaction. With uniqueName, ErrTaken if that gives it the
	// name of another one in its region.
	ChangeCommand(ctx context.Context, account AccountID, id ID, uniqueName bool, change func(*Command) error) error
	// DeleteCommands deletes all of them or, if one is missing, none (ErrNotFound). check is called with the number of open invocations of
	// each and of the schedules that run it, inside the transaction, and may refuse.
	DeleteCommands(ctx context.Context, account AccountID, ids []ID, check func(id ID, open, schedules int) error) error
	ListCommands(ctx context.Context, f CommandFilter, p Page) (rows []Command, total int, err error)
}

// InvocationFilter selects invocations; zero fields select all. Lists are alternatives, fields add up.
type InvocationFilter struct {
	Account       AccountID
	Kinds         []InvocationKind
	IDs           []ID
	Commands      []ID
	Schedules     []ID      // invocations that these made run
	Nodes         []NodeKey // invocations that target any of them
	States        []State   // of the task on one of Nodes
	CommandName   string
	Type          CommandType
	Repeat        RepeatMode
	Open          bool // only those with tasks that have not ended
	ResourceGroup string
	Tags          []Tag
	Principal     string // who ordered it
	Origin        Origin
	From          ID // not older than this one
	RetryOf       ID // those that repeat tasks of this one
	// Keep selects by what follows from an invocation's Kind, Type, Repeat and the states that any of its tasks is in: it is asked about
	// invocations that have only these, with a count of one for each state. It needs an Account.
	Keep func(*Invocation) bool
}

// Invocations keeps invocations. Listings order by ID descending (Cursor.A).
type Invocations interface {
	// InsertInvocation stores an invocation and its tasks in one transaction. ErrTaken if the id, the client token, or the moment Due of
	// its Schedule is in use.
	InsertInvocation(ctx context.Context, v *Invocation, tasks []Task) error
	Invocation(ctx context.Context, account AccountID, id ID) (Invocation, error)
	// InvocationByToken finds an invocation by its client token.
	InvocationByToken(ctx context.Context, account AccountID, token string) (Invocation, error)
	// InvocationByDue finds the invocation that a schedule made run at a moment.
	InvocationByDue(ctx context.Context, schedule ID, due time.Time) (Invocation, error)
	// ReviseInvocation reads a standing invocation, lets revise decide and writes what it changed of Command, Definition, Params, Script, Hidden,
	// Frequency, Extra, Revision and RevisedAt, and inserts the tasks that revise returns, in one transaction.
	ReviseInvocation(ctx context.Context, account AccountID, id ID, revise func(*Invocation) ([]Task, error)) error
	// Occur finds the run of a standing task that was due at a moment and reads it into run. If there is none it asks occur, which is given the
	// standing invocation, its task and, if another node reported the same moment before, the occurrence; it changes Runs and Latest of the
	// standing task and returns the occurrence and its task, which are inserted unless they are there, all in one transaction. ErrNotFound
	// if there is no such standing task; ErrTaken as with InsertInvocation.
	Occur(ctx context.Context, standing TaskID, due time.Time,
		occur func(v *Invocation, t *Task, there *Invocation) (Invocation, Task, error), run *Task) error
	ListInvocations(ctx context.Context, f InvocationFilter, p Page) (rows []Invocation, total int, err error)
	// OpenInvocations returns those with tasks that have not ended, of all accounts, oldest first.
	OpenInvocations(ctx context.Context) ([]Invocation, error)
	// NthInvocation returns the id of an account's newest invocation for 1, of the one before it for 2, and so on; ErrNotFound after the last.
	NthInvocation(ctx context.Context, account AccountID, n int) (ID, error)
	// DeleteInvocations deletes invocations of an account that have ended and whose id is less than before, with their tasks, in
	// one transaction: the oldest first, until most rows or more are gone. It returns their ids, none when there was nothing to delete, and
	// adds them to RemovedInvocations. How often a command was run does not change.
	DeleteInvocations(ctx context.Context, account AccountID, before ID, most int) ([]ID, error)
	// RemovedInvocations returns the ids of deleted invocations, of all accounts, until ForgetInvocations takes them off the list.
	RemovedInvocations(ctx context.Context) ([]ID, error)
	ForgetInvocations(ctx context.Context, ids []ID) error
}

// TaskFilter selects tasks; zero fields select all. Lists are alternatives, fields add up.
type TaskFilter struct {
	Account       AccountID
	Kinds         []InvocationKind
	IDs           []TaskID
	Invocations   []ID
	Schedules     []ID // tasks of invocations that these made run
	Nodes         []NodeKey
	Commands      []ID
	States        []State
	ResourceGroup string
	Tags          []Tag // of the invocation
	Output        bool  // also read Task.Output
	Each          int   // at most so many of each of Invocations; 0 for all
}

// Tasks keeps tasks. Listings order by invocation, newest first (Cursor.A), then by index (Cursor.B).
type Tasks interface {
	// ChangeTasks reads the named tasks with their output, lets change decide about each, writes those for which it returned true, and
	// keeps the counts of their invocations (Invocation.Count and Start), all in one transaction. Names without a row are
	// passed over. change may be called again if the transaction has to be repeated, with a fresh task.
	ChangeTasks(ctx context.Context, ids []TaskID, change func(*Task) bool) error
	ListTasks(ctx context.Context, f TaskFilter, p Page) (rows []Task, total int, err error)
	// OpenTasks returns the tasks of an invocation that have not ended, by index.
	OpenTasks(ctx context.Context, id ID) ([]Task, error)
	// TaskMarks returns all tasks of an invocation, by index; none if there is no such invocation.
	TaskMarks(ctx context.Context, id ID) ([]TaskMark, error)
}

// Paces moves invocations that have a Pace.
type Paces interface {
	// PacedInvocations returns those whose Pacing moves by itself, of all accounts, oldest first.
	PacedInvocations(ctx context.Context) ([]ID, error)
	// PaceInvocation reads an invocation with its counts as they are in this transaction, lets pace decide, writes what that changed of Pacing and lets
	// release change so many of its held tasks, those with the least indices, all in that transaction. It returns these tasks, and writes an EventPaced if
	// more than numbers changed. held counts the
	// held tasks with an index less than before. ErrNotFound if there is no such invocation, or it has no Pacing.
	PaceInvocation(ctx context.Context, id ID, pace func(v *Invocation, held func(before int) (int, error)) (release int, err error),
		release func(*Task)) ([]Task, error)
}

// Tags keeps the tags of all objects that carry some, beside the objects: their times of change stay as they are.
type Tags interface {
	// ChangeTags reads the tags of the named objects of an account, lets change decide about each and writes them, all in one transaction
	// or none of them. Keys are those of Tagged. ErrNotFound if an object is missing or is a node that was removed.
	ChangeTags(ctx context.Context, account AccountID, kind Kind, keys []int64, change func([]Tag) ([]Tag, error)) error
	// ListTagged lists objects with their tags. It orders by Key descending (Cursor.A) and counts nothing.
	ListTagged(ctx context.Context, kind Kind, f TaggedFilter, p Page) ([]Tagged, error)
}

// ParcelFilter selects parcels; zero fields select all.
type ParcelFilter struct {
	Account     AccountID
	Invocations []ID    // that they belong to
	Task        *TaskID // of a fetch, that they belong to
	Principal   string  // who uploads them
	Hash        string
	Free        bool      // only those that belong to no invocation
	Before      time.Time // not changed since
	Limit       int       // 0 for all
}

// Parcels keeps what is known about large files; their chunks are blobs.
type Parcels interface {
	// InsertParcel stores a new one; ErrTaken if its task has one of the same File already.
	InsertParcel(ctx context.Context, p Parcel) error
	Parcel(ctx context.Context, id ID) (Parcel, error)
	// ChangeParcel reads a parcel, lets change decide and writes or, where it does not want to keep it, deletes it, in one transaction. ErrTaken
	// as with InsertParcel.
	ChangeParcel(ctx context.Context, id ID, change func(*Parcel) (keep bool, err error)) error
	// ListParcels lists them by invocation, index, file and id.
	ListParcels(ctx context.Context, f ParcelFilter) ([]Parcel, error)
	// ParcelBytes adds up the sizes of all parcels of all accounts.
	ParcelBytes(ctx context.Context) (int64, error)
}

// Blobs keeps long output outside the rows. Keys are made of [a-z0-9/].
type Blobs interface {
	// Put stores data durably before it returns; storing the same key again replaces it.
	Put(ctx context.Context, key string, data []byte) error
	Get(ctx context.Context, key string) ([]byte, error)
	// DeleteAll removes every blob whose key begins with prefix.
	DeleteAll(ctx context.Context, prefix string) error
}
