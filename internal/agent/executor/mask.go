package executor

import (
	"bytes"
	"slices"
)

// Masked is what stands in the output in place of a secret.
const Masked = "***"

// MinMasked is the length in bytes from which on a secret is masked. Shorter ones occur by chance, and would spoil outputs that know nothing
// of them.
const MinMasked = 6

// masker replaces secrets in a stream that comes in pieces.
type masker struct {
	secrets [][]byte // longest first
	first   [256]bool
	held    []byte // the end of what came so far, which could be the beginning of a secret
}

// newMasker returns nil if there is nothing to mask.
func newMasker(env map[string]string) *masker {
	m := &masker{}
	for _, value := range env {
		if len(value) >= MinMasked {
			m.secrets = append(m.secrets, []byte(value))
			m.first[value[0]] = true
		}
	}
	if len(m.secrets) == 0 {
		return nil
	}
	slices.SortFunc(m.secrets, func(a, b []byte) int { return len(b) - len(a) })
	return m
}

// feed takes the next piece and returns what can be shown by now.
func (m *masker) feed(b []byte) []byte { return m.pass(b, false) }

// flush returns what is left when nothing follows.
func (m *masker) flush() []byte { return m.pass(nil, true) }

func (m *masker) pass(b []byte, last bool) []byte {
	data := append(m.held, b...)
	m.held = nil
	out := make([]byte, 0, len(data))
	for i := 0; i < len(data); {
		if !m.first[data[i]] {
			out = append(out, data[i])
			i++
			continue
		}
		length, more := m.match(data[i:])
		switch {
		case more && !last:
			m.held = slices.Clone(data[i:])
			return out
		case length > 0:
			out = append(out, Masked...)
			i += length
		default:
			out = append(out, data[i])
			i++
		}
	}
	return out
}

// match returns the length of the longest secret that data begins with, 0 for none, and whether a longer one could be there once more has come.
func (m *masker) match(data []byte) (length int, more bool) {
	for _, secret := range m.secrets {
		switch {
		case len(secret) > len(data):
			more = more || bytes.HasPrefix(secret, data)
		case bytes.HasPrefix(data, secret):
			return len(secret), more
		}
	}
	return 0, more
}
