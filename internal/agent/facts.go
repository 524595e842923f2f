package agent

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"errand/internal/agent/journal"
	"errand/internal/protocol"
)

// maxIPs is how many of a machine's addresses are told.
const maxIPs = 16

// Facts describes this machine, for enrolment and greeting.
func Facts(version string) protocol.EnrollFacts {
	host, _ := os.Hostname() // a machine need not have a name
	h := hardwareOf()
	return protocol.EnrollFacts{
		Hostname: host, OS: runtime.GOOS, OSName: osName(), Kernel: kernel(), Arch: runtime.GOARCH, Agent: version,
		IPs: addresses(), Zone: zone(), BootID: bootID(), Features: features(),
		CPUs: h.cpus, Memory: h.memory, GPUs: h.gpus,
	}
}

// hardware is what a machine is made of, as far as it can be told without effort.
type hardware struct {
	cpus   uint64
	memory uint64   // bytes
	gpus   []string // the model of each
}

// maxGPUs is how many of a machine's GPUs are told.
const maxGPUs = 64

// MachineID returns a value that stays the same as long as the machine is the same installation, or nothing. It does not
// reveal the system's own id, which others may use as a secret.
func MachineID() string {
	id := installationID()
	if id == "" {
		return ""
	}
	sum := sha256.Sum256([]byte("errand machine " + id))
	return hex.EncodeToString(sum[:16])
}

// machineClock reads the wall clock and, where the system has one, the clock that nobody can set.
func machineClock() func() journal.Moment {
	boot := bootID()
	return func() journal.Moment { return journal.Moment{Wall: time.Now(), Boot: boot, Uptime: uptime()} }
}

// newStartID names one run of the agent.
func newStartID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// addresses lists where the machine can be reached, as far as it knows.
func addresses() []string {
	nets, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var ips []string
	for _, n := range nets {
		if n, ok := n.(*net.IPNet); ok && n.IP.IsGlobalUnicast() && len(ips) < maxIPs {
			ips = append(ips, n.IP.String())
		}
	}
	return ips
}

// zone returns the name of the machine's time zone, such as Europe/Berlin, or what the clock calls it.
func zone() string {
	if tz := strings.TrimPrefix(os.Getenv("TZ"), ":"); tz != "" && !filepath.IsAbs(tz) {
		return tz
	}
	if target, err := filepath.EvalSymlinks("/etc/localtime"); err == nil {
		if _, name, ok := strings.Cut(target, "/zoneinfo/"); ok {
			return name
		}
	}
	name, _ := time.Now().Zone()
	return name
}
