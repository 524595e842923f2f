package ecs_test

import (
	"fmt"
	"strings"
	"testing"

	"errand/internal/api"
	"errand/internal/api/alibaba/caller"
	"errand/internal/api/scene"
	"errand/internal/core"
)

// mistakes are calls that are refused, each with the vendor's status, code and message. The scene has the machines i-linux and i-windows,
// the command CMD without parameters and the command PARAMS with the parameter name, both on no machine, the invocation RUN, open on
// i-linux, and the activation USED, with which i-linux joined.
var mistakes = []struct {
	action  string
	params  []string // changes to a call that works
	status  int
	code    string
	message string
}{
	{"RunCommand", []string{"RegionId", "-"}, 400, "MissingRegionId", "RegionId is mandatory for this action."},
	{"RunCommand", []string{"RegionId", "atlantis"}, 404, "InvalidRegionId.NotFound", "The RegionId provided does not exist in our records."},
	{"RunCommand", []string{"Type", "-"}, 400, "MissingType", "Type is mandatory for this action."},
	{"RunCommand", []string{"Type", "RunCobol"}, 404, "InvalidCmdType.NotFound", "The specified command type does not exist."},
	{"RunCommand", []string{"CommandContent", "-"}, 400, "MissingCommandContent", "CommandContent is mandatory for this action."},
	{
		"RunCommand",
		[]string{"ContentEncoding", "Base64", "CommandContent", "***"},
		400,
		"CmdContent.DecodeError", "The CommandContent can not be base64 decoded.",
	},
	{"RunCommand", []string{"CommandContent", strings.Repeat("x", 18433)}, 403, "CmdContent.ExceedLimit", "The length of the command content exceeds the upper limit."},
	{"RunCommand", []string{"Name", strings.Repeat("x", 129)}, 403, "CmdName.ExceedLimit", "The length of the command name exceeds the upper limit."},
	{"RunCommand", []string{"Name", "a\x00b"}, 403, "InvalidParameterCharacter.CommandName", "The command Name contains illegal characters."},
	{"RunCommand", []string{"Description", strings.Repeat("x", 513)}, 403, "CmdDesc.ExceedLimit", "The length of the command description exceeds the upper limit."},
	{
		"RunCommand",
		[]string{"Description", "a\x07b"},
		403,
		"InvalidParameterCharacter.CommandDescription", "The command Description contains illegal characters.",
	},
	{"RunCommand", []string{"WorkingDir", strings.Repeat("/", 201)}, 400, "InvalidParameter.WorkingDir", "The specified parameter WorkingDir is not valid."},
	{
		"RunCommand",
		[]string{"WorkingDir", "/a\nb"},
		403,
		"InvalidParameterCharacter.CommandWorkingDir", "The command WorkingDir contains illegal characters.",
	},
	{"RunCommand", []string{"Username", strings.Repeat("x", 256)}, 403, "Username.ExceedLimit", "The length of the username exceeds the upper limit."},
	{"RunCommand", []string{"Username", "ro\not"}, 400, "InvalidParameter.Username", "The specified parameter Username is not valid."},
	{
		"RunCommand",
		[]string{"Launcher", strings.Repeat("x", 1025)},
		403,
		"InvalidLauncher.LengthLimitExceeded", "The length of the parameter Launcher exceeds the limit of 1 KB characters.",
	},
	{"RunCommand", []string{"Timeout", "86401"}, 403, "InvalidTimeout.ExceedLimit", "The specified parameter Timeout exceeds the upper limit."},
	{"RunCommand", []string{"Timeout", "9223372036854775807"}, 403, "InvalidTimeout.ExceedLimit", "The specified parameter Timeout exceeds the upper limit."},
	{"RunCommand", []string{"Timeout", "soon"}, 400, "InvalidParameter.Timeout", "The specified parameter Timeout is not valid."},
	{"RunCommand", []string{"KeepCommand", "maybe"}, 400, "InvalidParameter.KeepCommand", "The specified parameter KeepCommand is not valid."},
	{"RunCommand", []string{"TerminationMode", "Gently"}, 404, "InvalidTerminationMode.NotFound", "The specified parameter TerminationMode does not exist."},
	{"RunCommand", []string{"RepeatMode", "Often"}, 404, "InvalidRepeatMode.NotFound", "The specified repeat mode does not exist."},
	{"RunCommand", []string{"RepeatMode", "Period"}, 400, "MissingParam.Frequency", "The frequency must be specified when you create a timed task."},
	{"RunCommand", []string{"Frequency", "rate(59s)"}, 400, "InvalidParam.Frequency", "The specified frequency is invalid."},
	{"RunCommand", []string{"Frequency", "rate(8d)"}, 400, "InvalidParam.Frequency", "The specified frequency is invalid."},
	{"RunCommand", []string{"Frequency", "rate(2m)", "Timeout", "121"}, 400, "InvalidParam.Frequency", "The specified frequency is invalid."},
	{"RunCommand", []string{"Frequency", "at(2020-01-01 00:00:00)"}, 400, "InvalidParam.Frequency", "The specified frequency is invalid."},
	{"RunCommand", []string{"Frequency", "0 0 9-7 * * ?"}, 400, "InvalidParam.Frequency", "The specified frequency is invalid."},
	{"RunCommand", []string{"Frequency", "*/5 * * * * ?"}, 400, "InvalidParam.Frequency", "The specified frequency is invalid."},
	{"RunCommand", []string{"Frequency", "0 0 0 30 2 ?"}, 400, "InvalidParam.Frequency", "The specified frequency is invalid."},
	{"RunCommand", []string{"Frequency", "0 0 0 1 1 ? 2020"}, 400, "InvalidParam.Frequency", "The specified frequency is invalid."},
	{"RunCommand", []string{"Frequency", "0 0 0 * * ? Mars/Base"}, 400, "InvalidParam.Frequency", "The specified frequency is invalid."},
	{"RunCommand", []string{"ContainerId", "cafe"}, 400, "InvalidContainerId.Malformed", "The specified parameter ContainerId is not valid."},
	{"RunCommand", []string{"Type", "RunBatScript", "ContainerName", "web"}, 400, "InvalidInstance.NotMatch", "The specified instance type does not match the command."},
	{"RunCommand", []string{"ContainerName", "-x"}, 400, "InvalidContainerName.Malformed", "The specified parameter ContainerName is not valid."},
	{
		"RunCommand",
		[]string{"WindowsPasswordName", strings.Repeat("x", 256)},
		403,
		"WindowsPasswordName.ExceedLimit", "The length of the WindowsPasswordName exceeds the upper limit.",
	},
	{
		"RunCommand",
		[]string{"Type", "RunBatScript", "Username", "bob"},
		403,
		"WindowsPasswordName.Missed", "WindowsPasswordName must be specified when you create a Windows task.",
	},
	{"RunCommand", []string{"OssOutputDelivery", "oss://bucket/prefix"}, 403, "Operation.Forbidden", "The operation is not permitted."},

	{
		"RunCommand",
		[]string{"Parameters", `{"a":"b"}`},
		400,
		"Parameter.Disabled", "Parameters cannot be passed in when the command customization function is disabled.",
	},
	{"RunCommand", []string{"Parameters", `{"a":`}, 400, "InvalidParameter.Parameters", "The specified parameter Parameters is not valid."},
	{"RunCommand", []string{"Parameters", `["a"]`}, 400, "InvalidParameter.Parameters", "The specified parameter Parameters is not valid."},
	{"RunCommand", []string{"Parameters.1", "a"}, 400, "InvalidParameter.Parameters", "The specified parameter Parameters is not valid."},
	{"RunCommand", []string{"Parameters", "{\"a\":\"\xff\"}"}, 403, "InvalidParameterCharset.Parameters", "The parameter Parameters contains illegal charset."},
	{"RunCommand", []string{"Parameters", `{"a":"1","A":"2"}`}, 403, "ParameterKey.Duplicate", "Parameter names cannot be duplicated."},
	{"RunCommand", []string{"Parameters", `{"a":{}}`}, 403, "ParameterType.NotSupported", "The type of parameter value is not supported."},
	{"RunCommand", []string{"Parameters", `{"a":null}`}, 403, "ParameterType.NotSupported", "The type of parameter value is not supported."},
	{
		"RunCommand",
		[]string{"EnableParameter", "true", "CommandContent", "{{a}}", "Parameters", `{"b":"x"}`},
		403,
		"Parameter.NotMatched", "The passed-in parameters do not match the parameters defined when you created the command.",
	},
	{
		"RunCommand",
		[]string{"EnableParameter", "true", "Parameters", object(11)},
		403,
		"ParameterCount.ExceedLimit", "The maximum number of parameters is exceeded.",
	},
	{
		"RunCommand",
		[]string{"EnableParameter", "true", "Parameters", `{"` + strings.Repeat("x", 65) + `":1}`},
		403,
		"ParameterKey.ExceedLimit", "The maximum length of a parameter name is exceeded.",
	},
	{"RunCommand", []string{"EnableParameter", "true", "CommandContent", "{{ }}"}, 400, "CmdParam.EmptyKey", "You must specify the parameter names."},
	{"RunCommand", []string{"EnableParameter", "true", "Parameters", `{"":1}`}, 400, "CmdParam.EmptyKey", "You must specify the parameter names."},
	{"RunCommand", []string{"EnableParameter", "true", "CommandContent", "{{a b}}"}, 400, "CmdParam.InvalidParamName", badName},
	{"RunCommand", []string{"EnableParameter", "true", "Parameters", `{"a b":1}`}, 400, "CmdParam.InvalidParamName", badName},
	{
		"RunCommand",
		[]string{"EnableParameter", "true", "CommandContent", "{{oos-secret:pw}}"},
		403,
		"ParameterStore.NotSupported", "Parameter Store is not supported in this region.",
	},
	{
		"RunCommand",
		[]string{"EnableParameter", "true", "CommandContent", placeholders(21)},
		403,
		"CmdParamCount.ExceedLimit", "The maximum number of custom parameters is exceeded.",
	},
	{
		"RunCommand",
		[]string{"EnableParameter", "true", "CommandContent", "{{" + strings.Repeat("x", 65) + "}}"},
		403,
		"CmdParamName.ExceedLimit", "The maximum length of a parameter name is exceeded.",
	},

	{"RunCommand", []string{"InstanceId.1", "-"}, 400, "MissingParam.InstanceId", "The parameter instanceId is missing or empty."},
	{"RunCommand", []string{"InstanceId.1", ""}, 400, "MissingParam.InstanceId", "The parameter instanceId is missing or empty."},
	{"RunCommand", []string{"InstanceId.2", "i-nobody"}, 404, "InvalidInstance.NotFound", "The specified instance does not exist."},
	{"RunCommand", list("InstanceId", many(101)...), 403, "InstanceIds.ExceedLimit", "The number of instance IDs exceeds the upper limit."},
	{"RunCommand", []string{"InstanceId.2", "i-windows"}, 400, "InvalidInstance.NotMatch", "The specified instance type does not match the command."},
	{"RunCommand", []string{"InstanceId.x", "i-linux"}, 400, "InvalidParameter.InstanceId", "The specified parameter InstanceId is not valid."},
	{"RunCommand", []string{"InstanceId", "i-linux"}, 400, "InvalidParameter.InstanceId", "The specified parameter InstanceId is not valid."},
	{"RunCommand", []string{"InstanceId.1.Id", "i-linux"}, 400, "InvalidParameter.InstanceId", "The specified parameter InstanceId is not valid."},

	{
		"RunCommand",
		[]string{"ResourceTag.1.Key", "k"},
		400,
		"InvalidResourceTag.ConflictWithInstanceIds", "The specified param ResourceTag conflicts with InstanceId.",
	},
	{
		"RunCommand",
		[]string{"InstanceId.1", "-", "ResourceTag.1.Key", "k"},
		400,
		"InvalidResourceTag.InstanceNotFound", "InstanceIds are not found by the specified ResourceTag.",
	},
	{
		"RunCommand", append([]string{"InstanceId.1", "-"}, tags("ResourceTag", 21)...), 400,
		"NumberExceed.ResourceTags", "The maximum number of ResourceTags is exceeded.",
	},
	{
		"RunCommand",
		[]string{"InstanceId.1", "-", "ResourceTag.1.Value", "v"},
		400,
		"MissingParameter.ResourceTagKey", "You must specify ResourceTag.N.Key.",
	},
	{
		"RunCommand",
		[]string{"InstanceId.1", "-", "ResourceTag.1.Key", "acs:x"},
		400,
		"InvalidResourceTagKey.Malformed", "The specified ResourceTag key is not valid.",
	},
	{
		"RunCommand",
		[]string{"InstanceId.1", "-", "ResourceTag.1.Key", "k", "ResourceTag.1.Value", "http://x"},
		400,
		"InvalidResourceTagValue.Malformed", "The specified ResourceTag value is not valid.",
	},
	{
		"RunCommand",
		[]string{"InstanceId.1", "-", "ResourceTag.1.Key", "k", "ResourceTag.2.Key", "k"},
		400,
		"Duplicate.ResourceTagKey", "The ResourceTag contains duplicate keys.",
	},

	{"RunCommand", tags("Tag", 21), 400, "NumberExceed.Tags", "The Tags parameter number is exceed."},
	{"RunCommand", []string{"Tag.1.Key", "k", "Tag.2.Key", "k"}, 400, "Duplicate.TagKey", "The Tag.N.Key contain duplicate key."},
	{"RunCommand", []string{"Tag.1.Value", "v"}, 400, "MissingParameter.TagKey", "You must specify Tag.N.Key."},
	{"RunCommand", []string{"Tag.1.Key", "aliyunx"}, 400, "InvalidTagKey.Malformed", "The specified Tag.n.Key is not valid."},
	{"RunCommand", []string{"Tag.1.Key", "k", "Tag.1.Value", strings.Repeat("x", 129)}, 400, "InvalidTagValue.Malformed", "The specified Tag.n.Value is not valid."},

	{"RunCommand", []string{"ClientToken", strings.Repeat("x", 65)}, 400, "InvalidClientToken.Malformed", "The specified parameter clientToken is not valid."},
	{"RunCommand", []string{"ClientToken", "schlüssel"}, 400, "InvalidClientToken.Malformed", "The specified parameter clientToken is not valid."},
	{
		"RunCommand",
		[]string{"ClientToken", "used"},
		403,
		"IdempotentParameterMismatch", "The specified parameter has changed while using an already used clientToken.",
	},

	{"InvokeCommand", []string{"CommandId", "-"}, 400, "MissingCommandId", "CommandId is mandatory for this action."},
	{"InvokeCommand", []string{"CommandId", "c-nothing"}, 404, "InvalidCmdId.NotFound", "The specified command ID does not exist."},
	{"InvokeCommand", []string{"CommandId", "c-" + core.ID(99).String()}, 404, "InvalidCmdId.NotFound", "The specified command ID does not exist."},
	{"InvokeCommand", []string{"Timeout", "86401"}, 403, "InvalidTimeout.ExceedLimit", "The specified parameter Timeout exceeds the upper limit."},
	{"InvokeCommand", []string{"WorkingDir", "/a\nb"}, 400, "InvalidParameter.WorkingDir", "The specified parameter WorkingDir is not valid."},
	{"InvokeCommand", []string{"RepeatMode", "Period", "Frequency", "rate(5s)"}, 400, "InvalidParam.Frequency", "The specified frequency is invalid."},
	{"InvokeCommand", []string{"InstanceId.1", "-"}, 400, "MissingParam.InstanceId", "The parameter instanceId is missing or empty."},
	{
		"InvokeCommand", append([]string{"InstanceId.1", "-"}, tags("ResourceTag", 11)...), 400,
		"NumberExceed.ResourceTags", "The maximum number of ResourceTags is exceeded.",
	},
	{
		"InvokeCommand",
		[]string{"Parameters", `{"name":"x"}`},
		400,
		"Parameter.Disabled", "Parameters cannot be passed in when the command customization function is disabled.",
	},
	{
		"InvokeCommand",
		[]string{"CommandId", "PARAMS", "Parameters", `{"a b":"x"}`},
		403,
		"Parameter.NotMatched", "The passed-in parameters do not match the parameters defined when you created the command.",
	},
	{
		"InvokeCommand",
		[]string{"CommandId", "PARAMS", "Parameters", `{"":"x"}`},
		403,
		"Parameter.NotMatched", "The passed-in parameters do not match the parameters defined when you created the command.",
	},
	{
		"InvokeCommand",
		[]string{"CommandId", "PARAMS", "Parameters", `{"name":"` + strings.Repeat("x", 18433) + `"}`},
		403,
		"CmdContent.ExceedLimit", "The maximum length of a command is exceeded.",
	},
	{
		"InvokeCommand",
		[]string{"ClientToken", "used"},
		403,
		"IdempotentParameterMismatch", "The specified parameter has changed while using an already used clientToken.",
	},

	{"CreateCommand", []string{"Name", "-"}, 400, "MissingName", "Name is mandatory for this action."},
	{"CreateCommand", []string{"Type", "-"}, 400, "MissingType", "Type is mandatory for this action."},
	{"CreateCommand", []string{"Type", "x"}, 404, "InvalidCmdType.NotFound", "The specified command type does not exist."},
	{"CreateCommand", []string{"CommandContent", "-"}, 400, "MissingCommandContent", "CommandContent is mandatory for this action."},
	{"CreateCommand", []string{"CommandContent", "echo hi!"}, 400, "CmdContent.DecodeError", "The CommandContent can not be base64 decoded."},
	{
		"CreateCommand",
		[]string{"ContentEncoding", "PlainText", "CommandContent", strings.Repeat("x", 13825)},
		403,
		"CmdContent.ExceedLimit", "The length of the command content exceeds the upper limit.",
	},
	{"CreateCommand", []string{"Name", strings.Repeat("x", 129)}, 403, "CmdName.ExceedLimit", "The length of the command name exceeds the upper limit."},
	{"CreateCommand", []string{"Description", strings.Repeat("x", 513)}, 403, "CmdDesc.ExceedLimit", "The length of the command description exceeds the upper limit."},
	{"CreateCommand", []string{"WorkingDir", strings.Repeat("x", 201)}, 400, "InvalidParameter.WorkingDir", "The specified parameter WorkingDir is not valid."},
	{"CreateCommand", []string{"Timeout", "86401"}, 403, "InvalidTimeout.ExceedLimit", "The specified parameter Timeout exceeds the upper limit."},
	{"CreateCommand", []string{"ClientToken", "a b"}, 400, "InvalidClientToken.Malformed", "The specified parameter clientToken is not valid."},
	{"CreateCommand", tags("Tag", 21), 400, "NumberExceed.Tags", "The Tags parameter number is exceed."},
	{
		"CreateCommand",
		[]string{"EnableParameter", "true", "ContentEncoding", "PlainText", "CommandContent", "{{}}"},
		400,
		"CmdParam.EmptyKey", "You must specify the parameter names.",
	},

	{"ModifyCommand", []string{"CommandId", "-"}, 400, "MissingCommandId", "CommandId is mandatory for this action."},
	{"ModifyCommand", []string{"CommandId", "c-x"}, 404, "InvalidCmdId.NotFound", "The specified command ID does not exist."},
	{"ModifyCommand", []string{"Name", strings.Repeat("x", 129)}, 403, "CmdName.ExceedLimit", "The length of the command name exceeds the upper limit."},
	{"ModifyCommand", []string{"Name", "a\tb"}, 403, "InvalidParameterCharacter.CommandName", "The command Name contains illegal characters."},
	{"ModifyCommand", []string{"Timeout", "86401"}, 403, "InvalidTimeout.ExceedLimit", "The specified parameter Timeout exceeds the upper limit."},
	{
		"ModifyCommand",
		[]string{"Launcher", strings.Repeat("x", 1025)},
		403,
		"InvalidLauncher.LengthLimitExceeded", "The length of the parameter Launcher exceeds the limit of 1 KB characters.",
	},

	{"DeleteCommand", []string{"CommandId", "-"}, 400, "MissingCommandId", "CommandId is mandatory for this action."},
	{"DeleteCommand", []string{"CommandId", "c-x"}, 404, "InvalidCmdId.NotFound", "The specified command ID does not exist."},
	{"DeleteCommand", []string{"CommandId", "c-" + core.ID(99).String()}, 404, "InvalidCmdId.NotFound", "The specified command ID does not exist."},
	{"DeleteCommand", []string{"CommandId", "BUSY"}, 403, "Operation.Forbidden", "The operation is not permitted."},

	{"DescribeCommands", []string{"Type", "x"}, 404, "InvalidCommandType.NotFound", "The specified parameter Type does not exist."},
	{"DescribeCommands", []string{"Name", strings.Repeat("x", 129)}, 403, "InvalidName.LengthLimitExceeded", "The length of the parameter Name exceeds the upper limit."},
	{
		"DescribeCommands",
		[]string{"Description", strings.Repeat("x", 513)},
		403,
		"InvalidDescription.LengthLimitExceeded", "The length of the parameter Description exceeds the upper limit.",
	},

	{"StopInvocation", []string{"InvokeId", "-"}, 400, "MissingInvokeId", "InvokeId is mandatory for this action."},
	{"StopInvocation", []string{"InvokeId", "t-x"}, 404, "InvalidInvokeId.NotFound", "The specified invoke ID does not exist."},
	{"StopInvocation", []string{"InvokeId", "t-" + core.ID(99).String()}, 404, "InvalidInvokeId.NotFound", "The specified invoke ID does not exist."},
	{"StopInvocation", []string{"InstanceId.1", "i-nobody"}, 404, "InvalidInstanceId.NotFound", "The specified parameter InstanceId does not exist."},
	{"StopInvocation", []string{"InstanceId.1", "i-windows"}, 404, "InvalidInstanceId.NotFound", "The specified parameter InstanceId does not exist."},
	{"StopInvocation", list("InstanceId", many(51)...), 403, "InstanceIds.ExceedLimit", "The number of instance IDs exceeds the upper limit."},

	{"DescribeInvocations", []string{"Timed", "perhaps"}, 400, "InvalidParameter.Timed", "The specified parameter Timed is not valid."},
	{"DescribeInvocationResults", []string{"IncludeHistory", "true"}, 400, "MissingInvokeId", "InvokeId is mandatory for this action."},
	{"DescribeInvocationResults", []string{"IncludeHistory", "true", "InvokeId", "RUN"}, 403, "Operation.Forbidden", "The operation is not permitted."},

	{"DescribeCloudAssistantStatus", []string{"InstanceId.1", ""}, 400, "MissingParam.InstanceId", "The parameter instanceId is missing or empty."},
	{"DescribeCloudAssistantStatus", []string{"InstanceId.1", "i-nobody"}, 404, "InvalidInstance.NotFound", "The specified instance does not exist."},
	{"DescribeCloudAssistantStatus", list("InstanceId", many(101)...), 403, "InstanceIds.ExceedLimit", "The number of instance IDs exceeds the upper limit."},
	{"DescribeManagedInstances", list("InstanceId", many(51)...), 403, "InstanceIds.ExceedLimit", "The number of instance IDs exceeds the upper limit."},
	{"DescribeManagedInstances", []string{"Connected", "x"}, 400, "InvalidParameter.Connected", "The specified parameter Connected is not valid."},

	{"CreateActivation", []string{"InstanceCount", "0"}, 400, "ActivationLimitation.Invalid", "The specified parameter InstanceCount exceeds the limit of 1000."},
	{"CreateActivation", []string{"InstanceCount", "1001"}, 400, "ActivationLimitation.Invalid", "The specified parameter InstanceCount exceeds the limit of 1000."},
	{"CreateActivation", []string{"TimeToLiveInHours", "0"}, 400, "ActivationTTL.ExceedLimit", "The specified parameter TimeToLiveInHours exceeds the limit of 4."},
	{"CreateActivation", []string{"TimeToLiveInHours", "5"}, 400, "ActivationTTL.ExceedLimit", "The specified parameter TimeToLiveInHours exceeds the limit of 4."},
	{"CreateActivation", []string{"InstanceName", "a"}, 400, "InstanceName.ExceedLimit", "Default instance name prefix length exceeds."},
	{"CreateActivation", []string{"InstanceName", strings.Repeat("a", 51)}, 400, "InstanceName.ExceedLimit", "Default instance name prefix length exceeds."},
	{"CreateActivation", []string{"InstanceName", "1abc"}, 400, "InstanceName.InvalidPattern", "Default instance name prefix pattern invalid."},
	{"CreateActivation", []string{"InstanceName", "a b"}, 400, "InstanceName.InvalidPattern", "Default instance name prefix pattern invalid."},
	{"CreateActivation", []string{"Description", strings.Repeat("a", 101)}, 400, "ActivationDesc.ExceedLimit", "Activation description length exceeds."},
	{"CreateActivation", []string{"IpAddressRange", "10.0.0.0/33"}, 400, "AddressRange.InvalidPattern", "Address range should be ipv4 address or cidr."},
	{"CreateActivation", []string{"IpAddressRange", "fe80::1%eth0"}, 400, "AddressRange.InvalidPattern", "Address range should be ipv4 address or cidr."},
	{"CreateActivation", []string{"ClientToken", "ü"}, 400, "InvalidClientToken.Malformed", "The specified parameter clientToken is not valid."},
	{"CreateActivation", []string{"Tag.1.Key", ""}, 400, "MissingParameter.TagKey", "You must specify Tag.N.Key."},

	{"DisableActivation", []string{"ActivationId", "-"}, 400, "MissingActivationId", "ActivationId is mandatory for this action."},
	{"DisableActivation", []string{"ActivationId", "x"}, 404, "ActivationId.NotFound", "The specified activation id does not exist."},
	{"DisableActivation", []string{"ActivationId", nobody}, 404, "ActivationId.NotFound", "The specified activation id does not exist."},
	{"DeleteActivation", []string{"ActivationId", "-"}, 400, "MissingActivationId", "ActivationId is mandatory for this action."},
	{"DeleteActivation", []string{"ActivationId", "x"}, 404, "ActivationId.NotFound", "The specified activation id does not exist."},
	{"DeleteActivation", []string{"ActivationId", nobody}, 404, "ActivationId.NotFound", "The specified activation id does not exist."},
	{"DeleteActivation", []string{"ActivationId", "USED"}, 403, "ActivationId.InUse", "The specified activation id is in use."},

	{"ModifyManagedInstance", []string{"InstanceId", "-"}, 400, "MissingInstanceId", "InstanceId is mandatory for this action."},
	{"ModifyManagedInstance", []string{"InstanceId", "mi-nobody"}, 404, "InvalidInstance.NotFound", "The specified instances id does not exist."},
	{"ModifyManagedInstance", []string{"InstanceName", "-"}, 400, "MissingInstanceName", "InstanceName is mandatory for this action."},
	{"ModifyManagedInstance", []string{"InstanceName", "a"}, 400, "InstanceName.ExceedLimit", "The specified instance name length exceeds."},
	{"ModifyManagedInstance", []string{"InstanceName", strings.Repeat("a", 129)}, 400, "InstanceName.ExceedLimit", "The specified instance name length exceeds."},
	{"ModifyManagedInstance", []string{"InstanceName", "1abc"}, 400, "InstanceName.InvalidPattern", "The specified instance name pattern invalid."},
	{"ModifyManagedInstance", []string{"InstanceName", "a/b"}, 400, "InstanceName.InvalidPattern", "The specified instance name pattern invalid."},
	{"ModifyManagedInstance", []string{"InstanceName", "a\xff"}, 400, "InstanceName.InvalidPattern", "The specified instance name pattern invalid."},
	{"ModifyManagedInstance", []string{"InstanceName", "https://a"}, 400, "InstanceName.InvalidPattern", "The specified instance name pattern invalid."},

	{"DeregisterManagedInstance", []string{"InstanceId", "-"}, 400, "MissingInstanceId", "InstanceId is mandatory for this action."},
	{"DeregisterManagedInstance", []string{"InstanceId", "mi-nobody"}, 404, "InvalidInstance.NotFound", "The specified instance id does not exist."},
	{
		"DeregisterManagedInstance",
		[]string{"ClientToken", strings.Repeat("x", 65)},
		400,
		"InvalidClientToken.Malformed", "The specified parameter clientToken is not valid.",
	},
	{"DeregisterManagedInstance", []string{"ClientToken", "ü"}, 400, "InvalidClientToken.Malformed", "The specified parameter clientToken is not valid."},

	{"DescribeInstances", []string{"InstanceIds", "i-linux"}, 400, "InvalidParameter.InstanceIds", "The specified parameter InstanceIds is not valid."},
	{"DescribeInstances", []string{"InstanceIds", "[1]"}, 400, "InvalidParameter.InstanceIds", "The specified parameter InstanceIds is not valid."},
	{"DescribeInstances", []string{"InstanceIds.1", "i-linux"}, 400, "InvalidParameter.InstanceIds", "The specified parameter InstanceIds is not valid."},
	{"DescribeInstances", []string{"InstanceIds", array(101)}, 403, "InstanceIds.ExceedLimit", "The number of instance IDs exceeds the upper limit."},
	{
		"DescribeInstances",
		[]string{"PrivateIpAddresses", `{"a":1}`},
		400,
		"InvalidParameter.PrivateIpAddresses", "The specified parameter PrivateIpAddresses is not valid.",
	},
	{
		"DescribeInstances",
		[]string{"PrivateIpAddresses", array(101)},
		400,
		"InvalidParameter.PrivateIpAddresses", "The specified parameter PrivateIpAddresses is not valid.",
	},
	{"DescribeInstances", []string{"PageNumber", "0"}, 400, "InvalidParam.PageNumber", "The specified parameter is invalid."},
	{"DescribeInstances", []string{"PageNumber", "x"}, 400, "InvalidParam.PageNumber", "The specified parameter is invalid."},
	{"DescribeInstances", []string{"PageSize", "0"}, 400, "InvalidParam.PageSize", "The specified parameter is invalid."},
	{"DescribeInstances", []string{"PageSize", "101"}, 400, "InvalidParam.PageSize", "The specified parameter is invalid."},
	{"DescribeInstances", []string{"MaxResults", "ten"}, 400, "InvalidParameter.MaxResults", "The specified parameter MaxResults is not valid."},
	{"DescribeInstances", []string{"NextToken", "AAAAAdDWBF2"}, 400, "InvalidParameter.NextToken", "The specified parameter NextToken is not valid."},
	{"DescribeInstances", tags("Tag", 21), 400, "NumberExceed.Tags", "The Tags parameter number is exceed."},
	{"DescribeInstances", []string{"Tag.1.Key", "k", "Tag.2.Key", "k"}, 400, "Duplicate.TagKey", "The Tag.N.Key contain duplicate key."},
	{"DescribeInstances", []string{"Tag.1.Value", "v"}, 400, "MissingParameter.TagKey", "You must specify Tag.N.Key."},
	{"DescribeInstances", []string{"Tag.1.Key", "acs:x"}, 400, "InvalidTagKey.Malformed", "The specified Tag.n.Key is not valid."},
	{"DescribeInstances", []string{"Tag.1.Key", "k", "Tag.1.Value", "http://x"}, 400, "InvalidTagValue.Malformed", "The specified Tag.n.Value is not valid."},
	{"DescribeInstanceStatus", list("InstanceId", many(101)...), 403, "InstanceIds.ExceedLimit", "The number of instance IDs exceeds the upper limit."},
}

