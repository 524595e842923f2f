package consoletest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"errand/internal/stacktest"
)

// TestStory is a day with the console: sign in, run something, watch it, see what went wrong, repeat it, and go step by step.
func TestStory(t *testing.T) {
	t.Parallel()
	s := stacktest.Start(t)
	for i := range 3 {
		s.AddNode(t, fmt.Sprintf("web-%d", i+1))
	}
	b := open(t, s.URL)
	dir := t.TempDir()
	b.signIn()

	// Compose. The page counts the nodes and says the same for the command line while it is being written.
	b.visit("runs/new")
	b.fill("#f-target", "web-[1-3]")
	b.see("#preview", "3 nodes")
	script := fmt.Sprintf("echo first\nwhile [ ! -e %s/go ]; do sleep 0.05; done\nprintf '\\033[32msecond\\033[0m <b>bold</b>\\n'", dir)
	b.fill("#f-script", script)
	b.see("#snippet-cli", "errand script 'web-[1-3]' -")
	b.see("#preview", "web-[1-3]")
	b.axe("composer, filled in")
	b.click("[data-go]")

	// It runs, and the page follows.
	b.see("#head", "Running")
	b.click(".tabs a[href$='tab=nodes']")
	b.until(`document.querySelectorAll("#tasks tbody tr").length === 3`)
	b.click("#tasks tbody tr a")
	b.see("[data-lines]", "first")
	b.until(`document.body.dataset.connected === ""`)
	write(t, filepath.Join(dir, "go"))
	b.see("[data-lines]", "second <b>bold</b>")
	b.until(`document.querySelector("[data-lines] .a-f2")?.textContent === "second"`)
	b.see("#task", "Succeeded")
	b.until(`!document.querySelector("[data-lines] b")`)
	b.fill(".output-search input[type=search]", "SECOND\r")
	b.see("[data-found]", "1 of 1")
	b.until(`document.querySelector("[data-lines] mark")?.textContent === "second"`)
	b.click(".crumbs a:last-of-type")
	b.see("#head", "Succeeded")
	b.see("#groups", "web-[1-3]")

	// One of them differs.
	b.visit("runs/new?target=all")
	b.fill("#f-script", fmt.Sprintf("echo same\nmkdir %s/first 2>/dev/null && { echo only here; exit 4; }; true", dir))
	b.click("[data-go]")
	b.see("#groups", "exit 4")
	b.click("#groups [data-diff]")
	b.see(".diff", "only here")
	b.axe("diff")
	b.do(chromedp.NavigateBack())
	b.see("#head", "Failed")
	b.click("#head form[action$='/retry'] button")
	b.see("main", "This run repeats the nodes that did not succeed.")
	b.see(".crumbs", "repeats")
	b.see("#head", "1 Succeeded")

	// Step by step.
	b.visit("runs/new?target=all")
	b.fill("#f-script", "true")
	b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("#f-steps").closest("details").open = true`))
	b.fill("#f-steps", "1, 100%")
	b.click("[name=pause_after_step]")
	b.see("#snippet-cli", "--pause-after step")
	b.click("[data-go]")
	b.see("#head", "Paused")
	b.see(".rail", "Step 2 of 2")
	b.see("#head", "1 of 3 released")
	b.axe("a run that is paused")
	b.shot("paused")
	b.click("#head form[action$='/resume'] button")
	b.see("main", "The run goes on.")
	b.see("#head", "3 Succeeded")
	b.until(`!document.querySelector("#head form[action$='/pause'], #head form[action$='/resume']")`)

	// Without a mouse.
	b.keys("g", "r")
	b.until(`location.pathname === "/console/runs" && document.documentElement.classList.contains("js")`)
	b.keys("j", "j")
	b.until(`document.querySelector("tr.on")?.rowIndex === 2`)
	b.keys(kb.Enter)
	b.until(`location.pathname.startsWith("/console/runs/0") && document.documentElement.classList.contains("js")`)
	b.keys("?")
	b.until(`document.getElementById("keys").open`)
	b.axe("the sheet of keys")
	b.keys(kb.Escape)
	b.until(`!document.getElementById("keys").open`)
	b.do(chromedp.KeyEvent("k", chromedp.KeyModifiers(chromedp.ModifierCtrl)))
	b.until(`document.getElementById("palette").open`)
	b.keys("w", "e", "b", "-", "2")
	b.see("#palette-list", "web-2")
	b.axe("the palette")
	b.keys(kb.Enter)
	b.until(`location.pathname === "/console/nodes/web-2"`)
	b.quiet()
}

// keys presses keys one after the other.
func (b *browser) keys(keys ...string) {
	b.tb.Helper()
	for _, key := range keys {
		b.do(chromedp.KeyEvent(key))
	}
}

func write(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestHostile has a node print what would take over a page or a terminal that believed it.
func TestHostile(t *testing.T) {
	t.Parallel()
	s := stacktest.Start(t)
	s.AddNode(t, "evil")
	v := run(t, s, "evil", `printf '<script>document.title="taken"</script><img src=x onerror="document.title=1">\033]0;title\007\033]8;;https://elsewhere.example\033\\link\033]8;;\033\\\033[2J\n'
printf '"><a href=javascript:alert(1)>x</a>\u202etxt\n'`)
	b := open(t, s.URL)
	b.signIn()
	page := "runs/" + v.ID.String()
	for _, path := range []string{"", page, strings.Replace(page, "runs/", "tasks/", 1), page + "?tab=script"} {
		b.visit(path)
		b.until(`document.readyState === "complete"`)
		if strange := ask(b, chromedp.Evaluate[[]string](`[...document.querySelectorAll("main img, main script, main a[href^='http'], main a[href^='javascript']")].map(e => e.outerHTML)`)); len(strange) > 0 {
			t.Errorf("%s: %q", path, strange)
		}
	}
	b.see("main", "printf '<script>")
	b.quiet()
}
