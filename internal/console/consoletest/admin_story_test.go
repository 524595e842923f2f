package consoletest

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"errand/internal/stacktest"
)

// TestAdministrationStory is a day of whoever looks after the nodes: work on one by hand, see later what was done there, let something run by itself, and
// let a machine and a program in.
func TestAdministrationStory(t *testing.T) {
	t.Parallel()
	s := stacktest.Start(t)
	s.AddNode(t, "web-1")
	b := open(t, s.URL)
	b.signIn()

	// A terminal, from the page of the node.
	b.visit("nodes/web-1")
	b.click("#sessions a[href*='sessions/new']")
	b.see("h1", "Open a terminal")
	b.until(`document.querySelector("[name=node]").value === "web-1" && document.querySelector("[name=record]").checked`)
	b.click("form.form button[type=submit]")
	b.until(`document.querySelector("[data-terminal]")?.dataset.state === "connected"`)
	b.until(`document.activeElement.classList.contains("xterm-helper-textarea")`)
	b.see(".page-head .chip", "Recorded")
	b.types("echo answer-$((6*7))\r") // what is echoed is not what is printed
	b.screen("answer-42")
	b.until(`document.querySelector(".xterm-screen").getBoundingClientRect().bottom <= document.querySelector("[data-terminal]").getBoundingClientRect().bottom`)
	b.axe("the page of a terminal")
	b.shot("terminal-page")
	b.click(".page-head form[action$='/end'] button")
	b.see("main", "Ended.")
	b.see(".run-strip", "Ended")
	b.visit("sessions")
	b.see("main", "No terminals")
	b.click(".segments a[href$='state=ended']")
	b.see("td.main", "web-1")

	// Its recording, found by what was printed.
	b.click(".tabs a[href$='/recordings']")
	b.see("h1", "Recordings")
	b.comes("recordings?q=answer-42", "td.main a.inline", "answer-42")
	b.click("td.main a[data-open]")
	b.until(`document.querySelector("[data-player]")?.dataset.state === "paused"`)
	b.see("h1", "web-1")
	b.axe("the page of a player")
	b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector(".player-speed").value = "16"`))
	b.click(".player-play")
	b.until(`document.querySelector("[data-player]").dataset.state === "ended"`)
	b.screen("answer-42")
	b.shot("player-page")
	b.click(".crumbs a")
	b.see("h1", "Recordings")
	b.fill("[name=q]", "ANSWER-42\r")
	b.click("td.main a.inline") // straight to where it was printed
	b.until(`document.querySelector("[data-player]")?.dataset.state !== undefined && location.search.includes("at=")`)
	b.screen("answer-42")

	// A script that the node runs by itself, and a stored command that the server has it run.
	b.visit("schedules/new?target=web-1")
	b.fill("[name=name]", "nightly")
	b.fill("[name=content]", "df -h /")
	b.fill("[name=expr]", "half past three")
	b.fill("[name=zone]", "Europe/Berlin")
	b.click("form.form button[type=submit]")
	b.see(".field.wrong", "Cron or rate")
	b.until(`document.querySelector("[name=content]").value === "df -h /"`)
	b.fill("[name=expr]", "30 3 * * *")
	b.click("form.form button[type=submit]")
	b.see("main", "Saved.")
	b.see("h1", "nightly")
	b.fires()
	b.visit("commands/new")
	b.fill("[name=name]", "tidy")
	b.fill("[name=content]", "true")
	b.click("form.form button[type=submit]")
	b.see("main", "Saved.")
	b.visit("schedules/new")
	b.fill("[name=name]", "tidy up")
	b.fill("[name=target]", "web-1")
	b.do(chromedp.Evaluate[chromedp.Void](`const c = document.querySelector("[name=command]"); c.value = [...c.options].find(o => o.text === "tidy").value`))
	b.fill("[name=expr]", "30 3 * * *")
	b.fill("[name=zone]", "Europe/Berlin")
	b.click("form.form button[type=submit]")
	b.see("main", "Saved.")
	b.see("h1", "tidy up")
	b.fires()
	b.visit("schedules")
	b.see("td.main", "nightly")
	b.see("td.main", "tidy up")

	// A code with which a machine joins.
	b.visit("registrations/new")
	b.fill("[name=tags]", "role=web")
	b.fill("[name=description]", "the new rack")
	b.click("form.form button[type=submit]")
	b.see("#line", "curl -fsSL "+s.URL+"/agent/install.sh")
	b.see("#line", "ERRAND_TAG=role=web")
	b.see("#line-wget", "wget -qO- ")
	line := b.text("#line")
	_, code, _ := strings.Cut(line, "ERRAND_ACTIVATION_CODE=")
	code, _, _ = strings.Cut(code, " ")
	if code == "" {
		t.Fatalf("no code in %s", line)
	}
	b.axe("a code, this once")
	b.shot("code-made")
	b.click(".page-head a.button")
	b.see("td.main", "the new rack")
	b.lacks(code)

	// A key with which a program calls.
	b.visit("keys/new")
	b.fill("[name=description]", "the nightly build")
	b.click("form.form button[type=submit]")
	b.see("main", "The secret is shown only now.")
	program := stacktest.Client{URL: s.URL, Secret: b.text("#secret")}
	b.see("#env-aliyun", program.Secret)
	b.axe("a key, this once")
	b.shot("key-made")
	b.click(".page-head a.button")
	b.see("dd", "Key that signs")
	b.lacks(program.Secret)
	program.KeyID = b.text("h1")
	if err := program.Call(t.Context(), "DescribeInvocations", url.Values{}, &struct{}{}); err != nil {
		t.Errorf("the new key: %v", err)
	}
	b.visit("keys")
	b.see("td.main", "the nightly build")
	b.lacks(program.Secret)
	b.quiet()
}

// comes visits a page until a text can be read on it: what the server writes down a little later is not there at once.
func (b *browser) comes(path, selector, text string) {
	b.tb.Helper()
	stacktest.Eventually(b.tb, patience, func() error {
		b.visit(path)
		if !ask(b, chromedp.Evaluate[bool](fmt.Sprintf(`[...document.querySelectorAll(%q)].some(e => e.textContent.includes(%q))`, selector, text))) {
			return errors.New(path + " lacks " + text)
		}
		return nil
	})
}

// fires checks the moments at which a schedule fires next: half past three in Berlin, ten times.
func (b *browser) fires() {
	b.tb.Helper()
	moments := ask(b, chromedp.Evaluate[[]string](`[...[...document.querySelectorAll("table")].find(t => t.caption.textContent === "Next times")?.querySelectorAll("tbody tr td:first-child") ?? []].map(e => e.textContent)`))
	if len(moments) != 10 {
		b.tb.Errorf("fires at %q", moments)
	}
	for _, m := range moments {
		if !strings.HasSuffix(m, " 01:30:00 UTC") && !strings.HasSuffix(m, " 02:30:00 UTC") {
			b.tb.Errorf("fires at %s", m)
		}
	}
}

// text is what an element says.
func (b *browser) text(selector string) string {
	b.tb.Helper()
	return ask(b, chromedp.Evaluate[string](fmt.Sprintf(`document.querySelector(%q).textContent`, selector)))
}

// lacks fails the test if the page holds a secret, in whatever place.
func (b *browser) lacks(secret string) {
	b.tb.Helper()
	if ask(b, chromedp.Evaluate[bool](fmt.Sprintf(`document.documentElement.outerHTML.includes(%q)`, secret))) {
		b.tb.Error("the secret is still there")
	}
}
