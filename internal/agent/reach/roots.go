package reach

import (
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"sync"
)

// roots are the certificates to trust besides the system's.
type roots struct {
	file string
	log  *slog.Logger

	mu   sync.Mutex
	seen os.FileInfo    // of the file that was looked at last, nil before
	pool *x509.CertPool // nil before the first that could be read
}

// current returns whom to trust now; nil means the system's certificates alone. It looks at the file each time, which costs nothing beside a
// handshake. A file that has become unreadable, or is just being written, leaves in force what was there before.
func (r *roots) current() (*x509.CertPool, error) {
	if r.file == "" {
		return nil, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	info, err := os.Stat(r.file)
	if err == nil && r.pool != nil && unchanged(r.seen, info) {
		return r.pool, nil
	}
	var pool *x509.CertPool
	if err == nil {
		pool, err = readPool(r.file)
	}
	switch {
	case err == nil:
		if r.pool != nil {
			r.log.Info("certificates to trust read again", "file", r.file)
		}
		r.pool = pool
	case r.pool == nil:
		return nil, fmt.Errorf("certificates to trust: %w", err)
	default:
		r.log.Warn("certificates to trust cannot be read, those from before stay in force", "file", r.file, "error", err)
	}
	r.seen = info
	return r.pool, nil
}

func unchanged(before, now os.FileInfo) bool {
	return before != nil && os.SameFile(before, now) && before.Size() == now.Size() && before.ModTime().Equal(now.ModTime())
}

func readPool(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // a machine without any is one where only the private ones count
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("none in %s", file)
	}
	return pool, nil
}