const badName = "Invalid parameter name. The name can contain only lowercase letters (a to z), uppercase letters (A to Z), numbers (0 to 9), " +
	"hyphens (-), and underscores (_)."

// nobody is the id of an activation that does not exist.
const nobody = "4ECEEE12-56F1-4FBC-9AB1-890F12340000"

func array(n int) string { return `["` + strings.Join(many(n), `","`) + `"]` }

func object(n int) string {
	pairs := make([]string, n)
	for i := range pairs {
		pairs[i] = fmt.Sprintf(`"p%d":"v"`, i)
	}
	return "{" + strings.Join(pairs, ",") + "}"
}

func placeholders(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "{{ p%d }}", i)
	}
	return b.String()
}

func many(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = "i-linux"
	}
	return ids
}

func tags(name string, n int) []string {
	var pairs []string
	for i := range n {
		pairs = append(pairs, fmt.Sprintf("%s.%d.Key", name, i+1), fmt.Sprintf("k%d", i))
	}
	return pairs
}

// stage sets the scene of the mistakes and returns a call of each action that works.
func stage(t *testing.T, s *scene.Scene, c *caller.Client) map[string]caller.Params {
	t.Helper()
	linux := s.Node("i-linux")
	s.Online(linux, s.NodeOn(core.Windows, "i-windows"))
	var open struct{ ActivationId string }
	c.Call("CreateActivation", nil).Into(t, &open)
	create := caller.Params{"Name": "n", "Type": "RunShellScript", "CommandContent": "ZWNobw=="}
	command := func(p caller.Params) string {
		var made struct{ CommandId string }
		c.Call("CreateCommand", p).Into(t, &made)
		return made.CommandId
	}
	plain, busy := command(create), command(create.With("Name", "busy"))
	params := command(create.With("EnableParameter", "true", "ContentEncoding", "PlainText", "CommandContent", "echo {{ name }}"))
	started, _ := run(t, c, shell("i-linux").With("ClientToken", "used"))
	c.Call("InvokeCommand", caller.Params{"CommandId": busy, "InstanceId.1": "i-linux"}).Into(t, &struct{}{})
	return map[string]caller.Params{
		"RunCommand":     shell("i-linux").With("KeepCommand", "false"),
		"InvokeCommand":  {"CommandId": plain, "InstanceId.1": "i-linux"},
		"CreateCommand":  create,
		"ModifyCommand":  {"CommandId": plain},
		"DeleteCommand":  {"CommandId": plain},
		"StopInvocation": {"InvokeId": started.InvokeId},

		"DisableActivation":         {"ActivationId": open.ActivationId},
		"DeleteActivation":          {"ActivationId": open.ActivationId},
		"ModifyManagedInstance":     {"InstanceId": "i-linux", "InstanceName": "web"},
		"DeregisterManagedInstance": {"InstanceId": "i-linux"},

		"names": {"PARAMS": params, "BUSY": busy, "RUN": started.InvokeId, "USED": linux.Registration.UUID()},
	}
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	works := stage(t, s, c)
	before := tally(t, s)
	for _, m := range mistakes {
		p := works[m.action].With(m.params...)
		if len(m.params) == 2 && m.params[1] == "-" && m.params[0] == "RegionId" {
			p = p.With("RegionId", "")
		}
		for name, value := range p {
			if id, ok := works["names"][value]; ok {
				p[name] = id
			}
		}
		a := c.Call(m.action, p)
		if a.Status != m.status || a.Code != m.code || a.Text != m.message {
			t.Errorf("%s %.80q:\ngot  %d %s %s\nwant %d %s %s", m.action, m.params, a.Status, a.Code, a.Text, m.status, m.code, m.message)
		}
	}
	if after := tally(t, s); after != before {
		t.Errorf("stored commands, invocations, codes: %v before, %v after", before, after)
	}
}

