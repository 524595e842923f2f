package tat

import (
	"context"
	"encoding/base64"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"errand/internal/core"
)

// The vendor's limits on commands.
// https://www.tencentcloud.com/document/product/1147/46702
const (
	maxName        = 60       // bytes
	maxDescription = 120      // characters
	maxContent     = 64 << 10 // bytes, as Base64
	maxUser        = 256      // characters
	maxTimeout     = 86400    // seconds
	maxPrefix      = 60       // characters of OutputCOSKeyPrefix
	maxTags        = 10
	maxTargets     = 200
	defaultTimeout = time.Minute
)

// limits are those that the core applies. Names are counted in bytes, which the core does not; that limit is applied here.
func limits() core.Limits {
	return core.Limits{
		Description: maxDescription, Content: maxContent, ContentBase64: true, User: maxUser, Targets: maxTargets,
		MinTimeout: time.Second, MaxTimeout: maxTimeout * time.Second, DefaultTimeout: defaultTimeout,
		Params: maxParams, ParamNames: maxParams, ParamName: maxParamName, Tags: maxTags,
	}
}

func (d *Dialect) createCommand(ctx context.Context, c core.Caller, req *createCommandRequest) (*createCommandResponse, error) {
	if req.CommandName == nil {
		return nil, missing("CommandName")
	}
	def, descriptions, err := req.definition(req.EnableParameter)
	if err != nil {
		return nil, err
	}
	if err := d.findBucket(ctx, &req.placeFields); err != nil {
		return nil, err
	}
	cmd, err := d.env.Service.CreateCommand(ctx, c, core.CommandSpec{
		Region: req.region, Definition: def, Style: style, UniqueName: true, Tags: coreTags(req.Tags), Extra: extra(descriptions),
		Limits: limits(),
	})
	if err != nil {
		return nil, err
	}
	return &createCommandResponse{CommandId: commandPrefix + cmd.ID.String()}, nil
}

// definition reads what a command does. Content is required.
func (f *commandFields) definition(enabled bool) (def core.Definition, descriptions map[string]string, err error) {
	def = core.Definition{Type: core.Shell, ParamsEnabled: enabled}
	if f.Content == nil {
		return def, nil, missing("Content")
	}
	if def.Content, err = readContent(*f.Content); err != nil {
		return def, nil, err
	}
	if f.CommandName != nil {
		if def.Name, err = readName(*f.CommandName); err != nil {
			return def, nil, err
		}
	}
	if f.Description != nil {
		def.Description = *f.Description
	}
	if f.CommandType != nil {
		if def.Type, err = readType(*f.CommandType); err != nil {
			return def, nil, err
		}
	}
	if def.Defaults, descriptions, _, err = f.defaults(); err != nil {
		return def, nil, err
	}
	if len(def.Defaults) > 0 && !enabled {
		return def, nil, refuse(codeOnlyIfEnabled, "DefaultParameters", "EnableParameter is false")
	}
	o, err := f.override()
	if err != nil {
		return def, nil, err
	}
	apply(&def.WorkDir, o.WorkDir)
	apply(&def.User, o.User)
	apply(&def.Timeout, o.Timeout)
	apply(&def.Sink, o.Sink)
	return def, descriptions, nil
}

func apply[T any](dst, value *T) {
	if value != nil {
		*dst = *value
	}
}

var commandName = regexp.MustCompile(`^[\p{Han}A-Za-z0-9_.-]+$`)

func readName(s string) (string, error) {
	switch {
	case len(s) > maxName:
		return "", refuse(codeCommandName, "CommandName", "more than %d bytes", maxName)
	case !commandName.MatchString(s):
		return "", refuse(codeCommandName, "CommandName", "%q has other characters than letters, digits, Chinese, _ - and .", s)
	}
	return s, nil
}

func readContent(s string) ([]byte, error) {
	if s == "" {
		return nil, refuse(codeContentEmpty, "Content", "")
	}
	if len(s) > maxContent {
		return nil, refuse(codeTooLong, "Content", "more than %d bytes", maxContent)
	}
	content, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return nil, refuse(codeContentInvalid, "Content", "%v", err)
	}
	return content, nil
}

