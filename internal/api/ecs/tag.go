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
		return kind, nil, alibaba.Refuse(noResourceType)
	case len(r.ResourceId) > maxTaggedResources:
		return kind, nil, alibaba.Refuse(tooManyResources)
	}
	ids := make([]string, len(r.ResourceId))
	for i, s := range r.ResourceId {
		if ids[i], ok = kind.read(s); !ok {
			return kind, nil, alibaba.Refuse(noResource)
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
		return nil, alibaba.Refuse(tooManyTags)
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
	case len(req.TagFilter) > 0: // the vendor's preview, which is not offered
		return nil, alibaba.Refuse(alibaba.OperationRefused)
	case len(ids) == 0 && len(req.Tag) == 0:
		return nil, alibaba.Missing("Tags")
	}
	var (
		rows []core.Tagged
		info core.PageInfo
	)
	switch {
	case len(ids) == 0:
		rows, info, err = d.service.Tagged(ctx, c, kind.kind, req.filter(), core.PageSpec{Token: req.NextToken, Limit: taggedPage})
	case req.NextToken != "": // named resources fit on one page
		err = alibaba.Invalid(core.ReasonPageToken, "NextToken", "not a token of this listing")
	default:
		rows, err = d.service.TaggedByID(ctx, c, kind.kind, ids, req.filter())
	}
	if err != nil {
		return nil, err
	}
	resp := &listTagResourcesResponse{NextToken: info.Next, TagResources: tagResourceSet{[]tagResource{}}}
	for _, r := range rows {
		for _, t := range r.Tags {
			resp.TagResources.TagResource = append(resp.TagResources.TagResource, tagResource{
				ResourceId: kind.show(r.ID), ResourceType: req.ResourceType, TagKey: t.Key, TagValue: t.Value,
			})
		}
	}
	return resp, nil
}

// filter reads the tags. A key without a value matches any value; some clients do not send empty values, so an empty one is no value.
func (req *listTagResourcesRequest) filter() (f core.TaggedFilter) {
	for _, t := range req.Tag {
		if t.Key != "" && t.Value == "" {
			f.TagKeys = append(f.TagKeys, t.Key)
		} else {
			f.Tags = append(f.Tags, core.Tag(t))
		}
	}
	return f
}
