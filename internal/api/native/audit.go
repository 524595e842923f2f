package native

import (
	"context"
	"time"

	"errand/internal/core"
)

// AuditRecord says who did what.
type AuditRecord struct {
	At        time.Time `json:"at"`
	User      string    `json:"user"`
	Key       string    `json:"key"`
	Dialect   string    `json:"dialect"`
	Action    string    `json:"action"`
	Request   string    `json:"request"`
	Source    string    `json:"source"`
	UserAgent string    `json:"user_agent"`
	Resources []string  `json:"resources"`
	Code      string    `json:"code"` // error code of the answer; empty on success
}

// Audit is a page of audit records, the latest first.
type Audit struct {
	Records []AuditRecord `json:"records"`
	Next    string        `json:"next,omitempty"` // for the next page
}

type listAudit struct {
	User     string `json:"-" query:"user"`
	Key      string `json:"-" query:"key"`
	Action   string `json:"-" query:"action"`
	Resource string `json:"-" query:"resource"` // such as node/web1
	Since    string `json:"-" query:"since"`    // RFC 3339
	Until    string `json:"-" query:"until"`
	paging
}

func (d *Dialect) listAudit(ctx context.Context, c core.Caller, req *listAudit) (*Audit, error) {
	spec, err := req.spec()
	if err != nil {
		return nil, err
	}
	f := core.AuditFilter{Principal: req.User, KeyID: req.Key, Action: req.Action, Resource: req.Resource}
	if f.Since, err = instant("since", req.Since); err != nil {
		return nil, err
	}
	if f.Until, err = instant("until", req.Until); err != nil {
		return nil, err
	}
	rows, info, err := d.env.Service.AuditRecords(ctx, c, f, spec)
	page := Audit{Records: make([]AuditRecord, len(rows)), Next: req.next(info)}
	for i := range rows {
		r := &rows[i]
		page.Records[i] = AuditRecord{
			At: r.At, User: r.Principal, Key: r.KeyID, Dialect: r.Dialect, Action: r.Action, Request: r.RequestID, Source: r.Source,
			UserAgent: r.UserAgent, Resources: append([]string{}, r.Resources...), Code: r.Code,
		}
	}
	return &page, err
}

// instant reads an optional time.
func instant(field, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, &core.Error{Code: core.CodeInvalid, Reason: core.ReasonFilter, Field: field, Detail: "want a time such as 2026-01-02T15:04:05Z"}
	}
	return t, nil
}
