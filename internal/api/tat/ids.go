package tat

import (
	"regexp"
	"strings"

	"errand/internal/api"
	"errand/internal/core"
)

// The prefixes of ids on the way out.
const (
	commandPrefix    = "cmd-"
	invocationPrefix = "inv-"
	taskPrefix       = "invt-"
	instancePrefix   = "rins-"
	scenePrefix      = "sc-"
	invokerPrefix    = "ivk-"
)

// lighthousePrefix marks instances of the vendor's other product, which cannot be named together with those of the first. Here they are nodes
// whose operator named them so.
const lighthousePrefix = "lhins-"

const maxIDs = 100 // in one list; https://www.tencentcloud.com/document/product/1147/46696

var (
	// foreignID is the shape of the vendor's ids, without their prefix. One that was not made here may still be asked for: there is
	// no such object, which is something else than a malformed id.
	foreignID = `[a-z0-9]{8,32}$`

	commandShape    = regexp.MustCompile(`^` + commandPrefix + foreignID)
	invocationShape = regexp.MustCompile(`^` + invocationPrefix + foreignID)
	taskShape       = regexp.MustCompile(`^` + taskPrefix + foreignID)
	invokerShape    = regexp.MustCompile(`^` + invokerPrefix + foreignID)
	sceneShape      = regexp.MustCompile(`^` + scenePrefix + foreignID)
	uuidShape       = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

	// instanceShape is what operators may name a node.
	instanceShape = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$`)
)

// readIDs reads a list of ids of one kind. Those that have the right shape but cannot exist become the zero value, which no object has.
func readIDs[T any](list []string, field string, c code, parse func(string) (T, bool), shape *regexp.Regexp) ([]T, error) {
	ids := make([]T, len(list))
	for i, s := range list {
		id, ok := parse(s)
		switch {
		case ok:
			ids[i] = id
		case !shape.MatchString(s):
			return nil, refuse(c, field, "%.64q", s)
		}
	}
	return ids, nil
}

func commandIDs(list []string, field string) ([]core.ID, error) {
	return readIDs(list, field, codeCommandID, api.CommandID, commandShape)
}

func invocationIDs(list []string, field string) ([]core.ID, error) {
	return readIDs(list, field, codeInvocationID, api.InvocationID, invocationShape)
}

func taskIDs(list []string, field string) ([]core.TaskID, error) {
	return readIDs(list, field, codeInvocationTaskID, api.TaskID, taskShape)
}

func invokerIDs(list []string, field string) ([]core.ID, error) {
	return readIDs(list, field, codeInvokerID, api.ScheduleID, invokerShape)
}

// invokerID reads the id of the invoker that an action is about.
func invokerID(s *string) (core.ID, error) {
	if s == nil {
		return 0, missing("InvokerId")
	}
	ids, err := invokerIDs([]string{*s}, "InvokerId")
	switch {
	case err != nil:
		return 0, err
	case ids[0] == 0:
		return 0, refuse(codeNotFound, "InvokerId", "%q", *s)
	}
	return ids[0], nil
}

func registerCodeIDs(list []string, field string) ([]core.ID, error) {
	return readIDs(list, field, codeRegisterCodeID, core.ParseUUID, uuidShape)
}

// commandID reads the id of the command that an action is about.
func commandID(s *string) (core.ID, error) {
	if s == nil {
		return 0, missing("CommandId")
	}
	ids, err := commandIDs([]string{*s}, "CommandId")
	switch {
	case err != nil:
		return 0, err
	case ids[0] == 0:
		return 0, refuse(codeNoCommand, "CommandId", "%q", *s)
	}
	return ids[0], nil
}

// instanceIDs reads a list of node ids.
func instanceIDs(list []string, field string) ([]string, error) {
	if err := shaped(list, field, codeInstanceID, instanceShape); err != nil {
		return nil, err
	}
	return api.NodeIDs(list), nil
}

// registerInstanceIDs reads a list of node ids in the actions on managed instances, which have a code of their own.
func registerInstanceIDs(list []string, field string) ([]string, error) {
	if err := shaped(list, field, codeRegisterInstanceID, instanceShape); err != nil {
		return nil, err
	}
	return api.NodeIDs(list), nil
}

// registerInstanceID reads the id of the managed instance that an action is about.
func registerInstanceID(s *string) (string, error) {
	if s == nil {
		return "", missing("InstanceId")
	}
	ids, err := registerInstanceIDs([]string{*s}, "InstanceId")
	if err != nil {
		return "", err
	}
	return ids[0], nil
}

// shaped refuses ids that are malformed.
func shaped(list []string, field string, c code, shape *regexp.Regexp) error {
	for _, s := range list {
		if !shape.MatchString(s) {
			return refuse(c, field, "%.64q", s)
		}
	}
	return nil
}

// targets reads the instances of a run.
func targets(list []string) ([]string, error) {
	if len(list) == 0 {
		return nil, missing("InstanceIds")
	}
	for _, s := range list {
		if strings.HasPrefix(s, lighthousePrefix) != strings.HasPrefix(list[0], lighthousePrefix) {
			return nil, refuse(codeInconsistent, "InstanceIds", "%.64q and %.64q", list[0], s)
		}
	}
	return instanceIDs(list, "InstanceIds")
}

func showInstance(id string) string { return api.ShowNode(instancePrefix, id) }
