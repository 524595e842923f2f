package tat

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDescribeScenes(t *testing.T) {
	t.Parallel()
	c := newClient(t)
	none := golden(t, `{"TotalCount": 0, "SceneSet": []}`)
	by := func(name string, values ...string) string { return object("Filters", filters(name, values...)) }
	for name, try := range map[string]struct{ body, code string }{
		"all":               {`{}`, ""},
		"page":              {`{"Limit":100,"Offset":5}`, ""},
		"ids":               {object("SceneIds", []string{"sc-12345678", "sc-1a2b3c4d5e"}), ""},
		"empty lists":       {`{"SceneIds":[],"Filters":[]}`, ""},
		"id":                {by("scene-id", "sc-12345678"), ""},
		"name":              {by("scene-name", "初始化", "x"), ""},
		"name of 60":        {by("scene-name", strings.Repeat("场", 60)), ""},
		"by the vendor":     {by("created-by", "TAT"), ""},
		"5 values":          {by("scene-name", repeat("x", 5)...), ""},
		"unknown filter":    {by("command-id", "cmd-12345678"), "InvalidFilter"},
		"malformed id":      {object("SceneIds", []string{"cmd-12345678"}), "InvalidParameterValue.InvalidSceneId"},
		"bad id in filter":  {by("scene-id", "sc-"), "InvalidParameterValue.InvalidSceneId"},
		"empty name":        {by("scene-name", ""), "InvalidParameterValue.InvalidSceneName"},
		"name of 61":        {by("scene-name", strings.Repeat("场", 61)), "InvalidParameterValue.InvalidSceneName"},
		"by users":          {by("created-by", "USER"), "InvalidParameterValue.InvalidFilter"},
		"no values":         {by("scene-name"), "InvalidParameterValue.InvalidFilter"},
		"11 filters":        {object("Filters", repeat(filters("created-by", "TAT")[0], 11)), "InvalidParameterValue.InvalidFilter"},
		"6 values":          {by("scene-name", repeat("x", 6)...), "LimitExceeded.FilterValueExceeded"},
		"ids and filters":   {object("SceneIds", []string{"sc-12345678"}, "Filters", filters("created-by", "TAT")), "InvalidParameter.ConflictParameter"},
		"101 ids":           {object("SceneIds", repeat("sc-12345678", 101)), "InvalidParameterValue.LimitExceeded"},
		"limit of 0":        {`{"Limit":0}`, "InvalidParameterValue.TooSmall"},
		"limit of 101":      {`{"Limit":101}`, "InvalidParameterValue.TooLarge"},
		"offset below 0":    {`{"Offset":-1}`, "InvalidParameterValue.TooSmall"},
		"offset too deep":   {`{"Offset":100001}`, "InvalidParameterValue"},
		"no list":           {`{"SceneIds":"sc-12345678"}`, "InvalidParameter"},
		"unknown parameter": {`{"SceneNames":[]}`, "UnknownParameter"},
	} {
		t.Run(name, func(t *testing.T) {
			r := c.call("DescribeScenes", try.body)
			r.known(try.code)
			if r.Code != "" {
				return
			}
			if diff := cmp.Diff(none, raw(r)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
