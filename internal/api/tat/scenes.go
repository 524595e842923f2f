package tat

import (
	"context"
	"unicode/utf8"

	"errand/internal/core"
)

// maxSceneName is the longest name of a scene, in characters. The vendor states none; this is what it allows commands.
const maxSceneName = 60

// describeScenes lists no scenes: they are the vendor's own collections of public commands, and there are none here. What is asked for
// is checked all the same.
func (d *Dialect) describeScenes(_ context.Context, _ core.Caller, req *describeScenesRequest) (*describeScenesResponse, error) {
	if _, err := req.begin(req.SceneIds, "SceneIds"); err != nil {
		return nil, err
	}
	if err := shaped(req.SceneIds, "SceneIds", codeSceneID, sceneShape); err != nil {
		return nil, err
	}
	if err := req.eachFilter(codeFilterValues, checkSceneFilter); err != nil {
		return nil, err
	}
	return &describeScenesResponse{SceneSet: []struct{}{}}, nil
}

func checkSceneFilter(name string, values []string) error {
	switch name {
	case "scene-id":
		return shaped(values, name, codeSceneID, sceneShape)
	case "scene-name":
		for _, v := range values {
			if v == "" || utf8.RuneCountInString(v) > maxSceneName {
				return refuse(codeSceneName, name, "%.64q has not 1 to %d characters", v, maxSceneName)
			}
		}
		return nil
	case "created-by":
		_, err := oneOf(name, values, createdByTAT)
		return err
	}
	return refuse(codeNoFilter, "Filters", "no filter %.64q here", name)
}
