package eflo

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

// Types of resources that carry tags.
const (
	nodeType    = "Node"
	clusterType = "Cluster"
)

// check applies what all three actions want.
func (r *taggedResources) check(d *Dialect) error {
	switch {
	case !d.regions.Known(r.RegionId):
		return &core.Error{Code: core.CodeNotFound, Reason: core.ReasonRegionUnknown, Field: "RegionId", Detail: "no such region"}
	case r.ResourceType != nodeType && r.ResourceType != clusterType:
		return alibaba.Refuse(alibaba.NoResourceType)
	case len(r.ResourceId) > maxTaggedResources:
		return alibaba.Refuse(alibaba.TooManyResources)
	}
	return nil
}

// nodes are the nodes behind the ids. A cluster is its nodes: what is put on it is put on each of them.
func (r *taggedResources) nodes(ctx context.Context, c core.Caller, d *Dialect) ([]string, error) {
	switch {
	case len(r.ResourceId) == 0:
		return nil, alibaba.Missing("ResourceId")
	case r.ResourceType == clusterType:
		return d.service.NodesOfClusters(ctx, c, r.ResourceId)
	default:
		return api.NodeIDs(r.ResourceId), nil
	}
}

// tagResources puts tags on resources, on all of them or on none. The tag that names a cluster is one of them: with it, nodes are moved.
func (d *Dialect) tagResources(ctx context.Context, c core.Caller, req *tagResourcesRequest) (*alibaba.Reply, error) {
	if err := req.check(d); err != nil {
		return nil, err
	}
	switch {
	case len(req.Tag) == 0:
		return nil, alibaba.Missing("Tag")
	case len(req.Tag) > alibaba.MaxTags: // more than a request may carry; what a resource may carry is the core's to judge
		return nil, alibaba.Refuse(alibaba.TooManyTags)
	}
	nodes, err := req.nodes(ctx, c, d)
	if err != nil {
		return nil, err
	}
	return &alibaba.Reply{}, d.service.Tag(ctx, c, core.KindNode, nodes, alibaba.Tags(req.Tag))
}

// untagResources takes tags off resources, off all of them or off none. All tags of a cluster are those that all its nodes have; what
// single nodes have besides stays, and so does the cluster.
func (d *Dialect) untagResources(ctx context.Context, c core.Caller, req *untagResourcesRequest) (*alibaba.Reply, error) {
	if err := req.check(d); err != nil {
		return nil, err
	}
	if len(req.TagKey) == 0 && !req.All {
		return nil, alibaba.Invalid(core.ReasonTagKeyMissing, "TagKey", "neither keys nor All")
	}
	if len(req.TagKey) == 0 && req.ResourceType == clusterType {
		return &alibaba.Reply{}, d.untagClusters(ctx, c, req)
	}
	nodes, err := req.nodes(ctx, c, d)
	if err != nil {
		return nil, err
	}
	return &alibaba.Reply{}, d.service.Untag(ctx, c, core.KindNode, nodes, req.TagKey)
}

func (d *Dialect) untagClusters(ctx context.Context, c core.Caller, req *untagResourcesRequest) error {
	if _, err := req.nodes(ctx, c, d); err != nil { // one that does not exist keeps the tags on all
		return err
	}
	rows, _, err := d.service.Clusters(ctx, c, core.ClusterFilter{IDs: req.ResourceId}, core.PageSpec{Limit: maxTaggedResources})
	if err != nil {
		return err
	}
	for _, cl := range rows {
		if len(cl.Tags) == 0 {
			continue
		}
		keys := make([]string, len(cl.Tags))
		for i, t := range cl.Tags {
			keys[i] = t.Key
		}
		nodes, err := d.service.NodesOfClusters(ctx, c, []string{cl.ID})
		if err != nil {
			return err
		}
		if err := d.service.Untag(ctx, c, core.KindNode, nodes, keys); err != nil {
			return err
		}
	}
	return nil
}

func (d *Dialect) listTagResources(ctx context.Context, c core.Caller, req *listTagResourcesRequest) (*listTagResourcesResponse, error) {
	if err := req.check(d); err != nil {
		return nil, err
	}
	switch {
	case len(req.ResourceId) == 0 && len(req.Tag) == 0:
		return nil, alibaba.Missing("ResourceId")
	case len(req.ResourceId) > 0 && req.NextToken != "": // named resources fit on one page
		return nil, alibaba.Invalid(core.ReasonPageToken, "NextToken", "not a token of this listing")
	}
	rows, next, err := d.tagged(ctx, c, req)
	if err != nil {
		return nil, err
	}
	resp := &listTagResourcesResponse{NextToken: next, TagResources: tagResourceSet{[]tagResource{}}}
	for _, r := range rows {
		for _, t := range r.Tags {
			resp.TagResources.TagResource = append(resp.TagResources.TagResource, tagResource{
				ResourceId: r.ID, ResourceType: req.ResourceType, TagKey: t.Key, TagValue: t.Value,
			})
		}
	}
	return resp, nil
}

// tagged finds resources with their tags, and their ids as the vendor writes them.
func (d *Dialect) tagged(ctx context.Context, c core.Caller, req *listTagResourcesRequest) (rows []core.Tagged, next string, err error) {
	page := core.PageSpec{Token: req.NextToken, Limit: taggedPage}
	f := alibaba.TaggedWith(req.Tag)
	if req.ResourceType == clusterType {
		return d.taggedClusters(ctx, c, req, f, page)
	}
	var info core.PageInfo
	if len(req.ResourceId) > 0 {
		rows, err = d.service.TaggedByID(ctx, c, core.KindNode, api.NodeIDs(req.ResourceId), f)
	} else {
		rows, info, err = d.service.Tagged(ctx, c, core.KindNode, f, page)
	}
	for i := range rows {
		rows[i].ID = api.ShowNode(nodePrefix, rows[i].ID)
	}
	return rows, info.Next, err
}

func (d *Dialect) taggedClusters(
	ctx context.Context, c core.Caller, req *listTagResourcesRequest, tags core.TaggedFilter, page core.PageSpec,
) (rows []core.Tagged, next string, err error) {
	if len(req.ResourceId) > 0 {
		if _, err := d.service.NodesOfClusters(ctx, c, req.ResourceId); err != nil {
			return nil, "", err
		}
	}
	f := core.ClusterFilter{IDs: req.ResourceId, Tags: tags.Tags, TagKeys: tags.TagKeys}
	clusters, info, err := d.service.Clusters(ctx, c, f, page)
	for _, cl := range clusters {
		rows = append(rows, core.Tagged{ID: cl.ID, Tags: cl.Tags})
	}
	return rows, info.Next, err
}
