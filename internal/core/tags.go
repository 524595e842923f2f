package core

import (
	"strings"
	"unicode/utf8"
)

// CheckTags applies the tag rules that all dialects share, with the dialect's own count.
func CheckTags(tags []Tag, most int) error { return checkTags(tags, most, 64) }

// checkTags is CheckTags with the length of the longest key, in characters.
func checkTags(tags []Tag, most, longest int) error {
	if most > 0 && len(tags) > most {
		return invalid(ReasonTagCount, "tags", "more than %d", most)
	}
	seen := map[string]bool{}
	for _, t := range tags {
		switch {
		case t.Key == "":
			return invalid(ReasonTagKeyMissing, "tags", "empty key")
		case utf8.RuneCountInString(t.Key) > longest || strings.HasPrefix(t.Key, "aliyun") || strings.HasPrefix(t.Key, "acs:") || hasURL(t.Key):
			return invalid(ReasonTagKeyInvalid, "tags", "key %q", t.Key)
		case utf8.RuneCountInString(t.Value) > 128 || hasURL(t.Value):
			return invalid(ReasonTagValueInvalid, "tags", "value %q", t.Value)
		case seen[t.Key]:
			return invalid(ReasonTagDuplicate, "tags", "key %q twice", t.Key)
		}
		seen[t.Key] = true
	}
	return nil
}

func hasURL(s string) bool {
	return strings.Contains(s, "http://") || strings.Contains(s, "https://")
}
