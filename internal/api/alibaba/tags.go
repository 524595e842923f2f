package alibaba

import "errand/internal/core"

// Tag is a label as requests carry it. A value that is not sent is empty: some clients leave empty values out.
type Tag struct{ Key, Value string }

// Tags turns a request's labels into the core's.
func Tags(list []Tag) []core.Tag {
	tags := make([]core.Tag, len(list))
	for i, t := range list {
		tags[i] = core.Tag(t)
	}
	return tags
}

// TaggedWith reads the labels by which ListTagResources selects. A key without a value matches any value; since a client may leave an empty
// one out, an empty one is no value.
func TaggedWith(list []Tag) (f core.TaggedFilter) {
	for _, t := range list {
		if t.Key != "" && t.Value == "" {
			f.TagKeys = append(f.TagKeys, t.Key)
		} else {
			f.Tags = append(f.Tags, core.Tag(t))
		}
	}
	return f
}

// Answers about labels, the same in all products.
var (
	TooManyTags     = BadRequest("NumberExceed.Tags", "The Tags parameter number is exceed.")
	TagDuplicate    = BadRequest("Duplicate.TagKey", "The Tag.N.Key contain duplicate key.")
	TagKeyMissing   = BadRequest("MissingParameter.TagKey", "You must specify Tag.N.Key.")
	TagKeyInvalid   = BadRequest("InvalidTagKey.Malformed", "The specified Tag.n.Key is not valid.")
	TagValueInvalid = BadRequest("InvalidTagValue.Malformed", "The specified Tag.n.Value is not valid.")

	NoResourceType   = NotFound("InvalidResourceType.NotFound", "The ResourceType provided does not exist in our records.")
	TooManyResources = BadRequest("NumberExceed.ResourceIds", "The ResourceIds parameter's number is exceed , Valid : 50")
	NoResource       = NotFound("InvalidResourceId.NotFound", "The specified ResourceIds are not found in our records.")
	TagQuota         = Forbidden("QuotaExceed.Tags", "The quota of tags on resource is beyond permitted range.")
)
