package core

import (
	"path"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// ChunkSize is how many bytes of a file travel and are kept together; the last chunk of a file has what is left.
const ChunkSize = 1 << 20

// TransferLimits bound the files that lie at the server; zero fields have defaults.
type TransferLimits struct {
	File  int64 // bytes in one file
	Total int64 // bytes in all files of all accounts
}

// The defaults of TransferLimits.
const (
	DefaultMaxFile  = 16 << 30
	DefaultMaxTotal = 256 << 30
)

func (l TransferLimits) withDefaults() TransferLimits {
	if l.File <= 0 {
		l.File = DefaultMaxFile
	}
	if l.Total <= 0 {
		l.Total = DefaultMaxTotal
	}
	return l
}

// Transfer is what a KindPush or KindFetch moves: a file that was uploaded before to nodes, or files of nodes to the server. Between the server
// and its callers and nodes, files lie as parcels.
type Transfer struct {
	Parcel ID    // pushed
	To     *File // where it goes; nil for a fetch
	Size   int64 // of the parcel
	Hash   string

	Paths  []string // fetched: absolute names of regular files
	Follow bool     // a path may end in a symbolic link
	Most   int64    // bytes that one of the files may have
}

// Bounds on what is asked of one transfer.
const (
	maxFetched         = 100  // paths
	maxPath            = 4096 // bytes, as Linux has it
	transferTimeout    = 24 * time.Hour
	maxTransferTimeout = 7 * 24 * time.Hour
)

// checkTransfer applies the limits to a transfer and fills its defaults. The parcel of a push has been looked up.
func (v *Invocation) checkTransfer(l TransferLimits) error {
	t := *v.Transfer
	v.Transfer, v.Kind, v.Repeat = &t, KindFetch, Once
	if v.Timeout == 0 {
		v.Timeout = transferTimeout
	}
	if v.Timeout < time.Second || v.Timeout > maxTransferTimeout {
		return invalid(ReasonTimeoutRange, "timeout", "%v is outside %v to %v", v.Timeout, time.Second, maxTransferTimeout)
	}
	if t.To == nil {
		return t.checkFetch(l)
	}
	v.Kind, v.Name = KindPush, t.To.Name
	to := *t.To
	v.Transfer.To = &to
	switch {
	case t.Parcel == 0:
		return invalid(ReasonMissing, "transfer", "empty")
	case to.Name == "" || len(to.Name) > maxFileName || strings.ContainsAny(to.Name, "/\x00") || to.Name == "." || to.Name == "..":
		return invalid(ReasonNameInvalid, "name", "%q is not the name of a file", to.Name)
	}
	if err := checkPath("dir", to.Dir); err != nil {
		return err
	}
	if err := to.checkAccess(); err != nil {
		return err
	}
	if to.Mode == "" {
		v.Transfer.To.Mode = defaultMode
	}
	return nil
}

func (t *Transfer) checkFetch(l TransferLimits) error {
	switch {
	case len(t.Paths) == 0:
		return invalid(ReasonMissing, "paths", "none")
	case len(t.Paths) > maxFetched:
		return limited(ReasonTooLong, "paths", "more than %d", maxFetched)
	case t.Most < 0:
		return invalid(ReasonTooSmall, "max_bytes", "%d", t.Most)
	}
	for i, p := range t.Paths {
		if err := checkPath("paths", p); err != nil {
			return err
		}
		if slices.Contains(t.Paths[:i], p) {
			return invalid(ReasonInvalidValue, "paths", "%q is named twice", p)
		}
	}
	if t.Most == 0 || t.Most > l.File {
		t.Most = l.File
	}
	return nil
}

// checkPath accepts absolute paths of Unix and Windows without a way up. What they lead to is for the node to judge.
func checkPath(field, p string) error {
	slashed := strings.ReplaceAll(p, `\`, "/")
	drive := len(slashed) > 2 && slashed[1] == ':' && slashed[2] == '/'
	switch {
	case p == "":
		return invalid(ReasonMissing, field, "empty")
	case len(p) > maxPath || !utf8.ValidString(p) || strings.ContainsRune(p, 0):
		return invalid(ReasonFileDirInvalid, field, "more than %d bytes, or not text", maxPath)
	case !path.IsAbs(p) && !drive:
		return invalid(ReasonFileDirInvalid, field, "%q is not absolute", p)
	case slices.Contains(strings.Split(slashed, "/"), ".."):
		return invalid(ReasonFileDirInvalid, field, "%q has a way up in it", p)
	}
	return nil
}
