package agent

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"errand/internal/protocol"
)

// Fingerprint returns hashes of what tells this machine from others: the installation, the hardware and the disk it started from. Any of
// them may be unknown, or change with an upgrade, so it is a hint for the server and never the identity. Nothing can be learnt from it.
func Fingerprint() string {
	parts := [...]string{installationID(), hardwareID(), diskID()}
	for i, p := range parts {
		if p == "" {
			continue
		}
		sum := sha256.Sum256([]byte("errand fingerprint " + p))
		parts[i] = hex.EncodeToString(sum[:8])
	}
	return strings.Join(parts[:], protocol.MachineSeparator)
}
