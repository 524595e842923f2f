package protocol

import (
	"strconv"
	"strings"
)

// Transfer is a large file that a node gets, or files that it gives. The order comes over the bus like every other; the bytes travel over HTTPS,
// in chunks, each asked for or sent by the node with a proof (see ProofScheme), so that a broken connection costs one chunk:
//
//	GET  CHUNK        a chunk of the file that is pushed, with its SHA-256 in ChunkHashHeader
//	PUT  FILE         an Offer: answered with a Held, from where on the server wants the file; 409 if it is not the file it was
//	PUT  FILE/CHUNK   a chunk of at most ChunkSize bytes, whose SHA-256 is the body's of the proof: answered with a Held
//	POST FILE/seal    a Seal when all chunks are there: 409 if they are not what the node read
//
// CHUNK is ChunkPath, FILE is FilePath. A server answers 404 for what is not, or no longer, a task of the node that asks; 413 for a file that is too
// large or for which it has no room; and 429 or 503 with Retry-After when it is busy.
type Transfer struct {
	// Of a push:
	To   *File  // where the file goes; nil for a fetch
	Size uint64 // bytes
	Hash string // SHA-256 of the whole, in hexadecimal

	// Of a fetch:
	Paths  []string // absolute
	Follow bool     // a path may end in a symbolic link
	Most   uint64   // bytes that a file may have
}

// ChunkSize is how many bytes a chunk has; the last one of a file has what is left.
const ChunkSize = 1 << 20

// maxPaths bounds the list in a Transfer.
const maxPaths = 1000

// TransferPath begins the paths of everything about files that tasks move.
const TransferPath = "/agent/transfers/"

// ChunkHashHeader carries the SHA-256 of a chunk, in hexadecimal.
const ChunkHashHeader = "Errand-Chunk-Sha256"

// MaxOffer is the largest Offer or Seal in bytes that is read.
const MaxOffer = 16 << 10

// Offer is a file that a node is about to send.
type Offer struct {
	Size int64 `json:"size"`
	// Stamp changes when the file does, as far as can be seen without reading it.
	Stamp string `json:"stamp"`
}

// Held is how much of a file is at the server.
type Held struct {
	Have int64 `json:"have"` // bytes; a whole number of chunks, or all
}

// Seal ends a file that a node sent.
type Seal struct {
	Hash string `json:"sha256"`
}

// TransferTask is the part of the path that names a task.
func TransferTask(t Task) string {
	return TransferPath + strconv.FormatUint(t.Invocation, 10) + "/" + strconv.FormatUint(uint64(t.Index), 10)
}

// ChunkPath is where a node gets a chunk of the file that a task pushes.
func ChunkPath(t Task, chunk int64) string {
	return TransferTask(t) + "/chunks/" + strconv.FormatInt(chunk, 10)
}

// FilePath is where a node sends one of the files that a task fetches.
func FilePath(t Task, file int) string {
	return TransferTask(t) + "/files/" + strconv.Itoa(file)
}

// ParseTask reads the two numbers that name a task in a path.
func ParseTask(invocation, index string) (t Task, ok bool) {
	n, err := strconv.ParseUint(invocation, 10, 63)
	i, ierr := strconv.ParseUint(index, 10, 24)
	t = Task{Invocation: n, Index: uint32(i)}
	return t, err == nil && ierr == nil && strings.HasSuffix(TransferTask(t), "/"+invocation+"/"+index)
}
