package protocol

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
)

// ProofScheme begins the Authorization header of a request that a node proves with its own key:
//
//	Authorization: Errand-Node key=U…, time=1795325864, nonce=…, body=…, signature=…
//
// The members come in this order, each once. What is signed names the method, the path with its query, and the body, so a proof is good
// for one request only. It names no host, since a server may be reached under many names, and its time is not compared with any clock: TLS
// keeps others from reading it, and whoever repeats a request gets what its repetition gives, so what is asked this way must be idempotent.
const ProofScheme = "Errand-Node"

// MaxProof is the length in bytes of the longest header that is read.
const MaxProof = 512

// StreamedBody stands for the hash of a body that is checked piece by piece, or not at all, by what is inside it.
const StreamedBody = "streamed"

// proofNonce is how many random bytes make two proofs of the same request different.
const proofNonce = 16

// Lengths of an ed25519 signature in bytes and of an nkey in characters.
const (
	signatureSize = 64
	publicKeySize = 56
)

// Proof is what a node says about itself and its request.
type Proof struct {
	PublicKey string           // the nkey of a user: "U" and 55 characters of base32
	Time      int64            // seconds since 1970 by the node's clock; only makes proofs differ
	Nonce     [proofNonce]byte // random
	Body      string           // BodyHash of the body, or StreamedBody
	Signature []byte           // ed25519 over SigningText
}

// BodyHash is the form in which a proof names a body: its SHA-256 in hexadecimal. A request without a body has the hash of nothing.
func BodyHash(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// SigningText is what the node signs. The target is the path with its query as the server sees them, without what stands before /agent/ in
// the server's address.
func (p *Proof) SigningText(method, target string) []byte {
	return []byte(strings.Join([]string{
		"errand-node-1", method, target, p.Body, p.PublicKey, strconv.FormatInt(p.Time, 10), proofEncoding().EncodeToString(p.Nonce[:]),
	}, "\n"))
}

// Header is the value of the Authorization header.
func (p *Proof) Header() string {
	return ProofScheme + " key=" + p.PublicKey + ", time=" + strconv.FormatInt(p.Time, 10) +
		", nonce=" + proofEncoding().EncodeToString(p.Nonce[:]) + ", body=" + p.Body +
		", signature=" + proofEncoding().EncodeToString(p.Signature)
}

// ErrProof means that a header is not the proof of a node.
var ErrProof = errors.New("not the proof of a node")

// ParseProof reads a header as Header writes it, and nothing else: there is one way to write each proof.
func ParseProof(header string) (Proof, error) {
	if len(header) > MaxProof {
		return Proof{}, ErrProof
	}
	rest, ok := strings.CutPrefix(header, ProofScheme+" ")
	parts := strings.Split(rest, ", ")
	names := [...]string{"key=", "time=", "nonce=", "body=", "signature="}
	if !ok || len(parts) != len(names) {
		return Proof{}, ErrProof
	}
	for i, name := range names {
		if parts[i], ok = strings.CutPrefix(parts[i], name); !ok {
			return Proof{}, ErrProof
		}
	}
	at, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil {
		return Proof{}, ErrProof
	}
	p := Proof{PublicKey: parts[0], Time: at, Body: parts[3]}
	nonce, err := proofEncoding().DecodeString(parts[2])
	if err != nil || len(nonce) != proofNonce {
		return Proof{}, ErrProof
	}
	copy(p.Nonce[:], nonce)
	p.Signature, err = proofEncoding().DecodeString(parts[4])
	if err != nil || len(p.Signature) != signatureSize || !validKey(p.PublicKey) || !validBody(p.Body) || p.Header() != header {
		return Proof{}, ErrProof
	}
	return p, nil
}

// validKey looks at the letters only; whoever verifies the signature looks at the rest.
func validKey(key string) bool {
	return len(key) == publicKeySize && strings.Trim(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == ""
}

func validBody(body string) bool {
	return body == StreamedBody || len(body) == hex.EncodedLen(sha256.Size) && strings.Trim(body, "0123456789abcdef") == ""
}

func proofEncoding() *base64.Encoding { return base64.RawURLEncoding }
