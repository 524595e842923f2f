package consoletest

import (
	"fmt"
	"strings"
	"testing"
	"unicode"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"errand/internal/core"
	"errand/internal/stacktest"
)

// put puts an element with the browser's program for terminals into the page, as pages with a terminal have them.
func (b *browser) put(element string, attributes map[string]string) {
	b.tb.Helper()
	script := "for (const old of document.querySelectorAll('[data-terminal], [data-player]')) old.remove();" +
		fmt.Sprintf("const e = document.createElement('div'); e.setAttribute('data-%s', ''); e.setAttribute('role', 'region'); e.setAttribute('aria-label', 'It');", element)
	for name, value := range attributes {
		script += fmt.Sprintf("e.setAttribute(%q, %q);", name, value)
	}
	script += `document.querySelector("main").prepend(e);
		const style = document.createElement("link"); style.rel = "stylesheet"; style.href = "/console/static/terminal.css"; document.head.append(style);
		import("/console/static/terminal.js?" + Math.random()).then(() => true)`
	if !ask(b, chromedp.Evaluate[bool]("(() => {"+strings.Replace(script, "import(", "return import(", 1)+"})()", chromedp.EvalAwaitPromise)) {
		b.tb.Fatal("the program did not come")
	}
}

// types presses keys as a keyboard does: whoever handles the key itself gets no character besides.
func (b *browser) types(text string) {
	b.tb.Helper()
	for _, r := range text {
		key := input.DispatchKeyEventParams{Type: "keyDown", Key: string(r), Text: string(r)}
		switch {
		case r == '\r':
			key.Key, key.WindowsVirtualKeyCode = "Enter", '\r'
		case unicode.IsLetter(r), unicode.IsDigit(r), r == ' ': // the codes of other characters are those of other keys: '(' would be an arrow
			key.WindowsVirtualKeyCode = int64(unicode.ToUpper(r))
		}
		if _, err := chromedp.Call(b.ctx, input.DispatchKeyEvent, key); err != nil {
			b.tb.Fatal(err)
		}
		key.Type, key.Text = "keyUp", ""
		if _, err := chromedp.Call(b.ctx, input.DispatchKeyEvent, key); err != nil {
			b.tb.Fatal(err)
		}
	}
}

// screen waits until the emulator shows this.
func (b *browser) screen(text string) {
	b.tb.Helper()
	b.until(fmt.Sprintf(`[...document.querySelectorAll(".xterm-rows > div")].some(row => row.textContent.replaceAll("\u00a0", " ").includes(%q))`, text))
}

// TestTerminal types into a terminal of a node, loses the connection in between, leaves with the keyboard, and plays the recording.
func TestTerminal(t *testing.T) {
	t.Parallel()
	s := stacktest.Start(t)
	s.AddNode(t, "web-1")
	row, token, err := s.Server.Service.StartSession(t.Context(), s.Server.RootCaller(), core.SessionSpec{
		Origin: core.OriginNative, Nodes: []string{"web-1"}, Command: `stty -echo; printf '\033[32mgreen\033[0m <b>here</b>\n'; while read x; do echo "got $x"; test "$x" = out && exit 3; done`,
	})
	if err != nil {
		t.Fatal(err)
	}
	address := "ws://" + s.HostPort + "/session?sessionId=" + row.ID.String()
	b := open(t, s.URL)
	b.signIn()
	b.until(`document.readyState === "complete"`)
	// The page's sockets are known, so that the test can break one.
	b.do(chromedp.Evaluate[chromedp.Void](`const Real = WebSocket; window.sockets = [];
		window.WebSocket = class extends Real { constructor(...a) { super(...a); window.sockets.push(this); } };`))
	b.put("terminal", map[string]string{"data-url": address, "data-token": token, "data-node": "web-1"})
	b.screen("green <b>here</b>")
	b.see(".terminal-status", "Connected.")
	if color := ask(b, chromedp.Evaluate[string](`getComputedStyle([...document.querySelectorAll(".xterm-rows span")].find(e => e.textContent.includes("green"))).color`)); color == "rgb(230, 230, 230)" || color == "rgb(0, 0, 0)" {
		t.Errorf("green is %s: the emulator has no styles", color)
	}
	b.types("one\r")
	b.screen("got one")
	b.do(chromedp.Evaluate[chromedp.Void](`window.sockets.at(-1).close()`))
	b.types("two\r")
	b.screen("got two")
	if n := ask(b, chromedp.Evaluate[int](`window.sockets.length`)); n < 2 {
		t.Errorf("%d connections", n)
	}
	if n := ask(b, chromedp.Evaluate[int](`[...document.querySelectorAll(".xterm-rows > div")].filter(r => r.textContent.includes("got")).length`)); n != 2 {
		t.Errorf("%d answers", n)
	}
	if there := ask(b, chromedp.Evaluate[bool](`document.querySelector("[data-terminal]").hasAttribute("data-token") || document.body.innerHTML.includes("`+token+`")`)); there {
		t.Error("the token stays in the page")
	}
	b.axe("a terminal")
	b.shot("terminal")
	b.do(chromedp.KeyEvent(kb.F6, chromedp.KeyModifiers(2))) // with Ctrl
	b.until(`document.activeElement.classList.contains("terminal-reader")`)
	b.keys(kb.Enter)
	b.until(`document.activeElement.classList.contains("xterm-helper-textarea") && document.querySelector(".xterm-accessibility") !== null`)
	b.types("out\r")
	b.see(".terminal-status", "exit code 3")

	v := row.ID.String()
	b.put("player", map[string]string{"data-src": "/api/v1/sessions/" + v + "/recording", "data-at": "0"})
	b.until(`document.querySelector("[data-player]").dataset.state === "paused"`)
	b.fill(".player-search", "GOT TWO")
	b.click(".player-find button")
	b.see(".terminal-status", "1 of 1")
	b.screen("got two")
	b.axe("a player")
	b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector(".player-speed").value = "16"`))
	b.click(".player-play")
	b.until(`document.querySelector("[data-player]").dataset.state === "ended"`)
	b.screen("got out")
	b.shot("player")
	b.quiet()
}
