package apitest_test

// attempts covers every action of every dialect. What comes first is looked at, what comes last is changed and removed, in an order in which
// the owner of it all can do so.
var attempts = concat(reading, paging, changing)

func concat(lists ...[]attempt) (all []attempt) {
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

func region(pairs ...any) rows {
	r := rows{"RegionId": "cn-hangzhou"}
	for i := 0; i < len(pairs); i += 2 {
		r[pairs[i].(string)] = pairs[i+1] //nolint:forcetypeassert // a table's own mistake
	}
	return r
}

// by is a filter of TAT.
func by(name string, values ...string) rows {
	return rows{"Filters": []rows{{"Name": name, "Values": values}}}
}

var (
	gen      = []string{"$gen"}
	prod     = []rows{{"Key": "env", "Value": "prod"}}
	theirs   = []rows{{"Key": "word", "Value": "alpha"}}
	settings = region("SettingType", []string{"AgentUpgradeConfig"})
)

const (
	own    = true
	noECS  = "InvalidInstance.NotFound"
	noEFLO = "InvalidNode.NotFound"
	noTag  = "InvalidResourceId.NotFound"
)

var reading = []attempt{
	{"ecs", "DescribeCommands", region(), "", own},
	{"ecs", "DescribeCommands", region("Name", "deploy"), "", own},
	{"ecs", "DescribeCommands", region("Tag", prod), "", own},
	{"ecs", "DescribeCommands", region("Tag", theirs), "", false},
	{"ecs", "DescribeCommands", region("Description", "alpha*"), "", false},
	{"ecs", "DescribeCommands", region("CommandId", "$command"), "", false},
	{"ecs", "DescribeCommands", region("CommandId", "$prepared"), "", false},
	{"ecs", "DescribeInvocations", region(), "", own},
	{"ecs", "DescribeInvocations", region("CommandName", "deploy", "Tag", prod), "", own},
	{"ecs", "DescribeInvocations", region("InstanceId", "web-1", "IncludeOutput", true), "", own},
	{"ecs", "DescribeInvocations", region("InvokeId", "$invocation", "IncludeOutput", true), "", false},
	{"ecs", "DescribeInvocations", region("InvokeId", "$standing"), "", false},
	{"ecs", "DescribeInvocations", region("CommandId", "$command"), "", false},
	{"ecs", "DescribeInvocations", region("InstanceId", "$gen"), "", false},
	{"ecs", "DescribeInvocations", region("Tag", theirs), "", false},
	{"ecs", "DescribeInvocationResults", region(), "", own},
	{"ecs", "DescribeInvocationResults", region("Tag", prod), "", own},
	{"ecs", "DescribeInvocationResults", region("InstanceId", "web-1"), "", own},
	{"ecs", "DescribeInvocationResults", region("InvokeId", "$invocation"), "", false},
	{"ecs", "DescribeInvocationResults", region("InvokeId", "$standing", "IncludeHistory", true), "", false},
	{"ecs", "DescribeInvocationResults", region("CommandId", "$unkept"), "", false},
	{"ecs", "DescribeInvocationResults", region("InstanceId", "$gen"), "", false},
	{"ecs", "DescribeSendFileResults", region(), "", own},
	{"ecs", "DescribeSendFileResults", region("Name", "motd", "Tag", prod), "", own},
	{"ecs", "DescribeSendFileResults", region("InvokeId", "$sent"), "", false},
	{"ecs", "DescribeSendFileResults", region("InstanceId", "$gen"), "", false},
	{"ecs", "DescribeCloudAssistantStatus", region(), "", own},
	{"ecs", "DescribeCloudAssistantStatus", region("InstanceId", gen), noECS, false},
	{"ecs", "DescribeManagedInstances", region(), "", own},
	{"ecs", "DescribeManagedInstances", region("Tag", prod), "", own},
	{"ecs", "DescribeManagedInstances", region("InstanceId", gen), "", false},
	{"ecs", "DescribeManagedInstances", region("ActivationId", "$activation"), "", false},
	{"ecs", "DescribeActivations", region(), "", own},
	{"ecs", "DescribeActivations", region("InstanceName", "lab", "Tag", prod), "", own},
	{"ecs", "DescribeActivations", region("ActivationId", "$activation"), "", false},
	{"ecs", "DescribeInstances", region(), "", own},
	{"ecs", "DescribeInstances", region("Tag", prod, "InstanceName", "*"), "", own},
	{"ecs", "DescribeInstances", region("Tag", theirs, "InstanceName", "*"), "", false},
	{"ecs", "DescribeInstanceStatus", region(), "", own},
	{"ecs", "DescribeInstanceStatus", region("InstanceId", gen), "", false},
	{"ecs", "DescribeTerminalSessions", region(), "", own},
	{"ecs", "DescribeTerminalSessions", region("SessionId", "$session"), "", false},
	{"ecs", "DescribeTerminalSessions", region("InstanceId", "$gen"), "", false},
	{"ecs", "DescribeCloudAssistantSettings", settings, "", own},
	{"ecs", "DescribeRegions", rows{}, "", false},
	{"ecs", "ListPluginStatus", region("InstanceId", gen), noECS, false},
	{"ecs", "ListTagResources", region("ResourceType", "command", "Tag", prod), "", own},
	{"ecs", "ListTagResources", region("ResourceType", "instance", "Tag", theirs), "", false},
	{"ecs", "ListTagResources", region("ResourceType", "command", "ResourceId", []string{"$command"}), noTag, false},
	{"ecs", "ListTagResources", region("ResourceType", "invocation", "ResourceId", []string{"$invocation"}), noTag, false},
	{"ecs", "ListTagResources", region("ResourceType", "activation", "ResourceId", []string{"$activation"}), noTag, false},
	{"ecs", "ListTagResources", region("ResourceType", "managedinstance", "ResourceId", gen), noTag, false},

	{"eflo", "DescribeInvocations", rows{"InvokeId": "$invocation", "IncludeOutput": true}, "", false},
	{"eflo", "DescribeInvocations", rows{"InvokeId": "$invocation", "NodeId": "web-1"}, "", false},
	{"eflo", "DescribeSendFileResults", rows{"InvokeId": "$sent"}, "", false},
	{"eflo", "DescribeNode", rows{"NodeId": "$gen"}, noEFLO, false},
	{"eflo", "DescribeNode", rows{"NodeId": "web-1"}, "", false},
	{"eflo", "ListClusters", rows{}, "", own},
	{"eflo", "ListClusterNodes", rows{"ClusterId": "$cluster"}, "", false},
	{"eflo", "ListFreeNodes", rows{}, "", false},
	{"eflo", "DescribeRegions", rows{}, "", false},
	{"eflo", "ListTagResources", region("ResourceType", "Node", "Tag", prod), "", own},
	{"eflo", "ListTagResources", region("ResourceType", "Node", "ResourceId", gen), noTag, false},
	{"eflo", "ListTagResources", region("ResourceType", "Cluster", "ResourceId", []string{"$cluster"}), noTag, false},

	{"tat", "DescribeCommands", rows{}, "", own},
	{"tat", "DescribeCommands", rows{"CommandIds": []string{"$prepared", "$command"}}, "", false},
	{"tat", "DescribeCommands", by("command-name", "tat-deploy"), "", own},
	{"tat", "DescribeCommands", by("tag:word", "alpha"), "", false},
	{"tat", "DescribeInvocations", rows{}, "", own},
	{"tat", "DescribeInvocations", rows{"InvocationIds": []string{"$invocation"}}, "", false},
	{"tat", "DescribeInvocations", by("command-id", "$command"), "", false},
	{"tat", "DescribeInvocationTasks", rows{"HideOutput": false}, "", own},
	{"tat", "DescribeInvocationTasks", rows{"InvocationTaskIds": []string{"$task"}, "HideOutput": false}, "", false},
	{"tat", "DescribeInvocationTasks", by("invocation-id", "$invocation"), "", false},
	{"tat", "DescribeInvocationTasks", by("instance-id", "$gen"), "", false},
	{"tat", "DescribeInvocationTasks", by("instance-id", "web-1"), "", own},
	{"tat", "DescribeInvokers", rows{}, "", own},
	{"tat", "DescribeInvokers", rows{"InvokerIds": []string{"$invoker"}}, "", false},
	{"tat", "DescribeInvokers", by("command-id", "$prepared"), "", false},
	{"tat", "DescribeInvokerRecords", rows{}, "", own},
	{"tat", "DescribeInvokerRecords", rows{"InvokerIds": []string{"$once"}}, "", false},
	{"tat", "DescribeInvocations", rows{"InvocationIds": []string{"$fired"}}, "", false},
	{"tat", "DescribeAutomationAgentStatus", rows{}, "", own},
	{"tat", "DescribeAutomationAgentStatus", rows{"InstanceIds": gen}, "", false},
	{"tat", "DescribeRegisterCodes", rows{}, "", own},
	{"tat", "DescribeRegisterCodes", rows{"RegisterCodeIds": []string{"$register", "$activation"}}, "", false},
	{"tat", "DescribeRegisterInstances", rows{}, "", own},
	{"tat", "DescribeRegisterInstances", rows{"InstanceIds": gen}, "", false},
	{"tat", "DescribeRegisterInstances", by("tag:word", "alpha"), "", false},
	{"tat", "DescribeRegisterInstances", by("tag:env", "prod"), "", own},
	{"tat", "DescribeRegions", rows{}, "", false},
	{"tat", "DescribeQuotas", rows{"ResourceNames": []string{"COMMAND", "REGISTER_CODE"}}, "", false},
	{"tat", "DescribeScenes", rows{}, "", false},
	{"tat", "PreviewReplacedCommandContent", rows{"CommandId": "$prepared"}, "ResourceNotFound.CommandNotFound", false},

	{"zos", "DescribeCommands", rows{}, "", own},
	{"zos", "DescribeCommands", rows{"commandIds": []string{"$shelf", "$command"}}, "", false},
	{"zos", "DescribeCommands", rows{"name": "shelf"}, "", own},
	{"zos", "DescribeCommands", rows{"tags": []rows{{"key": "word", "value": "alpha"}}}, "", false},
	{"zos", "DescribeCommands", rows{"tags": []rows{{"key": "env", "value": "prod"}}}, "", own},
	{"zos", "DescribeCommandInvocations", rows{}, "", own},
	{"zos", "DescribeCommandInvocations", rows{"invocationIds": []string{"$invocation"}}, "", false},
	{"zos", "DescribeCommandInvocations", rows{"commandIds": []string{"$unkept"}}, "", false},
	{"zos", "DescribeCommandInvocations", rows{"instanceIds": gen}, "", false},
	{"zos", "DescribeCommandInvocations", rows{"instanceIds": []string{"web-1"}}, "", own},
}

// paging goes on with the pages that another began.
var paging = func() (list []attempt) {
	for _, action := range []string{
		"DescribeCommands", "DescribeInvocations", "DescribeSendFileResults", "DescribeActivations", "DescribeManagedInstances",
		"DescribeCloudAssistantStatus", "DescribeTerminalSessions", "DescribeInvocationResults",
	} {
		list = append(list, attempt{"ecs", action, region("MaxResults", 1, "NextToken", "$next "+action), "InvalidParameter.NextToken", false})
	}
	for _, action := range []string{"ListClusters", "ListFreeNodes"} {
		list = append(list, attempt{"eflo", action, rows{"MaxResults": 1, "NextToken": "$next " + action}, "InvalidParameter.NextToken", false})
	}
	return list
}()

var changing = []attempt{
	{"ecs", "CreateCommand", region("Name", "deploy", "Type", "RunShellScript", "CommandContent", "dHJ1ZQ==", "ClientToken", "again"), "", false},
	{"ecs", "RunCommand", region("Type", "RunShellScript", "CommandContent", "true", "InstanceId", gen), noECS, false},
	{"ecs", "RunCommand", region("Type", "RunShellScript", "CommandContent", "true", "ResourceTag", theirs), "InvalidResourceTag.InstanceNotFound", false},
	{"ecs", "RunCommand", region("Type", "RunShellScript", "CommandContent", "true", "ResourceTag", prod), "", false},
	{"ecs", "RunCommand", region("Type", "RunShellScript", "CommandContent", "true", "InstanceId", []string{"web-1"}), "", false},
	{"ecs", "InvokeCommand", region("CommandId", "$command", "InstanceId", []string{"web-1"}), "InvalidCmdId.NotFound", false},
	{"ecs", "ModifyInvocationAttribute", region("InvokeId", "$standing", "Frequency", "rate(7m)"), "InvalidInvokeId.NotFound", false},
	{"ecs", "StopInvocation", region("InvokeId", "$standing"), "InvalidInvokeId.NotFound", false},
	{"ecs", "StopInvocation", region("InvokeId", "$open"), "InvalidInvokeId.NotFound", false},
	{"ecs", "SendFile", region("Name", "motd", "TargetDir", "/etc", "Content", "x", "InstanceId", gen), noECS, false},
	{"ecs", "InstallCloudAssistant", region("InstanceId", gen), noECS, false},
	{"ecs", "ModifyCloudAssistantSettings", region("SettingType", "AgentUpgradeConfig", "AgentUpgradeConfig", `{"TimeZone":"UTC"}`), "", false},
	{"ecs", "StartTerminalSession", region("InstanceId", gen), noECS, false},
	{"ecs", "EndTerminalSession", region("SessionId", "$session"), "InvalidSessionId.NotFound", false},
	{"ecs", "TagResources", region("ResourceType", "command", "ResourceId", []string{"$command"}, "Tag", prod), noTag, false},
	{"ecs", "TagResources", region("ResourceType", "invocation", "ResourceId", []string{"$sent"}, "Tag", prod), noTag, false},
	{"ecs", "TagResources", region("ResourceType", "instance", "ResourceId", gen, "Tag", prod), noTag, false},
	{"ecs", "UntagResources", region("ResourceType", "invocation", "ResourceId", []string{"$invocation"}, "All", true), noTag, false},
	{"ecs", "UntagResources", region("ResourceType", "activation", "ResourceId", []string{"$activation"}, "All", true), noTag, false},
	{"ecs", "CreateActivation", region(), "", false},
	{"ecs", "DisableActivation", region("ActivationId", "$activation"), "ActivationId.NotFound", false},
	{"ecs", "DeleteActivation", region("ActivationId", "$activation"), "ActivationId.NotFound", false},
	{"ecs", "ModifyCommand", region("CommandId", "$idle", "Name", "mine"), "InvalidCmdId.NotFound", false},
	{"ecs", "DeleteCommand", region("CommandId", "$idle"), "InvalidCmdId.NotFound", false},
	{"ecs", "ModifyManagedInstance", region("InstanceId", "$gen", "InstanceName", "mine"), noECS, false},

	{"eflo", "RunCommand", rows{"CommandContent": "true", "NodeIdList": `["web-1"]`}, "", false},
	{"eflo", "RunCommand", rows{"CommandContent": "true", "NodeIdList.1": "$gen"}, noEFLO, false},
	{"eflo", "RunCommand", rows{"CommandId": "$command", "NodeIdList": `["web-1"]`}, "InvalidCmdId.NotFound", false},
	{"eflo", "StopInvocation", rows{"InvokeId": "$sent"}, "InvalidInvokeId.NotFound", false},
	{"eflo", "SendFile", rows{"Name": "motd", "TargetDir": "/etc", "Content": "x", "NodeIdList.1": "$gen"}, noEFLO, false},
	{"eflo", "CreateSession", rows{"NodeId": "$gen"}, noEFLO, false},
	{"eflo", "CloseSession", rows{"SessionId": "$door", "SessionToken": "$doorkey"}, "InvalidSessionId.NotFound", false},
	{"eflo", "TagResources", region("ResourceType", "Node", "ResourceId", gen, "Tag", prod), noTag, false},
	{"eflo", "TagResources", region("ResourceType", "Cluster", "ResourceId", []string{"$cluster"}, "Tag", prod), noTag, false},
	{"eflo", "UntagResources", region("ResourceType", "Node", "ResourceId", gen, "TagKey", []string{"env"}), noTag, false},

	{"tat", "CreateCommand", rows{"CommandName": "tat-new", "Content": "dHJ1ZQ=="}, "", false},
	{"tat", "ModifyCommand", rows{"CommandId": "$prepared", "Description": "mine"}, "ResourceNotFound.CommandNotFound", false},
	{"tat", "RunCommand", rows{"Content": "dHJ1ZQ==", "InstanceIds": gen}, "ResourceNotFound.InstanceNotFound", false},
	{"tat", "InvokeCommand", rows{"CommandId": "$prepared", "InstanceIds": []string{"web-1"}}, "ResourceNotFound.CommandNotFound", false},
	{"tat", "CancelInvocation", rows{"InvocationId": "$invocation"}, "ResourceNotFound.InvocationNotFound", false},
	{"tat", "CreateInvoker", rows{
		"Name": "nightly", "Type": "SCHEDULE", "CommandId": "$spared", "InstanceIds": []string{"web-1"},
		"ScheduleSettings": rows{"Policy": "RECURRENCE", "Recurrence": "0 0 * * *"},
	}, "ResourceNotFound.CommandNotFound", false},
	{"tat", "ModifyInvoker", rows{"InvokerId": "$invoker", "Name": "mine"}, "ResourceNotFound", false},
	{"tat", "DisableInvoker", rows{"InvokerId": "$invoker"}, "ResourceNotFound", false},
	{"tat", "EnableInvoker", rows{"InvokerId": "$invoker"}, "ResourceNotFound", false},
	{"tat", "DeleteInvoker", rows{"InvokerId": "$invoker"}, "ResourceNotFound", false},
	{"tat", "CreateRegisterCode", rows{}, "", false},
	{"tat", "DisableRegisterCodes", rows{"RegisterCodeIds": []string{"$register"}}, "ResourceNotFound.RegisterCodesNotFoundCode", false},
	{"tat", "DeleteRegisterCodes", rows{"RegisterCodeIds": []string{"$register"}}, "ResourceNotFound.RegisterCodesNotFoundCode", false},
	{"tat", "ModifyRegisterInstance", rows{"InstanceId": "$gen", "InstanceName": "mine"}, "ResourceNotFound.RegisterInstanceNotFoundCode", false},

	{"zos", "CreateCommand", rows{"name": "shelf", "content": "true", "type": "SHELL"}, "", false},
	{"zos", "InvokeCommand", rows{"commandId": "$shelf", "instanceIds": []string{"web-1"}}, "INVALID_COMMAND_NOT_FOUND", false},
	{"zos", "ModifyCommand", rows{"commandId": "$idle2", "description": "mine"}, "INVALID_COMMAND_NOT_FOUND", false},
	{"zos", "DeleteCommand", rows{"commandId": "$idle2"}, "INVALID_COMMAND_NOT_FOUND", false},

	// The last: what is gone could not be used any more. Both have a web-1.
	{"tat", "DeleteCommands", rows{"CommandIds": []string{"$spared2"}}, "ResourceNotFound.CommandNotFound", false},
	{"tat", "DeleteCommand", rows{"CommandId": "$spared3"}, "ResourceNotFound.CommandNotFound", false},
	{"tat", "DeleteRegisterInstance", rows{"InstanceId": "$spare"}, "ResourceNotFound.RegisterInstanceNotFoundCode", false},
	{"ecs", "DeregisterManagedInstance", region("InstanceId", "$gen"), noECS, false},
	{"ecs", "DeregisterManagedInstance", region("InstanceId", "web-1"), "", false},
}
