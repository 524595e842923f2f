package ecs

import (
	"strings"

	"errand/internal/api"
	"errand/internal/api/alibaba"
	"errand/internal/core"
)

const ossScheme = "oss://"

// sink reads OssOutputDelivery, oss://bucket/prefix, in which the prefix may be missing; nil if nothing is to be delivered.
func (d *Dialect) sink(place string) (*core.Sink, error) {
	if place == "" {
		return nil, nil
	}
	if !d.service.Delivers() {
		// Better no run than one whose output does not arrive where it was wanted.
		return nil, alibaba.Refuse(alibaba.OperationRefused)
	}
	rest, ok := strings.CutPrefix(place, ossScheme)
	bucket, prefix, _ := strings.Cut(rest, "/")
	sink := &core.Sink{Bucket: ossScheme + bucket, Prefix: prefix}
	if !ok || d.service.CheckSink(*sink) != core.NoFault {
		return nil, alibaba.Invalid(core.ReasonInvalidValue, "OssOutputDelivery", "not oss://bucket/prefix")
	}
	return sink, nil
}

// showSink writes a place as sink read it. One that came through another dialect is in the notation of that.
func showSink(s core.Sink) string {
	if s.Prefix == "" {
		return s.Bucket
	}
	return s.Bucket + "/" + s.Prefix
}

// ObjectName is what the output of a task is stored as, which the vendor does not say: the task's InvokeId and InstanceId, and in a history
// the moment for which the run was planned. Numbers of runs would not do: they change when old ones are removed.
func ObjectName(v *core.Invocation, t *core.Task, n *core.Node) (invocation, task string) {
	id, instance := t.ID.Invocation, api.ShowNode(nodePrefix, n.ID)
	if v.Kind == core.KindOccurrence {
		id, instance = v.Schedule, instance+"-"+v.Due.UTC().Format("20060102T150405Z")
	}
	return invocationPrefix + id.String(), instance
}

// deliveryStates is OssOutputStatus.
var deliveryStates = map[core.DeliveryState]string{
	core.OutputPending:     "InProgress",
	core.OutputDelivered:   "Finished",
	core.OutputUndelivered: "Failed",
}

// deliveryFaults is OssOutputErrorCode and OssOutputErrorInfo. The documented codes beginning with OSS are that product's own; it has more,
// which stand here for what the page leaves out. The texts are those of that product.
//
//   - https://www.alibabacloud.com/help/en/ecs/developer-reference/api-ecs-2014-05-26-describeinvocationresults
//   - https://www.alibabacloud.com/help/en/oss/support/error-codes
var deliveryFaults = map[core.DeliveryFault]alibaba.Cause{
	core.NoFault:          {},
	core.FaultOther:       {Code: "OSS.InternalError", Info: "We encountered an internal error. Please try again."},
	core.FaultUnreachable: {Code: "OSS.RequestTimeout", Info: "The connection to the server was not read from or written to within the timeout period."},
	core.FaultDenied:      {Code: "OSS.AccessDenied", Info: "You have no right to access this object."},
	core.FaultNoBucket:    {Code: "OSS.NoSuchBucket", Info: "The specified bucket does not exist."},
	core.FaultImmutable:   {Code: "OSS.FileImmutable", Info: "The object you specified is immutable."},
	core.FaultObjectName:  {Code: "OSS.InvalidObjectName", Info: "The specified object is not valid."},
	core.FaultNotRun: {
		Code: "CloudAssistant.UnsupportedInvocationStatus", Info: "The output of a command that was not run cannot be delivered.",
	},
}

// showDelivery says what became of a task's output. A fault shows only when no further try follows.
func showDelivery(d *core.TaskDelivery) ossOutput {
	if d == nil {
		return ossOutput{}
	}
	shown := ossOutput{OssOutputUri: d.URI, OssOutputStatus: deliveryStates[d.State]}
	if d.State == core.OutputUndelivered {
		fault := deliveryFaults[d.Fault]
		shown.OssOutputErrorCode, shown.OssOutputErrorInfo = fault.Code, fault.Info
	}
	return shown
}
