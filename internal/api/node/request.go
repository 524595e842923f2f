package node

import (
	"crypto/ed25519"
	"math"
	"net/netip"
	"slices"
	"strings"
	"unicode"

	"errand/internal/core"
	"errand/internal/protocol"
)

// Limits on lists in a request.
const (
	maxIPs      = 64
	maxFeatures = 64
	maxGPUs     = 64
	maxGPU      = 128 // bytes of the name of each
)

// enrolment checks a request and translates it. What the code and the node's own id allow is the core's to decide.
func enrolment(r *protocol.EnrollRequest, source netip.Addr) (core.Enrolment, error) {
	if err := checkTexts(r); err != nil {
		return core.Enrolment{}, err
	}
	code, ok := codeID(r.CodeID)
	if !ok {
		return core.Enrolment{}, malformed("code_id: not the id of a registration code")
	}
	key, err := parsePublicKey(r.PublicKey)
	if err != nil {
		return core.Enrolment{}, err
	}
	if !ed25519.Verify(key, r.SigningText(), r.Signature) {
		return core.Enrolment{}, malformed("signature: not made by the private key of public_key over this request")
	}
	facts, err := readFacts(&r.Facts)
	if err != nil {
		return core.Enrolment{}, err
	}
	e := core.Enrolment{
		Code: code, Secret: r.CodeSecret, PublicKey: r.PublicKey, NodeID: r.NodeID, Name: r.Name, MachineID: r.MachineID,
		Source: source, Facts: facts,
	}
	for _, t := range r.Tags {
		e.Tags = append(e.Tags, core.Tag(t))
	}
	return e, nil
}

// codeID reads the id of a registration code as the vendors' dialects show it: plain, or as a UUID.
func codeID(s string) (core.ID, bool) {
	if id, ok := core.ParseUUID(s); ok {
		return id, true
	}
	return core.ParseID(s)
}

// checkTexts bounds everything that is kept as it comes, in bytes. The node's id, name and tags have limits of their own in the core.
func checkTexts(r *protocol.EnrollRequest) error {
	f := &r.Facts
	for _, t := range []struct {
		name, value string
		required    bool
		most        int
	}{
		{"code_id", r.CodeID, true, 64},
		{"code_secret", r.CodeSecret, true, 256},
		{"public_key", r.PublicKey, true, 64},
		{"machine_id", r.MachineID, false, 128},
		{"facts.hostname", f.Hostname, true, 253},
		{"facts.os", f.OS, true, 32},
		{"facts.os_name", f.OSName, false, 256},
		{"facts.kernel", f.Kernel, false, 256},
		{"facts.arch", f.Arch, true, 32},
		{"facts.agent", f.Agent, true, 64},
		{"facts.zone", f.Zone, false, 64},
		{"facts.boot_id", f.BootID, false, 64},
	} {
		switch {
		case t.required && t.value == "":
			return malformed("%s: required", t.name)
		case len(t.value) > t.most:
			return malformed("%s: more than %d bytes", t.name, t.most)
		case strings.ContainsFunc(t.value, unicode.IsControl):
			return malformed("%s: control characters", t.name)
		}
	}
	for _, s := range f.Features {
		if s == "" || len(s) > 32 || strings.ContainsFunc(s, unicode.IsControl) {
			return malformed("facts.features: each has 1 to 32 printable bytes")
		}
	}
	for _, s := range f.GPUs {
		if s == "" || len(s) > maxGPU || strings.ContainsFunc(s, unicode.IsControl) {
			return malformed("facts.gpus: each has 1 to %d printable bytes", maxGPU)
		}
	}
	switch {
	case len(f.GPUs) > maxGPUs:
		return malformed("facts.gpus: more than %d", maxGPUs)
	case len(f.Features) > maxFeatures:
		return malformed("facts.features: more than %d", maxFeatures)
	case len(f.IPs) > maxIPs:
		return malformed("facts.ips: more than %d", maxIPs)
	}
	return nil
}

func readFacts(f *protocol.EnrollFacts) (core.Facts, error) {
	platform := core.Platform(f.OS)
	if !slices.Contains([]core.Platform{core.Linux, core.Windows, core.Darwin, core.FreeBSD}, platform) {
		return core.Facts{}, malformed("facts.os: no agent runs on %q", f.OS)
	}
	facts := core.Facts{
		Hostname: f.Hostname, OSName: f.OSName, Kernel: f.Kernel, Arch: f.Arch, BootID: f.BootID, Zone: f.Zone, Agent: f.Agent,
		Platform: platform, Features: f.Features, CPUs: int(min(f.CPUs, math.MaxInt32)), Memory: int64(min(f.Memory, math.MaxInt64)), GPUs: f.GPUs,
	}
	for _, s := range f.IPs {
		addr, err := netip.ParseAddr(s)
		if err != nil {
			return core.Facts{}, malformed("facts.ips: %q is not an address", s)
		}
		if facts.PrivateIP == "" { // the agent lists the address it goes out by first
			facts.PrivateIP = addr.String()
		}
	}
	return facts, nil
}
