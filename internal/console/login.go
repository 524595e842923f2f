package console

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"errand/internal/core"
)

type loginView struct {
	Next    string
	KeyID   string
	Refused string // why nobody was signed in, a key below "login."
	// Provider is what the identity provider is called, and With where it is asked; both are empty if there is none.
	Provider, With string
}

func (c *Console) loginForm(r *request) (answer, error) {
	next := local(r.URL.Query().Get("next"))
	if _, ok := c.Login.Caller(r.Request); ok {
		return answer{redirect: next}, nil
	}
	v := loginView{Next: next}
	if key := "login.problem." + r.URL.Query().Get("error"); c.views[r.lang].words.texts[key] != "" {
		v.Refused = key
	}
	return answer{view: "login", title: r.t.text("login.title"), data: c.offer(v)}, nil
}

// offer adds the other way of signing in.
func (c *Console) offer(v loginView) loginView {
	if name, address := c.Login.Provider(); address != "" {
		v.Provider, v.With = name, withQuery(address, "next", v.Next)
	}
	return v
}

func (c *Console) login(r *request) (answer, error) {
	v := loginView{Next: local(r.PostFormValue("next")), KeyID: strings.TrimSpace(r.PostFormValue("key"))}
	return answer{write: func(w http.ResponseWriter) error {
		err := c.Login.SignIn(w, r.Request, v.KeyID, r.PostFormValue("secret"))
		if err == nil {
			http.Redirect(w, r.Request, v.Next, http.StatusSeeOther)
			return nil
		}
		e := core.AsError(err)
		if e.Code == core.CodeInternal {
			c.Log.Error("console", "path", r.URL.Path, "error", err)
		}
		v.Refused = "login.refused." + codeName(e.Code)
		if c.views[r.lang].words.texts[v.Refused] == "" {
			v.Refused = "login.refused.unauthenticated"
		}
		return c.render(w, r, answer{view: "login", title: r.t.text("login.title"), data: c.offer(v), status: statusOf(e.Code)})
	}}, nil
}

func (c *Console) logout(r *request) (answer, error) {
	return answer{write: func(w http.ResponseWriter) error {
		c.Login.SignOut(w, r.Request)
		http.Redirect(w, r.Request, root+"login", http.StatusSeeOther)
		return nil
	}}, nil
}

// preferenceAge is how long a browser remembers what its reader chose.
const preferenceAge = 365 * 24 * time.Hour

// prefer sets how a reader wants to see the pages.
func (c *Console) prefer(r *request) (answer, error) {
	return answer{write: func(w http.ResponseWriter) error {
		remember := func(name, value string, choices []string) {
			if slices.Contains(choices, value) {
				http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure wherever there is TLS
					Name: name, Value: value, Path: root, MaxAge: int(preferenceAge.Seconds()), HttpOnly: true, Secure: r.TLS != nil,
					SameSite: http.SameSiteLaxMode,
				})
			}
		}
		remember(langCookie, r.PostFormValue("lang"), languages)
		remember(themeCookie, r.PostFormValue("theme"), themes)
		http.Redirect(w, r.Request, local(r.PostFormValue("next")), http.StatusSeeOther) //nolint:gosec // only inside the console
		return nil
	}}, nil
}

// local is an address inside the console: nobody is sent elsewhere by a link that somebody else made.
func local(address string) string {
	if !strings.HasPrefix(address, root) || strings.Contains(address, "//") || strings.ContainsAny(address, "\\\r\n\t") {
		return root
	}
	return address
}
