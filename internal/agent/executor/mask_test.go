package executor

import (
	"math/rand/v2"
	"strings"
	"testing"
)

func TestMask(t *testing.T) {
	t.Parallel()
	env := map[string]string{"A": "password", "B": "password-of-old", "C": "short", "D": "ppppppp", "E": "two\nlines", "F": "\xff\xfe\xfd\xfc\xfb\xfa"}
	for in, want := range map[string]string{
		"":                             "",
		"nothing to hide":              "nothing to hide",
		"password":                     "***",
		"the password!":                "the ***!",
		"passwordpassword":             "******",
		"passwor":                      "passwor",
		"passpassword":                 "pass***",
		"password-of-ol":               "***-of-ol",
		"password-of-old":              "***",
		"short":                        "short",
		"pppppppppp":                   "***ppp",
		"two\nlines, two\nline":        "***, two\nline",
		"\xff\xff\xfe\xfd\xfc\xfb\xfa": "\xff***",
	} {
		for seed := range uint64(50) {
			m, r := newMasker(env), rand.New(rand.NewPCG(seed, 0))
			var got strings.Builder
			for rest := in; rest != ""; {
				n := 1 + r.IntN(len(rest))
				if seed == 0 {
					n = len(rest)
				}
				got.Write(m.feed([]byte(rest[:n])))
				rest = rest[n:]
			}
			got.Write(m.flush())
			if got.String() != want {
				t.Errorf("%q in pieces of seed %d: %q, want %q", in, seed, got.String(), want)
			}
		}
	}
	if newMasker(map[string]string{"A": "short", "B": ""}) != nil {
		t.Error("a mask for nothing")
	}
}

// FuzzMask cuts what is printed anywhere: no secret may come through, and nothing else may be lost.
func FuzzMask(f *testing.F) {
	f.Add("secret1", "xsecret1y", 3)
	f.Add("aaaaaaaa", "aaaaaaaaaaaaaaaaaaaaaaa", 7)
	f.Fuzz(func(t *testing.T, secret, text string, cut int) {
		m := newMasker(map[string]string{"A": secret})
		if m == nil || strings.Contains(Masked, secret) {
			return
		}
		cut = max(0, min(cut, len(text)))
		got := string(m.feed([]byte(text[:cut]))) + string(m.feed([]byte(text[cut:]))) + string(m.flush())
		if want := strings.ReplaceAll(text, secret, Masked); got != want {
			t.Errorf("%q without %q, cut at %d: %q, want %q", text, secret, cut, got, want)
		}
	})
}
