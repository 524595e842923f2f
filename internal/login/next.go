package login

import (
	"net/http"
	"net/url"
	"strings"
)

// maxNext is the longest place to go on to, in bytes; a longer one is forgotten.
const maxNext = 2048

// Next is where a person goes on to after signing in: what the request names as next, if that is a page of the console, and otherwise the
// console's first one. Nothing else can be named, so that no link leads from here to another site.
func Next(r *http.Request) string { return place(r.FormValue("next")) }

func place(next string) string {
	if len(next) > maxNext || strings.ContainsAny(next, "\\\x00\r\n\t") {
		return home
	}
	u, err := url.Parse(next)
	if err != nil || u.IsAbs() || u.Host != "" || u.User != nil || u.Opaque != "" || !strings.HasPrefix(u.Path, home) || strings.Contains(u.Path, "//") ||
		strings.Contains(u.Path, "/../") || strings.HasSuffix(u.Path, "/..") {
		return home
	}
	for _, own := range []string{Page, "/console/logout", StartPath, CallbackPath} {
		if strings.TrimSuffix(u.Path, "/") == own {
			return home
		}
	}
	return u.String()
}

// Ask sends a person who is not signed in to the login page, and from there back to where they were. Programs of the page, which cannot follow,
// are told where to go by the header that htmx understands.
func (l *Logins) Ask(w http.ResponseWriter, r *http.Request) {
	back := home
	switch {
	case r.Header.Get("HX-Request") != "":
		if u, err := url.Parse(r.Header.Get("HX-Current-URL")); err == nil {
			back = place((&url.URL{Path: u.Path, RawQuery: u.RawQuery}).String())
		}
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		back = place(r.URL.RequestURI())
	default: // a form: its page is where the person was
		if u, err := url.Parse(r.Referer()); err == nil && u.Host == r.Host {
			back = place((&url.URL{Path: u.Path, RawQuery: u.RawQuery}).String())
		}
	}
	problem := NoProblem
	if c, err := r.Cookie(l.cookieName(r)); err == nil && c.Value != "" {
		problem = Expired
		http.SetCookie(w, l.cookie(r, l.cookieName(r), "", "/", 0))
	}
	w.Header().Set("Cache-Control", "no-store")
	to := pageWith(problem, back)
	if r.Header.Get("HX-Request") != "" {
		w.Header().Set("HX-Redirect", to)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// pageWith is the address of the login page with what went wrong and where to go on.
func pageWith(p Problem, next string) string {
	q := url.Values{}
	if p != NoProblem {
		q.Set("error", string(p))
	}
	if next != home {
		q.Set("next", next)
	}
	if len(q) == 0 {
		return Page
	}
	return Page + "?" + q.Encode()
}