func readType(s string) (core.CommandType, error) {
	t, ok := parseType(s)
	if !ok {
		return "", refuse(codeInvalidValue, "CommandType", "%.64q is not SHELL, POWERSHELL or BAT", s)
	}
	return t, nil
}

// override reads the fields that a single run may change. A sink that is only half given has the other half empty.
func (f *placeFields) override() (core.Override, error) {
	o := core.Override{WorkDir: f.WorkingDirectory, User: f.Username}
	if f.Timeout != nil {
		if *f.Timeout < 1 || *f.Timeout > maxTimeout {
			return o, refuse(codeRange, "Timeout", "%d is outside 1 to %d", *f.Timeout, maxTimeout)
		}
		timeout := time.Duration(*f.Timeout) * time.Second
		o.Timeout = &timeout
	}
	if f.OutputCOSBucketUrl == nil && f.OutputCOSKeyPrefix == nil {
		return o, nil
	}
	o.Sink = &core.Sink{}
	if f.OutputCOSBucketUrl != nil {
		o.Sink.Bucket = *f.OutputCOSBucketUrl
	}
	if f.OutputCOSKeyPrefix != nil {
		o.Sink.Prefix = *f.OutputCOSKeyPrefix
	}
	return o, checkSink(*o.Sink)
}

// checkSink checks the form of where output shall be stored; empty parts are unset ones.
func checkSink(s core.Sink) error {
	if s.Bucket != "" && (len(s.Bucket) <= len("https://") || !strings.HasPrefix(s.Bucket, "https://")) {
		return refuse(codeBucketURL, "OutputCOSBucketUrl", "it does not start with https://")
	}
	switch {
	case len([]rune(s.Prefix)) > maxPrefix:
		return refuse(codeKeyPrefix, "OutputCOSKeyPrefix", "more than %d characters", maxPrefix)
	case strings.HasPrefix(s.Prefix, "/"), strings.Contains(s.Prefix, "//"), slices.Contains(strings.Split(s.Prefix, "/"), ".."):
		return refuse(codeKeyPrefix, "OutputCOSKeyPrefix", "neither a leading / nor // nor a .. is allowed")
	}
	return nil
}

// completeSink takes the half of a sink that was not sent from the stored command.
func (d *Dialect) completeSink(ctx context.Context, c core.Caller, id core.ID, f *placeFields, sink *core.Sink) error {
	if (f.OutputCOSBucketUrl == nil) == (f.OutputCOSKeyPrefix == nil) {
		return nil
	}
	cmd, err := d.env.Service.Command(ctx, c, id)
	if err != nil {
		return err
	}
	if f.OutputCOSBucketUrl == nil {
		sink.Bucket = cmd.Sink.Bucket
	} else {
		sink.Prefix = cmd.Sink.Prefix
	}
	return nil
}

// modifyCommand changes what was sent. Limits hold for that alone: a command made through another dialect may go beyond them.
func (d *Dialect) modifyCommand(ctx context.Context, c core.Caller, req *modifyCommandRequest) (*emptyResponse, error) {
	id, err := commandID(req.CommandId)
	if err != nil {
		return nil, err
	}
	change := core.CommandChange{Description: req.Description, UniqueName: true, Style: style, Limits: limits()}
	if req.Description == nil {
		change.Limits.Description = 0
	}
	if req.Content == nil {
		change.Limits.Content = 0
	} else if change.Content, err = readContent(*req.Content); err != nil {
		return nil, err
	}
	if req.CommandType != nil {
		t, err := readType(*req.CommandType)
		if err != nil {
			return nil, err
		}
		change.Type = &t
	}
	values, descriptions, sent, err := req.defaults()
	if err != nil {
		return nil, err
	}
	if sent {
		change.Defaults, change.Extra = &values, map[string]string{describedBy: showParameters(descriptions)}
	}
	if change.Override, err = req.override(); err != nil {
		return nil, err
	}
	if err := d.completeSink(ctx, c, id, &req.placeFields, change.Sink); err != nil {
		return nil, err
	}
	if err := d.findBucket(ctx, &req.placeFields); err != nil {
		return nil, err
	}
	if req.CommandName != nil {
		if _, err := readName(*req.CommandName); err != nil {
			return nil, err
		}
		change.Name = req.CommandName
	}
	if err := d.env.Service.ModifyCommand(ctx, c, id, change); err != nil {
		return nil, err
	}
	return &emptyResponse{}, nil
}

