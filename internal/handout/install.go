package handout

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// Install is the line to run on a machine that shall become a node.
type Install struct {
	Server   string // https://HOST[:PORT]
	ID, Code string
	Tags     []string // KEY=VALUE
	CA       []byte   // PEM of what the machine does not trust by itself; nil for none
	Wget     bool     // for machines without curl
}

// String is the line. printf is a part of every shell and the settings go through a pipe, so that neither the list of processes nor an
// environment that others may see has the code; and sudo, which keeps no variables, needs no persuasion. A script that cannot be fetched whole
// becomes a failure of the line.
func (l Install) String() string {
	settings := "export ERRAND_SERVER=" + ShellWord(l.Server) + " ERRAND_ACTIVATION_ID=" + ShellWord(l.ID) + " ERRAND_ACTIVATION_CODE=" + ShellWord(l.Code)
	if len(l.Tags) > 0 {
		settings += " ERRAND_TAG=" + ShellWord(strings.Join(l.Tags, ","))
	}
	script := ShellWord(l.Server + "/agent/install.sh")
	fetch, trust := "curl -fsSL ", "--cacert "
	if l.Wget {
		fetch, trust = "wget -qO- ", "--ca-certificate="
	}
	if l.CA == nil {
		return fmt.Sprintf("(printf '%%s\\n' %s; %s%s || echo exit 1) | $(command -v sudo) sh", ShellWord(settings), fetch, script)
	}
	encoded := base64.StdEncoding.EncodeToString(l.CA)
	settings += " ERRAND_CA=" + encoded
	return fmt.Sprintf(`(ca=$(mktemp) && echo %s | base64 -d >"$ca"; printf '%%s\n' %s; %s%s"$ca" %s || echo exit 1; rm -f "$ca") | $(command -v sudo) sh`,
		encoded, ShellWord(settings), fetch, trust, script)
}

// ShellWord is a text as one word of the shell, in quotes if it needs them.
func ShellWord(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:=,@%+", r)
	}
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !plain(r) }) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
