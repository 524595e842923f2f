package ecs

import (
	"context"

	"errand/internal/api"
	"errand/internal/api/alibaba"
	"errand/internal/core"
)

const (
	maxTaggedResources = 50 // ids in one request
	taggedPage         = 50 // resources on a page of ListTagResources, with all their tags; the vendor lets nobody choose
)

// resourceKind is one of the vendor's types of resources that carry tags.
type resourceKind struct {
	kind core.Kind
	read func(string) (id string, ok bool) // an id of the vendor's into the core's
	show func(id string) string
}

// resourceKinds has the types that this product keeps. Machines have two names; either stands for all of them, as in every InstanceId.
// Commands and file tasks are both invocations.
var resourceKinds = map[string]resourceKind{
	"command":         {core.KindCommand, textOf(api.CommandID), func(id string) string { return commandPrefix + id }},
	"invocation":      {core.KindInvocation, textOf(api.InvocationID), func(id string) string { return invocationPrefix + id }},
	"activation":      {core.KindRegistration, textOf(core.ParseUUID), showActivationText},
	"managedinstance": {core.KindNode, readNode, showNode},
	"instance":        {core.KindNode, readNode, showNode},
}

func textOf(parse func(string) (core.ID, bool)) func(string) (string, bool) {
	return func(s string) (string, bool) {
		id, ok := parse(s)
		return id.String(), ok
	}
}

func readNode(s string) (string, bool) { return api.NodeID(s), true }

func showNode(id string) string { return api.ShowNode(nodePrefix, id) }

func showActivationText(text string) string {
	id, _ := core.ParseID(text)
	return showActivation(id)
}

// resources reads the type and the ids that all three actions take.
func (r *taggedResources) resources() (resourceKind, []string, error) {
	kind, ok := resourceKinds[r.ResourceType]
	switch {
	case !ok:
		return kind, nil, alibaba.Refuse(alibaba.NoResourceType)
	case len(r.ResourceId) > maxTaggedResources:
		return kind, nil, alibaba.Refuse(alibaba.TooManyResources)
	}
	ids := make([]string, len(r.ResourceId))
	for i, s := range r.ResourceId {
		if ids[i], ok = kind.read(s); !ok {
			return kind, nil, alibaba.Refuse(alibaba.NoResource)
		}
	}
	return kind, ids, nil
}

// tagResources puts tags on resources, on all of them or on none.
func (d *Dialect) tagResources(ctx context.Context, c core.Caller, req *tagResourcesRequest) (*alibaba.Reply, error) {
	kind, ids, err := req.resources()
	switch {
	case err != nil:
		return nil, err
	case len(ids) == 0:
		return nil, alibaba.Missing("ResourceId")
	case len(req.Tag) == 0:
		return nil, alibaba.Missing("Tags")
	case len(req.Tag) > alibaba.MaxTags: // more than a request may carry; what a resource may carry is the core's to judge
		return nil, alibaba.Refuse(alibaba.TooManyTags)
	}
	return &alibaba.Reply{}, d.service.Tag(ctx, c, kind.kind, ids, alibaba.Tags(req.Tag))
}

// untagResources takes tags off resources, off all of them or off none.
func (d *Dialect) untagResources(ctx context.Context, c core.Caller, req *untagResourcesRequest) (*alibaba.Reply, error) {
	kind, ids, err := req.resources()
	switch {
	case err != nil:
		return nil, err
	case len(ids) == 0:
		return nil, alibaba.Missing("ResourceId")
	case len(req.TagKey) == 0 && !req.All:
		return nil, alibaba.Invalid(core.ReasonTagKeyMissing, "TagKey", "neither keys nor All")
	}
	return &alibaba.Reply{}, d.service.Untag(ctx, c, kind.kind, ids, req.TagKey)
}

func (d *Dialect) listTagResources(ctx context.Context, c core.Caller, req *listTagResourcesRequest) (*listTagResourcesResponse, error) {
	kind, ids, err := req.resources()
	switch {
	case err != nil:
		return nil, err
	case len(ids) == 0 && len(req.Tag) == 0 && len(req.TagFilter) == 0:
		return nil, alibaba.Missing("Tags")
	}
	var (
		rows   []core.Tagged
		info   core.PageInfo
		filter = alibaba.TaggedWith(req.Tag)
	)
	for _, f := range req.TagFilter {
		filter.Choices = append(filter.Choices, core.Choice{Key: f.TagKey, Values: f.TagValues})
	}
	switch {
	case len(ids) == 0:
		rows, info, err = d.service.Tagged(ctx, c, kind.kind, filter, core.PageSpec{Token: req.NextToken, Limit: taggedPage})
	case req.NextToken != "": // named resources fit on one page
		err = alibaba.Invalid(core.ReasonPageToken, "NextToken", "not a token of this listing")
	default:
		rows, err = d.service.TaggedByID(ctx, c, kind.kind, ids, filter)
	}
	if err != nil {
		return nil, err
	}
	files, err := d.filesAmong(ctx, c, kind, rows)
	if err != nil {
		return nil, err
	}
	resp := &listTagResourcesResponse{NextToken: info.Next, TagResources: tagResourceSet{[]tagResource{}}}
	for _, r := range rows {
		id := kind.show(r.ID)
		if files[r.ID] {
			id = filePrefix + r.ID
		}
		for _, t := range r.Tags {
			resp.TagResources.TagResource = append(resp.TagResources.TagResource, tagResource{
				ResourceId: id, ResourceType: req.ResourceType, TagKey: t.Key, TagValue: t.Value,
			})
		}
	}
	return resp, nil
}

// filesAmong tells which resources are files that were sent: they are of the type of invocations, but their ids begin differently.
func (d *Dialect) filesAmong(ctx context.Context, c core.Caller, kind resourceKind, rows []core.Tagged) (map[string]bool, error) {
	if kind.kind != core.KindInvocation || len(rows) == 0 {
		return nil, nil
	}
	f := core.InvocationFilter{Kinds: []core.InvocationKind{core.KindFile}}
	for _, r := range rows {
		f.IDs = append(f.IDs, core.ID(r.Key))
	}
	list, _, err := d.service.Invocations(ctx, c, f, core.PageSpec{Limit: len(rows)})
	files := make(map[string]bool, len(list))
	for i := range list {
		files[list[i].ID.String()] = true
	}
	return files, err
}