func (d *Dialect) deleteCommand(ctx context.Context, c core.Caller, req *deleteCommandRequest) (*emptyResponse, error) {
	id, err := commandID(req.CommandId)
	if err != nil {
		return nil, err
	}
	return d.delete(ctx, c, []core.ID{id})
}

func (d *Dialect) deleteCommands(ctx context.Context, c core.Caller, req *deleteCommandsRequest) (*emptyResponse, error) {
	switch {
	case len(req.CommandIds) == 0:
		return nil, missing("CommandIds")
	case len(req.CommandIds) > maxIDs:
		return nil, refuse(codeValueLimit, "CommandIds", "more than %d", maxIDs)
	}
	ids, err := commandIDs(req.CommandIds, "CommandIds")
	if err != nil {
		return nil, err
	}
	slices.Sort(ids)
	return d.delete(ctx, c, slices.Compact(ids))
}

func (d *Dialect) delete(ctx context.Context, c core.Caller, ids []core.ID) (*emptyResponse, error) {
	if err := d.env.Service.DeleteCommands(ctx, c, ids, true); err != nil {
		return nil, err
	}
	return &emptyResponse{}, nil
}

func (d *Dialect) describeCommands(
	ctx context.Context, c core.Caller, req *describeCommandsRequest,
) (*describeCommandsResponse, error) {
	spec, err := req.begin(req.CommandIds, "CommandIds")
	if err != nil {
		return nil, err
	}
	var q commandQuery
	if len(req.CommandIds) > 0 {
		if q.IDs, err = commandIDs(req.CommandIds, "CommandIds"); err != nil {
			return nil, err
		}
	}
	if err := req.eachFilter(codeFilter, q.add); err != nil {
		return nil, err
	}
	rows, total, err := d.listCommands(ctx, c, &q, spec)
	if err != nil {
		return nil, err
	}
	resp := &describeCommandsResponse{TotalCount: total, CommandSet: make([]command, len(rows))}
	for i := range rows {
		resp.CommandSet[i] = showCommand(&rows[i])
	}
	return resp, nil
}

// commandQuery is what the store can select by, and what has to be judged row by row.
type commandQuery struct {
	core.CommandFilter
	keep conditions[core.Command]
}

// add adds a filter.
func (q *commandQuery) add(name string, values []string) error {
	switch name {
	case "command-id":
		ids, err := commandIDs(values, name)
		if err != nil {
			return err
		}
		q.IDs = narrow(q.IDs, ids, 0)
	case "command-name":
		q.Name = core.Pattern{}
		if len(values) == 1 {
			q.Name.Text = values[0]
		}
		q.keep = append(q.keep, func(cmd *core.Command) bool { return slices.Contains(values, cmd.Name) })
	case "command-type":
		var types []core.CommandType
		for _, v := range values {
			t, ok := parseType(v)
			if !ok {
				return refuse(codeFilter, name, "%.64q is not SHELL, POWERSHELL or BAT", v)
			}
			types = append(types, t)
		}
		q.Types = narrow(q.Types, types, "")
	case "created-by":
		by, err := oneOf(name, values, createdByUser, createdByTAT)
		if err != nil {
			return err
		}
		if !by[createdByUser] {
			q.IDs = []core.ID{0}
		}
	case "scene-id": // there are no scenes here
		q.IDs = []core.ID{0}
	default:
		match := tagFilter(name, values)
		if match == nil {
			return unknownFilter(name)
		}
		q.keep = append(q.keep, func(cmd *core.Command) bool { return slices.ContainsFunc(cmd.Tags, match) })
	}
	return nil
}

