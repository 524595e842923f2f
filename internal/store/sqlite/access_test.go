package sqlite

import (
	"strings"
	"testing"
	"time"

	"errand/internal/core"
)

// TestAccessPlans looks at how the database goes about what grows or is asked with every call.
func TestAccessPlans(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	audit := listAudit(&core.AuditFilter{Account: 1, Resource: "node/w", Since: time.Unix(1, 0)})
	for _, tt := range []struct {
		name, text string
		args       []any
		want       string
	}{
		{"audit", audit.query(auditColumns, " ORDER BY id DESC LIMIT 50"), audit.args, "SEARCH audit USING INDEX audit_account (account=?)"},
		{"count", countInvocations, []any{core.AccountID(1), core.ID(5)}, "invocations_account (account=? AND rowid>?)"},
		{"expired keys", expiredKeys, []any{time.Unix(1, 0), core.KeyTemporary, core.KeyLogin, 10}, "access_keys_expiry (expires_at<?)"},
		{"old audit", oldAudit, []any{core.AccountID(1), 10}, "audit_account (account=?)"},
	} {
		steps := strings.Join(plan(t, s, tt.text, tt.args), "\n")
		if !strings.Contains(steps, tt.want) || strings.Contains(steps, "SCAN a") || strings.Contains(steps, "TEMP B-TREE") {
			t.Errorf("%s:\n%s", tt.name, steps)
		}
	}
}
