package campaign

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"

	"errand/internal/api"
	"errand/internal/api/sign"
	"errand/internal/stacktest"
)

// caller calls the ECS dialect through a bad cable, again and again until there is an answer.
type caller struct {
	url  string
	http *http.Client
}

func newCaller(url string) *caller {
	return &caller{url, &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}, Timeout: 8 * time.Second}}
}

// refused is an answer that no repetition changes.
type refused struct {
	status int
	text   string
}

func (r *refused) Error() string { return fmt.Sprintf("%d %s", r.status, r.text) }

// order gives an order and returns the id of the invocation it became. An impatient caller hangs up first.
func (c *caller) order(ctx context.Context, action string, p url.Values, impatient time.Duration) (string, error) {
	var answer struct {
		InvokeID string `json:"InvokeId"`
	}
	err := c.insist(ctx, action, p, &answer, impatient)
	return answer.InvokeID, err
}

func (c *caller) insist(ctx context.Context, action string, p url.Values, answer any, impatient time.Duration) error {
	if impatient > 0 {
		hurried, cancel := context.WithTimeout(ctx, impatient)
		_ = c.once(hurried, action, p, nil)
		cancel()
	}
	for {
		err := c.once(ctx, action, p, answer)
		var r *refused
		if err == nil || errors.As(err, &r) || ctx.Err() != nil {
			return err
		}
		time.Sleep(50*time.Millisecond + rand.N(400*time.Millisecond))
	}
}

// once makes one call.
func (c *caller) once(ctx context.Context, action string, p url.Values, answer any) error {
	sent := url.Values{"RegionId": {"cn-hangzhou"}}
	for k, v := range p {
		sent[k] = v
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+"/?"+sent.Encode(), nil)
	if err != nil {
		return err
	}
	req.Header.Set("x-acs-action", action)
	req.Header.Set("x-acs-version", "2014-05-26")
	if err := sign.SignACS3(req, nil, stacktest.KeyID, stacktest.Secret, api.NewRequestID(), time.Now()); err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return err
	case resp.StatusCode >= 500, resp.StatusCode == http.StatusTooManyRequests:
		return fmt.Errorf("%s: %s: %s", action, resp.Status, bytes.TrimSpace(body))
	case resp.StatusCode != http.StatusOK:
		return &refused{resp.StatusCode, string(bytes.TrimSpace(body))}
	case answer == nil:
		return nil
	}
	return json.Unmarshal(body, answer)
}