// TestPagingMistakes covers every listing: the two old parameters have another status in one of them.
func TestPagingMistakes(t *testing.T) {
	t.Parallel()
	_, c := open(t)
	for action, status := range map[string]int{
		"DescribeCommands": 400, "DescribeInvocations": 400, "DescribeInvocationResults": 400, "DescribeActivations": 400,
		"DescribeManagedInstances": 400, "DescribeInstanceStatus": 400, "DescribeCloudAssistantStatus": 403, "ListPluginStatus": 400,
	} {
		for _, m := range []struct {
			params        caller.Params
			status        int
			code, message string
		}{
			{caller.Params{"PageNumber": "0"}, status, "InvalidParam.PageNumber", "The specified parameter is invalid."},
			{caller.Params{"PageNumber": "x"}, status, "InvalidParam.PageNumber", "The specified parameter is invalid."},
			{caller.Params{"PageNumber": "10002"}, status, "InvalidParam.PageNumber", "The specified parameter is invalid."},
			{caller.Params{"PageNumber": "9223372036854775807"}, status, "InvalidParam.PageNumber", "The specified parameter is invalid."},
			{caller.Params{"PageSize": "0"}, status, "InvalidParam.PageSize", "The specified parameter is invalid."},
			{caller.Params{"PageSize": "51"}, status, "InvalidParam.PageSize", "The specified parameter is invalid."},
			{caller.Params{"PageSize": "ten"}, status, "InvalidParam.PageSize", "The specified parameter is invalid."},
			{caller.Params{"MaxResults": "0"}, 400, "InvalidParameter.MaxResults", "The specified parameter MaxResults is not valid."},
			{caller.Params{"MaxResults": "51"}, 400, "InvalidParameter.MaxResults", "The specified parameter MaxResults is not valid."},
			{caller.Params{"MaxResults": "ten"}, 400, "InvalidParameter.MaxResults", "The specified parameter MaxResults is not valid."},
			{caller.Params{"NextToken": "AAAAAdDWBF2"}, 400, "InvalidParameter.NextToken", "The specified parameter NextToken is not valid."},
		} {
			a := c.Call(action, m.params.With("Name", "errand-agent")) // which is what one listing wants to have
			if a.Status != m.status || a.Code != m.code || a.Text != m.message {
				t.Errorf("%s %v: %d %s %s, want %d %s", action, m.params, a.Status, a.Code, a.Text, m.status, m.code)
			}
		}
		if action == "DescribeCloudAssistantStatus" || action == "ListPluginStatus" {
			continue // it takes no labels
		}
		if action == "DescribeCommands" || action == "DescribeInvocations" || action == "DescribeInvocationResults" {
			for _, m := range mistakes {
				if m.action == "RunCommand" && len(m.params) > 0 && strings.HasPrefix(m.params[0], "Tag.") {
					if a := c.Call(action, caller.Params(nil).With(m.params...)); a.Status != m.status || a.Code != m.code || a.Text != m.message {
						t.Errorf("%s %.80q: %d %s, want %s", action, m.params, a.Status, a.Code, m.code)
					}
				}
			}
		}
	}
}

