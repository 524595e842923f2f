// Package web makes the console's browser programs and stylesheets out of the sources in src: TypeScript and CSS, with the programs of others from
// third_party. The results are committed under internal/console/static, so that building Errand takes Go alone; a test makes them again in
// memory and compares. Nothing of this package gets into the product.
package web

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

//go:generate go run ./generate

// entries are the programs and stylesheets that pages load, each with the source that it begins with.
func entries() map[string]string {
	return map[string]string{
		"app.js":  "src/app.ts",
		"app.css": "src/app.css",

		"terminal.js":  "src/islands.ts", // of pages with a terminal or a player, besides the others
		"terminal.css": "src/terminal.css",
	}
}

// Bundle makes all files from the sources in dir, by their names below internal/console/static. The same sources give the same bytes.
func Bundle(dir string) (map[string][]byte, error) {
	root, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for name, source := range entries() {
		result := api.Build(api.BuildOptions{
			EntryPoints: []string{filepath.Join(root, source)}, AbsWorkingDir: root, Outfile: filepath.Join(root, name),
			Bundle: true, MinifyWhitespace: true, MinifySyntax: true, MinifyIdentifiers: true, LegalComments: api.LegalCommentsEndOfFile,
			Format: api.FormatIIFE, Target: api.ES2022, Platform: api.PlatformBrowser, Charset: api.CharsetUTF8,
			TsconfigRaw: `{"compilerOptions": {"strict": true, "target": "ES2022", "useDefineForClassFields": true}}`,
		})
		if len(result.Errors) > 0 {
			texts := api.FormatMessages(result.Errors, api.FormatMessagesOptions{Kind: api.ErrorMessage})
			return nil, fmt.Errorf("bundle %s: %s", name, strings.Join(texts, "\n"))
		}
		for _, out := range result.OutputFiles {
			files[name] = out.Contents
		}
	}
	return files, nil
}