// listCommands reads a page of commands and counts all that match.
func (d *Dialect) listCommands(ctx context.Context, c core.Caller, q *commandQuery, page core.PageSpec) ([]core.Command, int, error) {
	return scan(page, q.keep, func(spec core.PageSpec) ([]core.Command, core.PageInfo, error) {
		return d.env.Service.Commands(ctx, c, q.CommandFilter, spec)
	})
}

// previewReplacedCommandContent shows what would run, without running it.
func (d *Dialect) previewReplacedCommandContent(ctx context.Context, c core.Caller, req *previewRequest) (*previewResponse, error) {
	switch {
	case req.CommandId != nil && req.Content != nil:
		return nil, refuse(codeConflict, "CommandId", "not together with Content")
	case req.CommandId == nil && req.Content == nil:
		return nil, missing("CommandId or Content")
	}
	values, err := parseParameters("Parameters", req.Parameters)
	if err != nil {
		return nil, err
	}
	def := core.Definition{ParamsEnabled: true}
	if req.CommandId != nil {
		id, err := commandID(req.CommandId)
		if err != nil {
			return nil, err
		}
		cmd, err := d.env.Service.Command(ctx, c, id)
		if err != nil {
			return nil, err
		}
		def = cmd.Definition
	} else if def.Content, err = readContent(*req.Content); err != nil {
		return nil, renamed(renamed(err, codeTooLong, codeRange), codeContentEmpty, codeContentInvalid)
	}
	switch {
	case !def.ParamsEnabled && len(values) > 0:
		return nil, refuse(codeParameterDisabled, "Parameters", "")
	case !def.ParamsEnabled:
		return &previewResponse{ReplacedContent: encode(def.Content)}, nil
	case len(values) == 0 && len(def.Defaults) == 0 && len(style.ParamNames(def.Content)) > 0:
		return nil, refuse(codeLackOfParameters, "Parameters", "")
	}
	return &previewResponse{ReplacedContent: encode(preview(def.Content, merged(def.Defaults, values)))}, nil
}

// merged are the values of parameters in a run: those passed, and defaults for the others.
func merged(defaults, passed map[string]string) map[string]string {
	all := make(map[string]string, len(defaults)+len(passed))
	maps.Copy(all, defaults)
	maps.Copy(all, passed)
	return all
}

// Who made a command. There are no public ones here, which are the vendor's.
const (
	createdByUser = "USER"
	createdByTAT  = "TAT"
)

func showCommand(cmd *core.Command) command {
	return command{
		CommandId: commandPrefix + cmd.ID.String(), CommandName: cmd.Name, Description: cmd.Description, Content: encode(cmd.Content),
		CommandType: commandTypes[cmd.Type], WorkingDirectory: workDir(&cmd.Definition), Timeout: seconds(cmd.Timeout),
		CreatedTime: clock(cmd.CreatedAt), UpdatedTime: clock(cmd.UpdatedAt), EnableParameter: cmd.ParamsEnabled,
		DefaultParameters: showParameters(cmd.Defaults), DefaultParameterConfs: showConfs(cmd.Defaults, cmd.Extra),
		Scenes: []string{}, CreatedBy: createdByUser, Tags: showTags(cmd.Tags), Username: user(&cmd.Definition),
		OutputCOSBucketUrl: cmd.Sink.Bucket, OutputCOSKeyPrefix: cmd.Sink.Prefix,
	}
}

func encode(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

func coreTags(list []tag) []core.Tag {
	tags := make([]core.Tag, len(list))
	for i, t := range list {
		tags[i] = core.Tag(t)
	}
	return tags
}

func showTags(list []core.Tag) []tag {
	tags := make([]tag, len(list))
	for i, t := range list {
		tags[i] = tag(t)
	}
	return tags
}
