package core

import (
	"context"
	"time"
)

// RootAccount is the operator's account, made on the first start. Its callers alone manage other accounts and what those may use.
const RootAccount = AccountID(1000000000000001)

// RootUser is the principal of an account that may do everything in it. No user can have this name.
const RootUser = "root"

// UserKind is what a principal besides root is.
type UserKind string

// The kinds of users.
const (
	UserPerson UserKind = "user" // a person or a program with access keys of its own
	UserRole   UserKind = "role" // has no keys; others act as it for a while
)

// User is a principal of an account. It may do what the policies attached to it allow, and nothing besides.
type User struct {
	Account     AccountID
	Name        string
	Kind        UserKind
	Description string
	Disabled    bool // its keys, and those issued for it, are refused
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// Policy is a document of rights that can be attached to the users of an account.
type Policy struct {
	Account     AccountID
	Name        string
	Description string
	Document    string // JSON, as it was given
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// Grant is what decides about a principal, in one reading.
type Grant struct {
	Suspended bool     // the account or the user is disabled
	Stored    []Policy // attached policies of the account; Name and Document only
	Builtin   []string // names of the other attached policies
}

// KeyFilter selects access keys; zero fields select all.
type KeyFilter struct {
	Account   AccountID
	Principal string
	Kind      KeyKind
}

// AuditRecord says who did what. It is kept for every call that changes something, whether it succeeded or was refused.
type AuditRecord struct {
	ID        int64 // given by the store, in order of writing
	Account   AccountID
	At        time.Time
	Principal string
	KeyID     string
	Dialect   string
	Action    string
	RequestID string
	Source    string   // network address
	UserAgent string   // as the client calls itself
	Resources []string // what the call was about, such as node/web1
	Code      string   // the error code of the answer, in the dialect's words; empty on success
}

// AuditFilter selects audit records; zero fields select all.
type AuditFilter struct {
	Account   AccountID
	Principal string
	KeyID     string
	Action    string
	Resource  string // exactly one of a record's resources
	Since     time.Time
	Until     time.Time
}

// Access keeps who may do what.
type Access interface {
	// ChangeAccount reads an account, lets change decide and writes what it changed, in one transaction.
	ChangeAccount(ctx context.Context, id AccountID, change func(*Account) error) error

	// ListKeys returns access keys, by id.
	ListKeys(ctx context.Context, f KeyFilter) ([]AccessKey, error)
	// ChangeKey reads a key of an account, lets change decide and writes it, or deletes it if change does not want to keep it. others is
	// how many more keys of this principal and kind are not disabled.
	ChangeKey(ctx context.Context, account AccountID, id string, change func(k *AccessKey, others int) (keep bool, err error)) error
	// SetKeysUsed writes when keys were last used, never backwards. Keys that are gone are passed over.
	SetKeysUsed(ctx context.Context, used map[string]time.Time) error
	// DeleteExpiredKeys deletes temporary keys and logins that expired before a time, at most most of them, and returns how many.
	DeleteExpiredKeys(ctx context.Context, before time.Time, most int) (int, error)

	InsertUser(ctx context.Context, u User) error
	User(ctx context.Context, account AccountID, name string) (User, error)
	// ListUsers returns the users of an account, by name.
	ListUsers(ctx context.Context, account AccountID) ([]User, error)
	ChangeUser(ctx context.Context, account AccountID, name string, change func(*User) error) error
	// DeleteUser deletes a user with its keys and attachments.
	DeleteUser(ctx context.Context, account AccountID, name string) error

	// PutPolicy stores a policy or replaces the one of this name, whose time of creation stays.
	PutPolicy(ctx context.Context, p Policy) error
	Policy(ctx context.Context, account AccountID, name string) (Policy, error)
	// ListPolicies returns the policies of an account, by name.
	ListPolicies(ctx context.Context, account AccountID) ([]Policy, error)
	// DeletePolicy deletes a policy. check is called with the users that have it, inside the transaction, and may refuse.
	DeletePolicy(ctx context.Context, account AccountID, name string, check func(users []string) error) error
	// Attach gives a user a policy, of the account (stored) or one that comes with the program; again is no error. ErrNotFound if the
	// user or a stored policy is not there.
	Attach(ctx context.Context, account AccountID, user, policy string, stored bool) error
	// Detach takes a policy from a user; ErrNotFound if the user does not have it.
	Detach(ctx context.Context, account AccountID, user, policy string) error
	// Attached returns the names of a user's policies, in order.
	Attached(ctx context.Context, account AccountID, user string) ([]string, error)
	// Grant returns what decides about a principal. ErrNotFound if there is no such account or user; of RootUser there is no row.
	Grant(ctx context.Context, account AccountID, principal string) (Grant, error)

	// SetQuota sets one of an account's quotas, or that of all accounts which have none of their own (account 0).
	SetQuota(ctx context.Context, account AccountID, name string, most int64) error
	// DeleteQuota removes it; removing what is not there is no error.
	DeleteQuota(ctx context.Context, account AccountID, name string) error
	// Quotas returns the quotas set for exactly this account, by name.
	Quotas(ctx context.Context, account AccountID) (map[string]int64, error)
	// CountInvocations counts the invocations of an account whose id is since or greater.
	CountInvocations(ctx context.Context, account AccountID, since ID) (int, error)

	InsertAudit(ctx context.Context, records []AuditRecord) error
	// ListAudit orders by ID descending (Cursor.A) and counts nothing.
	ListAudit(ctx context.Context, f AuditFilter, p Page) ([]AuditRecord, error)
	// DeleteAudit looks at the oldest records of an account, at most most of them, deletes those that are older than before and returns
	// how many.
	DeleteAudit(ctx context.Context, account AccountID, before time.Time, most int) (int, error)
}