// TestRegionIsWanted covers every action but the one that tells the regions.
func TestRegionIsWanted(t *testing.T) {
	t.Parallel()
	_, c := open(t)
	delete(c.Common, "RegionId")
	full := caller.Params{
		"CommandId": "c-x", "InvokeId": "t-x", "Type": "RunShellScript", "CommandContent": "x", "Name": "x", "ActivationId": "x",
		"InstanceName": "x", "SettingType": "x",
	}
	for _, action := range []string{
		"CreateCommand", "DescribeCommands", "ModifyCommand", "DeleteCommand", "RunCommand", "InvokeCommand", "StopInvocation",
		"DescribeInvocations", "DescribeInvocationResults", "DescribeCloudAssistantStatus", "DescribeManagedInstances",
		"CreateActivation", "DescribeActivations", "DisableActivation", "DeleteActivation", "ModifyManagedInstance",
		"DeregisterManagedInstance", "DescribeInstances", "DescribeInstanceStatus", "InstallCloudAssistant", "ListPluginStatus",
		"DescribeCloudAssistantSettings", "ModifyCloudAssistantSettings",
	} {
		full := full
		if strings.HasSuffix(action, "ManagedInstance") { // elsewhere it is a list
			full = full.With("InstanceId", "x")
		}
		if action == "DescribeCloudAssistantSettings" {
			full = full.With("SettingType", `["x"]`)
		}
		if a := c.Call(action, full); a.Status != 400 || a.Code != "MissingRegionId" {
			t.Errorf("%s without a region: %d %s", action, a.Status, a.Code)
		}
		if a := c.Call(action, full.With("RegionId", "nowhere")); a.Status != 404 || a.Code != "InvalidRegionId.NotFound" {
			t.Errorf("%s in an unknown region: %d %s", action, a.Status, a.Code)
		}
	}
	if a := c.Call("DescribeRegions", nil); a.Status != 200 {
		t.Errorf("DescribeRegions without a region: %d %s", a.Status, a.Code)
	}
}

// TestActivationQuota uses up the vendor's ten activations; codes that are over make room.
func TestActivationQuota(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	for range 10 {
		c.Call("CreateActivation", caller.Params{"TimeToLiveInHours": "1"}).Into(t, &struct{}{})
	}
	a := c.Call("CreateActivation", nil)
	if a.Status != 400 || a.Code != "ActivationCount.ExceedLimit" || a.Text != "The count of activation in current region exceeds the limit of 10." {
		t.Errorf("eleventh activation: %d %s %s", a.Status, a.Code, a.Text)
	}
	s.Advance(3601e9)
	c.Call("CreateActivation", nil).Into(t, &struct{}{})
}

func TestUnsavedCommandIsNoCommand(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	s.Node("i-linux")
	r, _ := run(t, c, shell("i-linux"))
	if _, ok := api.CommandID(r.CommandId); !ok {
		t.Fatalf("command id %s", r.CommandId)
	}
	a := c.Call("InvokeCommand", caller.Params{"CommandId": r.CommandId, "InstanceId.1": "i-linux"})
	if a.Code != "InvalidCmdId.NotFound" {
		t.Errorf("invoking a command that was not kept: %d %s", a.Status, a.Code)
	}
}
