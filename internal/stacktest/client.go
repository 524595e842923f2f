package stacktest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"

	"errand/internal/api"
	"errand/internal/api/sign"
)

// Client calls the ECS dialect as a small SDK would.
type Client struct{ URL, KeyID, Secret string }

// Client returns a client of the stack.
func (s *Stack) Client() *Client { return &Client{s.URL, s.KeyID, s.Secret} }

// Call makes a signed call and decodes the answer; an error answer is an error with its code.
func (c *Client) Call(ctx context.Context, action string, params url.Values, answer any) error {
	params.Set("RegionId", "cn-hangzhou")
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL+"/?"+params.Encode(), nil)
	if err != nil {
		return err
	}
	req.Header.Set("x-acs-action", action)
	req.Header.Set("x-acs-version", "2014-05-26")
	if err := sign.SignACS3(req, nil, c.KeyID, c.Secret, api.NewRequestID(), time.Now()); err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", action, resp.Status, bytes.TrimSpace(body))
	}
	return json.Unmarshal(body, answer)
}

// Result is what DescribeInvocationResults says about one node.
type Result struct {
	InvokeID         string `json:"InvokeId"`
	InstanceID       string `json:"InstanceId"`
	InvocationStatus string
	ErrorCode        string
	Output           string
	Dropped          int
	ExitCode         int
	StartTime        string
	FinishedTime     string
}

// Run runs a script on nodes and returns the id of the invocation.
func (c *Client) Run(tb testing.TB, script string, extra url.Values, nodes ...string) string {
	tb.Helper()
	p := url.Values{"Type": {"RunShellScript"}, "CommandContent": {script}}
	for i, n := range nodes {
		p.Set(fmt.Sprintf("InstanceId.%d", i+1), n)
	}
	for k, v := range extra {
		p[k] = v
	}
	var answer struct {
		InvokeID string `json:"InvokeId"`
	}
	if err := c.Call(tb.Context(), "RunCommand", p, &answer); err != nil {
		tb.Fatal(err)
	}
	return answer.InvokeID
}

// Results reads the results of an invocation, with output as it was printed.
func (c *Client) Results(ctx context.Context, id string) ([]Result, error) {
	var answer struct {
		Invocation struct {
			InvocationResults struct{ InvocationResult []Result }
		}
	}
	p := url.Values{"InvokeId": {id}, "ContentEncoding": {"PlainText"}, "MaxResults": {"50"}}
	err := c.Call(ctx, "DescribeInvocationResults", p, &answer)
	return answer.Invocation.InvocationResults.InvocationResult, err
}

// Await waits until every result of an invocation is final and returns them.
func (c *Client) Await(tb testing.TB, id string, within time.Duration) []Result {
	tb.Helper()
	var results []Result
	Eventually(tb, within, func() (err error) {
		if results, err = c.Results(tb.Context(), id); err != nil {
			return err
		}
		if len(results) == 0 {
			return fmt.Errorf("no results of %s", id)
		}
		for _, r := range results {
			switch r.InvocationStatus {
			case "Pending", "Scheduled", "Running", "Stopping":
				return fmt.Errorf("%s on %s is %s", id, r.InstanceID, r.InvocationStatus)
			}
		}
		return nil
	})
	return results
}

// Stop stops an invocation on all nodes.
func (c *Client) Stop(tb testing.TB, id string) {
	tb.Helper()
	var answer struct{}
	if err := c.Call(tb.Context(), "StopInvocation", url.Values{"InvokeId": {id}}, &answer); err != nil {
		tb.Fatal(err)
	}
}
