package ecs

import (
	"context"
	"regexp"
	"strings"
	"unicode/utf8"

	"errand/internal/api"
	"errand/internal/api/alibaba"
	"errand/internal/core"
)

func (d *Dialect) runCommand(ctx context.Context, c core.Caller, req *runCommandRequest) (*runCommandResponse, error) {
	spec, err := req.Order.Spec(req.Hash)
	if err != nil {
		return nil, err
	}
	if spec.Definition, err = req.Definition(alibaba.PlainText); err != nil {
		return nil, err
	}
	spec.Type = commandType(req.Type)
	if spec.Type == "" {
		return nil, alibaba.Invalid(core.ReasonTypeUnknown, "Type", "unknown type")
	}
	req.Place(&spec.Definition)
	spec.Save = req.KeepCommand
	spec.Limits = alibaba.Limits(req.KeepCommand)
	if err := req.launch.fill(&spec, spec.Type, spec.User, maxRunTags); err != nil {
		return nil, err
	}
	if spec.Override.Sink, err = d.sink(req.OssOutputDelivery); err != nil {
		return nil, err
	}
	v, err := d.run(ctx, c, req.RegionId, spec)
	if err != nil {
		return nil, err
	}
	return &runCommandResponse{CommandId: commandPrefix + v.Command.String(), InvokeId: invocationPrefix + v.ID.String()}, nil
}

func (d *Dialect) invokeCommand(ctx context.Context, c core.Caller, req *invokeCommandRequest) (*invokeCommandResponse, error) {
	spec, err := req.Order.Spec(req.Hash)
	if err != nil {
		return nil, err
	}
	var ok bool
	if spec.Command, ok = api.CommandID(req.CommandId); !ok {
		return nil, noCommand(req.CommandId)
	}
	cmd, err := d.service.Command(ctx, c, spec.Command)
	if err != nil {
		return nil, err
	}
	spec.Limits = alibaba.Limits(true)
	user := cmd.User
	if req.Username != nil {
		user = *req.Username
	}
	if err := req.launch.fill(&spec, cmd.Type, user, maxInvokeTags); err != nil {
		return nil, err
	}
	if spec.Override.Sink, err = d.sink(req.OssOutputDelivery); err != nil {
		return nil, err
	}
	v, err := d.run(ctx, c, req.RegionId, spec)
	if err != nil {
		return nil, err
	}
	return &invokeCommandResponse{InvokeId: invocationPrefix + v.ID.String()}, nil
}

func (d *Dialect) run(ctx context.Context, c core.Caller, region string, spec core.RunSpec) (core.Invocation, error) {
	spec.Origin, spec.Region = core.OriginECS, region
	v, err := d.service.Run(ctx, c, spec)
	if len(spec.Targets) == 0 && core.ReasonTargetNotFound.Is(err) {
		err = alibaba.Refuse(noInstanceWithTags)
	}
	return v, err
}

// Bounds that only these two actions have.
const (
	maxRunTags      = 20  // ResourceTags of RunCommand
	maxInvokeTags   = 10  // ResourceTags of InvokeCommand
	maxPasswordName = 255 // characters
	maxStops        = 50  // machines of StopInvocation
)

// extraPasswordName keeps the name under which a Windows password is stored.
const extraPasswordName = "ecs.WindowsPasswordName" //nolint:gosec // the name of a password is none

// fill translates a launch; kind and user are those of the command that will run.
func (l *launch) fill(spec *core.RunSpec, kind core.CommandType, user string, mostTags int) error {
	if err := l.fillTargets(spec, mostTags); err != nil {
		return err
	}
	if err := l.fillContainer(spec); err != nil {
		return err
	}
	if kind != core.Shell && (spec.ContainerID != "" || spec.ContainerName != "") {
		return alibaba.Invalid(core.ReasonTargetPlatform, "Type", "containers run shell scripts only")
	}
	switch {
	case utf8.RuneCountInString(l.WindowsPasswordName) > maxPasswordName:
		return alibaba.Refuse(passwordNameTooLong)
	case l.WindowsPasswordName == "" && kind != core.Shell && user != "" && !strings.EqualFold(user, "System"):
		return alibaba.Refuse(passwordNameMissing)
	case l.WindowsPasswordName != "":
		spec.Extra[extraPasswordName] = l.WindowsPasswordName
	}
	spec.ResourceGroup, spec.Tags = l.ResourceGroupId, alibaba.Tags(l.Tag)
	return nil
}

func (l *launch) fillTargets(spec *core.RunSpec, mostTags int) error {
	if len(l.ResourceTag) > 0 && len(l.InstanceId) > 0 {
		return alibaba.Refuse(targetsConflict)
	}
	spec.TargetTags = alibaba.Tags(l.ResourceTag)
	if err := core.CheckTags(spec.TargetTags, mostTags); err != nil {
		return alibaba.Refuse(refusal(resourceTag, core.AsError(err)))
	}
	var err error
	spec.Targets, err = instances(l.InstanceId)
	return err
}

// instances reads a list of machines. An empty element is the vendor's "missing or empty".
func instances(list []string) ([]string, error) {
	for _, id := range list {
		if id == "" {
			return nil, alibaba.Invalid(core.ReasonTargetsMissing, "InstanceId", "empty")
		}
	}
	return api.NodeIDs(list), nil
}

var (
	containerID   = regexp.MustCompile(`^((docker|containerd|cri-o)://)?[0-9a-f]{64}$`)
	containerName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,252}$`)
)

func (l *launch) fillContainer(spec *core.RunSpec) error {
	switch {
	case l.ContainerId != "" && !containerID.MatchString(l.ContainerId):
		return alibaba.Invalid(core.ReasonContainerInvalid, "ContainerId", "not 64 hex digits")
	case l.ContainerName != "" && !containerName.MatchString(l.ContainerName):
		return alibaba.Invalid(core.ReasonContainerInvalid, "ContainerName", "no container has such a name")
	}
	spec.ContainerID, spec.ContainerName = l.ContainerId, l.ContainerName
	return nil
}

// stopInvocation cancels what waits and ends what runs; what is over stays as it is.
func (d *Dialect) stopInvocation(ctx context.Context, c core.Caller, req *stopInvocationRequest) (*alibaba.Reply, error) {
	if len(req.InstanceId) > maxStops {
		return nil, alibaba.Invalid(core.ReasonTargetsTooMany, "InstanceId", "more than 50")
	}
	id, ok := api.InvocationID(req.InvokeId)
	if !ok {
		return nil, &core.Error{Code: core.CodeNotFound, Reason: core.ReasonInvocationNotFound, Field: req.InvokeId, Detail: "not an id"}
	}
	return &alibaba.Reply{}, d.service.Stop(ctx, c, id, api.NodeIDs(req.InstanceId))
}
