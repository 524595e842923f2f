// Command generate writes the console's bundles to where they are committed. It runs in the folder web, as go generate does it.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"errand/web"
)

func main() {
	if err := run("../internal/console/static"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(into string) error {
	files, err := web.Bundle(".")
	if err != nil {
		return err
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(into, name), content, 0o644); err != nil { //nolint:gosec // served to everybody
			return err
		}
	}
	return nil
}
