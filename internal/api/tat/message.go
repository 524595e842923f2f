package tat

import (
	"cmp"
	"strings"
)

// sentence is what a code means, in the two languages that callers may choose.
type sentence struct{ en, zh string }

var sentences = map[code]sentence{
	codeInvalidAuthorization: {"The Authorization header cannot be read.", "请求头 Authorization 格式不正确。"},
	codeKeyShape:             {"This is not an API key id.", "密钥 ID 格式不正确。"},
	codeKeyUnknown:           {"There is no such key, or it is disabled.", "密钥不存在或已被禁用。"},
	codeSignatureExpire:      {"The request was signed too long ago, or by a clock that is wrong.", "签名已过期，请检查本机时间。"},
	codeSignatureFailure:     {"The signature does not belong to this request and key.", "签名验证失败。"},
	codeTemporaryKey:         {"The token is wrong or has expired.", "临时密钥的 Token 错误或已过期。"},
	codeInternal:             {"Internal error. The server's log has its cause under this request id.", "内部错误，请凭 RequestId 查询服务端日志。"},
	codeInvalidAction:        {"There is no such action.", "接口不存在。"},
	codeInvalidParameter:     {"A parameter is wrong.", "参数错误。"},
	codeInvalidValue:         {"The value of a parameter is not allowed.", "参数取值错误。"},
	codeInvalidRequest:       {"The body is in a form that is not taken.", "不支持此请求体格式。"},
	codeLimitExceeded:        {"A limit is reached.", "已达到配额上限。"},
	codeMissingParameter:     {"A required parameter is missing.", "缺少必需的参数。"},
	codeNoSuchVersion:        {"There is no such version of the API.", "接口版本不存在。"},
	codeRequestLimit:         {"There were too many requests.", "请求次数超过频率限制。"},
	codeRequestSize:          {"The request is too large.", "请求包超过大小限制。"},
	codeResourceInUse:        {"The resource is in use.", "资源被占用。"},
	codeUnknownParameter:     {"The action has no such parameter.", "未知参数。"},
	codeUnsupportedProtocol:  {"The request came in a way that is not supported.", "不支持此请求方式。"},
	codeUnsupportedRegion:    {"There is no such region.", "不支持此地域。"},

	codeTagOperation:       {"The tags are not allowed.", "标签操作失败。"},
	codeNoFilter:           {"There is no such filter.", "过滤条件不存在。"},
	codeConflict:           {"These parameters exclude each other.", "参数冲突。"},
	codeUserOfRun:          {"The user name is not allowed.", "用户名不合法。"},
	codeConfDuplicated:     {"A parameter is named twice.", "参数名重复。"},
	codeUnsupportedType:    {"The instance cannot run commands of this type.", "实例不支持此类型的命令。"},
	codeContentInvalid:     {"The content is not Base64.", "命令内容不是合法的 Base64 编码。"},
	codeID:                 {"This is not an id.", "ID 不合法。"},
	codeNameDuplicated:     {"Another command has this name.", "命令名称重复。"},
	codeNotRelated:         {"The instance is not part of this invocation.", "实例与该执行活动无关。"},
	codeCommandID:          {"This is not a command id.", "命令 ID 不合法。"},
	codeCommandName:        {"The command name is not allowed.", "命令名称不合法。"},
	codeContentEmpty:       {"The content is empty.", "命令内容不合法。"},
	codeCronExpression:     {"The schedule is not allowed.", "定时表达式不合法。"},
	codeFilter:             {"The filter is not allowed.", "过滤条件不合法。"},
	codeInconsistent:       {"Instances of different kinds cannot be named together.", "不能同时指定不同类型的实例。"},
	codeInstanceID:         {"This is not an instance id.", "实例 ID 不合法。"},
	codeInvocationID:       {"This is not an invocation id.", "执行活动 ID 不合法。"},
	codeInvocationTaskID:   {"This is not an invocation task id.", "执行任务 ID 不合法。"},
	codeInvokerID:          {"This is not an invoker id.", "执行器 ID 不合法。"},
	codeBucketURL:          {"The bucket's address is not allowed.", "OutputCOSBucketUrl 不合法。"},
	codeKeyPrefix:          {"The key prefix is not allowed.", "OutputCOSKeyPrefix 不合法。"},
	codeRegisterCodeID:     {"This is not a register code id.", "注册码 ID 不合法。"},
	codeRegisterInstanceID: {"This is not the id of a managed instance.", "托管实例 ID 不合法。"},
	codeSceneID:            {"This is not a scene id.", "场景 ID 不合法。"},
	codeSceneName:          {"The scene name is not allowed.", "场景名称不合法。"},
	codeTimeFormat:         {"This is not a time.", "时间格式不合法。"},
	codeUser:               {"The user name is not allowed.", "用户名不合法。"},
	codeWorkingDirectory:   {"The working directory is not allowed.", "命令执行路径不合法。"},
	codeInvokeTimeExpired:  {"The time of the invocation is over.", "执行时间已过期。"},
	codeLackOfInfo:         {"The command has a parameter without a value.", "缺少自定义参数的取值。"},
	codeLackOfParameters:   {"Parameters are missing.", "未提供 Parameters。"},
	codeValueLimit:         {"There are too many entries.", "数量超过限制。"},
	codeParameterDisabled:  {"The command takes no parameters.", "命令未启用自定义参数功能。"},
	codeParameterJSON:      {"The parameters are not a JSON object.", "自定义参数不是合法的 JSON 对象。"},
	codeKeyChar:            {"The name of a parameter has a character that is not allowed.", "自定义参数名含有非法字符。"},
	codeKeyDuplicated:      {"A parameter is given twice.", "自定义参数名重复。"},
	codeKeyLength:          {"The name of a parameter is empty or too long.", "自定义参数名长度不合法。"},
	codeParameterNumber:    {"There are too many parameters.", "自定义参数数量超过限制。"},
	codeValueNotString:     {"The value of a parameter is not a string.", "自定义参数的取值不是字符串。"},
	codeRange:              {"The value is out of range.", "参数取值超出范围。"},
	codeOnlyIfEnabled:      {"Only commands with EnableParameter have parameters.", "仅启用 EnableParameter 时可设置自定义参数。"},
	codeTooLarge:           {"The value is too large.", "参数取值过大。"},
	codeTooLong:            {"The value is too long.", "参数长度超过限制。"},
	codeTooSmall:           {"The value is too small.", "参数取值过小。"},
	codeFilterValues:       {"A filter has too many values.", "过滤条件的取值过多。"},
	codeOperationDenied:    {"The operation is not allowed.", "操作被拒绝。"},
	codeNotFound:           {"There is no such resource.", "资源不存在。"},
	codeNoCommand:          {"There is no such command.", "命令不存在。"},
	codeNoInstance:         {"There is no such instance.", "实例不存在。"},
	codeNoBucket:           {"There is no such bucket.", "COS 存储桶不存在。"},
	codeNoInvocation:       {"There is no such invocation.", "执行活动不存在。"},
	codeNoRegisterCode:     {"There is no such register code.", "注册码不存在。"},
	codeNoRegisterInstance: {"There is no such managed instance.", "托管实例不存在。"},
	codeAgentNotInstalled:  {"No agent was ever heard of from the instance.", "实例未安装 Agent。"},
	codeAgentNotOnline:     {"The instance's agent is offline.", "实例的 Agent 不在线。"},
	codeCommandInExecuting: {"The command is running.", "命令正在执行中。"},
	codeCommandInInvoker:   {"An invoker runs the command.", "命令被执行器引用。"},
	codeQuotaName:          {"There is no quota for this.", "配额资源名称不存在。"},
	codeNoQuota:            {"There are too many commands.", "命令数量超过配额。"},
	codeDenied:             {"The key may not do this.", "CAM 鉴权失败。"},
}

// message is a code in words, with the parameter at fault and what is wrong with it.
func message(c code, language, field, detail string) string {
	s := sentences[c].en
	if strings.EqualFold(language, "zh-CN") {
		s = sentences[c].zh
	}
	switch {
	case field != "" && detail != "" && field != detail:
		return s + " " + field + ": " + detail
	case field != "" || detail != "":
		return s + " " + cmp.Or(field, detail)
	default:
		return s
	}
}
