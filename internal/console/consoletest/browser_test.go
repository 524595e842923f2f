package consoletest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"errand/internal/stacktest"
)

func TestMain(m *testing.M) { stacktest.Main(m) }

// patience is how long a page may take for what takes milliseconds on an idle machine.
const patience = 30 * time.Second

// browser is a tab of a real browser that looks at a server.
type browser struct {
	tb   testing.TB
	ctx  context.Context
	base string

	mu   sync.Mutex
	said []string // what the browser complained about
}

// open starts a browser with one tab.
func open(tb testing.TB, base string) *browser {
	tb.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.NoSandbox, // tests run as root in containers
		chromedp.WindowSize(1280, 800),
		chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("force-prefers-reduced-motion", true),
		chromedp.Flag("font-render-hinting", "none"),
		chromedp.Flag("lang", "en"),
	)
	ctx, cancel := chromedp.NewExecAllocator(context.WithoutCancel(tb.Context()), options...)
	tb.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	tb.Cleanup(cancel)
	b := &browser{tb: tb, ctx: ctx, base: base}
	said := chromedp.Console(ctx)
	listening := sync.WaitGroup{}
	listening.Go(func() {
		for m, err := range said {
			if err != nil {
				return
			}
			b.hear(m)
		}
	})
	tb.Cleanup(func() { cancel(); listening.Wait() })
	return b
}

// hear notes errors of scripts and violations of the content security policy: no page may have any.
func (b *browser) hear(m chromedp.ConsoleMessage) {
	bad := m.IsException() || m.Type == "error"
	if !bad || strings.Contains(m.Text, "the server responded with a status of") {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.said = append(b.said, m.String()+" "+m.URL)
}

// quiet fails the test if the browser complained.
func (b *browser) quiet() {
	b.tb.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, text := range b.said {
		b.tb.Errorf("the browser says: %s", text)
	}
	b.said = nil
}

// step is something that a tab does.
type step = chromedp.Action[chromedp.Void]

// do carries out steps, all of them within patience.
func (b *browser) do(steps ...step) {
	b.tb.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		where, _ := chromedp.Run(b.ctx, chromedp.Location())
		b.shot("failed")
		b.tb.Fatalf("at %s: %v", where, err)
	}
}

// ask runs one step and returns what it says.
func ask[T any](b *browser, a chromedp.Action[T]) T {
	b.tb.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, a)
	if err != nil {
		b.tb.Fatal(err)
	}
	return v
}

// visit goes to a page of the console.
func (b *browser) visit(path string) {
	b.tb.Helper()
	b.do(chromedp.Navigate(b.base+"/console/"+path), chromedp.WaitReady(chromedp.CSS("#main")))
}

// see waits until a text can be read in an element.
func (b *browser) see(selector, text string) {
	b.tb.Helper()
	b.until(fmt.Sprintf(`[...document.querySelectorAll(%q)].some(e => e.checkVisibility() && (e.innerText + " " + (e.value ?? "")).replace(/\s+/g, " ").includes(%q))`, selector, text))
}

// until waits until an expression is true in the page, or in the one that follows it.
func (b *browser) until(expression string) {
	b.tb.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	tick := time.NewTicker(30 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool](expression))
		switch {
		case err == nil && ok:
			return
		case err != nil && ctx.Err() == nil:
			last = err // between two pages there is none to ask
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			text, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string](`document.querySelector("main")?.innerText`))
			b.shot("failed")
			b.quiet()
			b.tb.Fatalf("%s never came (%v); the page says:\n%s", expression, last, text)
		}
	}
}

// click presses a button or a link, by selector.
func (b *browser) click(selector string) {
	b.tb.Helper()
	b.do(chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
}

// fill writes into a field what stands there afterwards.
func (b *browser) fill(selector, text string) {
	b.tb.Helper()
	b.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`document.querySelector(%q).value = ""`, selector)), chromedp.SendKeys(chromedp.CSS(selector), text))
}

// signIn signs in with the key of the stack.
func (b *browser) signIn() {
	b.tb.Helper()
	b.visit("login")
	b.fill("#f-key", stacktest.KeyID)
	b.fill("#f-secret", stacktest.Secret)
	b.do(chromedp.Submit(chromedp.CSS("#f-secret")), chromedp.WaitReady(chromedp.CSS("header.side")))
}

// size sets the width of the window, and what the system prefers.
func (b *browser) size(width, height int64, scheme string) {
	b.tb.Helper()
	b.do(chromedp.EmulateViewport(width, height))
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	if err != nil {
		b.tb.Fatal(err)
	}
}

// shotsEnv names the folder that pictures of pages are written to; without it there are none.
const shotsEnv = "ERRAND_SCREENSHOTS"

// shot takes a picture of the window.
func (b *browser) shot(name string) {
	b.tb.Helper()
	dir := os.Getenv(shotsEnv)
	if dir == "" {
		return
	}
	png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.tb.Logf("no picture: %v", err)
		return
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600); err != nil {
		b.tb.Fatal(err)
	}
}

// axe fails the test for what axe-core finds wrong with how people who cannot see, or cannot use a mouse, would meet the page.
func (b *browser) axe(page string) {
	b.tb.Helper()
	program, err := os.ReadFile("../../../web/third_party/axe-core/axe.min.js")
	if err != nil {
		b.tb.Fatal(err)
	}
	b.do(chromedp.Evaluate[chromedp.Void](string(program)))
	found := ask(b, chromedp.Evaluate[[]string](`axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}).then(r =>
		r.violations.flatMap(v => v.nodes.map(n => v.id + ": " + n.target.join(" ") + ": " + n.failureSummary)))`, chromedp.EvalAwaitPromise))
	for _, text := range found {
		b.tb.Errorf("%s: %s", page, text)
	}
}
