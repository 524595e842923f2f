package sign_test

import (
	"net/http"
	"testing"
	"time"

	"errand/internal/api/sign"
)

// TestSignOutgoing lets the parsers judge what the signers write, with the right secret and with another one.
func TestSignOutgoing(t *testing.T) {
	t.Parallel()
	body := []byte(`{"a":1}`)
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, tt := range map[string]struct {
		path  string
		sign  func(*http.Request)
		parse func(*sign.Request) (*sign.Claim, error)
	}{
		"TC3": {"/", func(r *http.Request) { sign.SignTC3(r, body, "tat", "id", "secret", now) }, sign.ParseTC3},
		"ZC2": {"/api/v2/zos", func(r *http.Request) { sign.SignZC2(r, body, "id", "secret", now) }, sign.ParseZC2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1:8470"+tt.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			tt.sign(r)
			claim, err := tt.parse(sign.NewRequest(r, body))
			if err != nil {
				t.Fatal(err)
			}
			if claim.AccessKeyID != "id" || claim.CheckTime(now) != nil || claim.Verify("secret") != nil || claim.Verify("other") == nil {
				t.Errorf("%+v: %v", claim, claim.Verify("secret"))
			}
			other, err := tt.parse(sign.NewRequest(r, []byte(`{"a":2}`)))
			if err != nil || other.Verify("secret") == nil {
				t.Errorf("another body passes: %v", err)
			}
		})
	}
}
