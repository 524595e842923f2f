package main

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// installLine is the line to run on a machine that shall become a node.
type installLine struct {
	server, id, code string
	tags             []string
	ca               []byte // PEM
	wget             bool
}

// String is the line. printf is a part of every shell and the settings go through a pipe, so that neither the list of processes nor an
// environment that others may see has the code; and sudo, which keeps no variables, needs no persuasion. A script that cannot be fetched whole
// becomes a failure of the line.
func (l installLine) String() string {
	settings := "export ERRAND_SERVER=" + shellWord(l.server) + " ERRAND_ACTIVATION_ID=" + shellWord(l.id) + " ERRAND_ACTIVATION_CODE=" + shellWord(l.code)
	if len(l.tags) > 0 {
		settings += " ERRAND_TAG=" + shellWord(strings.Join(l.tags, ","))
	}
	script := shellWord(l.server + "/agent/install.sh")
	fetch, trust := "curl -fsSL ", "--cacert "
	if l.wget {
		fetch, trust = "wget -qO- ", "--ca-certificate="
	}
	if l.ca == nil {
		return fmt.Sprintf("(printf '%%s\\n' %s; %s%s || echo exit 1) | $(command -v sudo) sh", shellWord(settings), fetch, script)
	}
	encoded := base64.StdEncoding.EncodeToString(l.ca)
	settings += " ERRAND_CA=" + encoded
	return fmt.Sprintf(`(ca=$(mktemp) && echo %s | base64 -d >"$ca"; printf '%%s\n' %s; %s%s"$ca" %s || echo exit 1; rm -f "$ca") | $(command -v sudo) sh`,
		encoded, shellWord(settings), fetch, trust, script)
}

// shellWord is a text as one word of the shell, in quotes if it needs them.
func shellWord(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:=,@%+", r)
	}
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !plain(r) }) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
