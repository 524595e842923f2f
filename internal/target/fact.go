package target

import (
	"slices"
	"strings"
)

// Fact is something known about a node besides its tags.
type Fact string

// The facts.
const (
	ID        Fact = "id"
	Name      Fact = "name"
	Hostname  Fact = "hostname"
	Platform  Fact = "platform"
	OS        Fact = "os"
	Kernel    Fact = "kernel"
	Arch      Fact = "arch"
	Agent     Fact = "agent"
	Zone      Fact = "timezone"
	IP        Fact = "ip"
	PrivateIP Fact = "private_ip"
	PublicIP  Fact = "public_ip"
	RGroup    Fact = "group"
	Feature   Fact = "feature"
	GPU       Fact = "gpu"
	CPUs      Fact = "cpus"
	MemGiB    Fact = "mem_gib"
	GPUs      Fact = "gpus"
)

// Kind is what a fact's values are.
type Kind int

// The kinds.
const (
	Text   Kind = iota // one text, empty if it is not known
	Texts              // any number of texts
	Number             // one number, or none if it is not known
)

// FactInfo describes a fact.
type FactInfo struct {
	Name    Fact
	Kind    Kind
	About   string
	Similar []string // what people might write instead
}

// Facts lists all facts, in the order in which pages show them.
func Facts() []FactInfo {
	return []FactInfo{
		{ID, Text, "the node's id", nil},
		{Name, Text, "its name", nil},
		{Hostname, Text, "what the machine calls itself", []string{"host"}},
		{Platform, Text, "linux, windows, darwin or freebsd", nil},
		{OS, Text, "the operating system, such as Debian GNU/Linux 12 (bookworm)", []string{"os_name", "distro"}},
		{Kernel, Text, "the kernel's release", []string{"kernel_version"}},
		{Arch, Text, "amd64, arm64 and so on", []string{"architecture", "cpu_arch"}},
		{Agent, Text, "version of the agent", []string{"agent_version", "version"}},
		{Zone, Text, "the machine's time zone, such as Europe/Berlin", []string{"time_zone", "tz"}},
		{IP, Texts, "any of its addresses", []string{"address", "addr"}},
		{PrivateIP, Text, "the address that the machine knows", nil},
		{PublicIP, Text, "the address that it connects from", nil},
		{RGroup, Text, "the resource group of the vendors' APIs", []string{"resource_group"}},
		{Feature, Texts, "what the agent can do", []string{"features"}},
		{GPU, Texts, "the models of its GPUs", []string{"gpu_model"}},
		{CPUs, Number, "how many processors it has", []string{"cpu", "cores", "vcpus"}},
		{MemGiB, Number, "its memory in GiB", []string{"mem", "memory", "mem_gb", "memory_gib", "ram"}},
		{GPUs, Number, "how many GPUs it has", []string{"gpu_count"}},
	}
}

var facts = Facts()

// Kind is what the fact's values are.
func (f Fact) Kind() Kind {
	i := slices.IndexFunc(facts, func(i FactInfo) bool { return i.Name == f })
	if i < 0 {
		return Text
	}
	return facts[i].Kind
}

func isFact(name string) bool {
	return slices.ContainsFunc(facts, func(i FactInfo) bool { return string(i.Name) == name })
}

// nearFact is the fact that somebody may have meant who wrote this name, or nothing. Where a tag may have been meant as well, only a slip in a
// long name counts.
func nearFact(name string, orTag bool) Fact {
	for _, i := range facts {
		if !orTag && slices.Contains(i.Similar, name) {
			return i.Name
		}
	}
	for _, i := range facts {
		if near(name, string(i.Name)) && (!orTag || len(name) >= 5) {
			return i.Name
		}
	}
	return ""
}

// near reports whether two different words are one slip apart: a character too many, too few, another one, or two of them swapped.
func near(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	if a == b || len(b)-len(a) > 1 || len(b) < 3 {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	if len(a) < len(b) {
		return a[i:] == b[i+1:]
	}
	return a[i+1:] == b[i+1:] || i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
}

// Nearest is the first of some words that is one slip away from a word, or nothing.
func Nearest(word string, words []string) string {
	for _, w := range words {
		if near(word, w) {
			return w
		}
	}
	return ""
}

// The words that mean something where a name could stand.
var keywords = []string{"all", "online", "offline", "cordoned", "and", "or", "not", "in"}

// reserved reports whether a name has to be quoted to be one.
func reserved(name string) bool {
	return slices.Contains(keywords, name) || strings.HasPrefix(name, "tag.") || strings.HasPrefix(name, "fact.")
}
