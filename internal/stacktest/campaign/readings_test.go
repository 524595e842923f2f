package campaign

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"sync"

	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"
	tchttp "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/http"
	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/profile"

	"errand/internal/core"
	"errand/internal/stacktest"
)

// judgeReadings compares what two vendors' APIs say about each task with what is kept of it.
func (c *campaign) judgeReadings(address string, facts []*fact) {
	var runs []*fact
	perInvocation := map[core.ID][]*fact{}
	for _, f := range facts {
		if f.order.kind != file {
			runs = append(runs, f)
		}
		if f.Invocation.Kind == core.KindOnce {
			perInvocation[f.Invocation.ID] = append(perInvocation[f.Invocation.ID], f)
		}
	}
	work := make(chan func())
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for do := range work {
				do()
			}
		})
	}
	direct := newCaller(address)
	for _, list := range perInvocation {
		work <- func() { c.readECS(direct, list) }
	}
	tencent := tencentClient(strings.TrimPrefix(address, "http://"))
	const most = 50
	for len(runs) > 0 {
		n := min(most, len(runs))
		list := runs[:n]
		work <- func() { c.readTAT(tencent, list) }
		runs = runs[n:]
	}
	close(work)
	all.Wait()
	direct.http.CloseIdleConnections()
}

// readECS reads the results of one invocation.
func (c *campaign) readECS(direct *caller, list []*fact) {
	var answer struct {
		Invocation struct {
			InvocationResults struct{ InvocationResult []stacktest.Result }
		}
	}
	id := list[0].Invocation.ID
	p := url.Values{"InvokeId": {"t-" + id.String()}, "ContentEncoding": {"PlainText"}, "MaxResults": {"50"}}
	if err := direct.insist(c.t.Context(), "DescribeInvocationResults", p, &answer, 0); err != nil {
		c.wrongWith(list[0], "ECS: %v", err)
		return
	}
	shown := map[string]stacktest.Result{}
	for _, r := range answer.Invocation.InvocationResults.InvocationResult {
		shown[r.InstanceID] = r
	}
	words := map[core.State]string{
		core.Succeeded: "Success", core.Failed: "Failed", core.TimedOut: "Timeout", core.Terminated: "Terminated", core.Cancelled: "Cancelled",
		core.DeliveryFailed: "Aborted", core.Exception: "Error", core.StartFailed: "Error",
	}
	for _, f := range list {
		r := shown[f.node.name]
		text, dropped := window(f, 6000, 18576)
		if r.InvocationStatus != words[f.State] || r.Output != text || uint64(r.Dropped) != dropped || f.Exited && r.ExitCode != int(f.ExitCode) {
			c.wrongWith(f, "ECS shows %s, code %d, %d bytes, %d dropped; want %s, %d, %d, %d",
				r.InvocationStatus, r.ExitCode, len(r.Output), r.Dropped, words[f.State], f.ExitCode, len(text), dropped)
		}
	}
}

// window is what is shown of an output: the first and the last bytes, or all of it.
func window(f *fact, head, tail int) (text string, dropped uint64) {
	total := f.Stdout + f.Stderr
	text = string(f.merged)
	if len(text) > head+tail {
		text = text[:head] + text[len(text)-tail:]
	}
	return text, total - uint64(len(text))
}

func tencentClient(address string) *common.Client {
	p := profile.NewClientProfile()
	p.HttpProfile.Endpoint, p.HttpProfile.Scheme = address, "HTTP"
	p.DisableRegionBreaker = true
	return common.NewCommonClient(common.NewCredential(stacktest.KeyID, stacktest.Secret), "ap-guangzhou", p)
}

// readTAT reads some tasks.
func (c *campaign) readTAT(client *common.Client, list []*fact) {
	ids := make([]string, len(list))
	for i, f := range list {
		ids[i] = "invt-" + f.ID.String()
	}
	req := tchttp.NewCommonRequest("tat", "2020-10-28", "DescribeInvocationTasks")
	err := req.SetActionParameters(map[string]any{"InvocationTaskIds": ids, "HideOutput": false, "Limit": 100})
	resp := tchttp.NewCommonResponse()
	if err == nil {
		err = client.Send(req, resp)
	}
	var answer struct {
		Response struct {
			InvocationTaskSet []struct {
				InvocationTaskID string `json:"InvocationTaskId"`
				TaskStatus       string
				TaskResult       struct {
					ExitCode int64
					Output   string
					Dropped  uint64
				}
			}
		}
	}
	if err == nil {
		err = json.Unmarshal(resp.GetBody(), &answer)
	}
	if err != nil {
		c.wrongWith(list[0], "TAT: %v", err)
		return
	}
	shown := map[string]string{}
	for _, t := range answer.Response.InvocationTaskSet {
		text, err := base64.StdEncoding.DecodeString(t.TaskResult.Output)
		shown[t.InvocationTaskID] = fmt.Sprintf("%d dropped, %v, %q", t.TaskResult.Dropped, err, text)
	}
	for i, f := range list {
		text, dropped := window(f, 24<<10, 0)
		if want := fmt.Sprintf("%d dropped, %v, %q", dropped, nil, text); shown[ids[i]] != want {
			c.wrongWith(f, "TAT shows %.200s; want %.200s", shown[ids[i]], want)
		}
	}
}
