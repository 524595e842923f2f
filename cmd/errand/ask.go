package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// onTerminalIn reports whether somebody types what a reader reads.
func onTerminalIn(r io.Reader) bool {
	f, ok := r.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// readSecret reads one line from standard input: from a terminal after it was asked for, and without showing it.
func readSecret(cmd *cobra.Command) (string, error) {
	in := cmd.InOrStdin()
	if !onTerminalIn(in) {
		line, err := bufio.NewReader(io.LimitReader(in, 1<<12)).ReadString('\n')
		return strings.TrimSpace(line), err
	}
	if _, err := fmt.Fprint(cmd.ErrOrStderr(), "Secret: "); err != nil {
		return "", err
	}
	line, err := term.ReadPassword(int(in.(*os.File).Fd()))
	fmt.Fprintln(cmd.ErrOrStderr()) // the line feed that was typed was not shown either
	return strings.TrimSpace(string(line)), err
}

// ask asks a question that is answered by yes or no.
func ask(cmd *cobra.Command, question string) (bool, error) {
	fmt.Fprint(cmd.ErrOrStderr(), question)
	answer, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
	if err != nil && answer == "" {
		return false, nil //nolint:nilerr // who closes the terminal has not agreed
	}
	answer = strings.ToLower(strings.TrimSpace(answer))
	return answer == "y" || answer == "yes", nil
}
