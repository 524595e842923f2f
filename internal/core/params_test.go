package core

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRender(t *testing.T) {
	t.Parallel()
	alibaba := ParamStyle{FoldCase: true}
	tencent := ParamStyle{Required: true, Exact: true, Hidden: "tat-hidden:"}
	tests := []struct {
		name             string
		style            ParamStyle
		content          string
		values, defaults map[string]string
		want             string
		reason           Reason
	}{
		{"plain", alibaba, "echo {{name}}", map[string]string{"name": "Jack"}, nil, "echo Jack", 0},
		{"blanks and lines", alibaba, "echo {{\n name\t}}", map[string]string{"name": "Jack"}, nil, "echo Jack", 0},
		{"any case", alibaba, "echo {{Name}}", map[string]string{"nAME": "Jack"}, nil, "echo Jack", 0},
		{"missing becomes empty", alibaba, "echo [{{a}}]", nil, nil, "echo []", 0},
		{"not defined", alibaba, "echo", map[string]string{"a": "1"}, nil, "", ReasonParamUndefined},
		{"built-ins stay", alibaba, "echo {{ACS::InstanceId}}", nil, nil, "echo {{ACS::InstanceId}}", 0},
		{"values are not looked at again", alibaba, "{{a}}{{b}}", map[string]string{"a": "{{b}}", "b": "$1 {{a}}"}, nil, "{{b}}$1 {{a}}", 0},
		{"default", tencent, "ls {{d}}", nil, map[string]string{"d": "/tmp"}, "ls /tmp", 0},
		{"value over default", tencent, "ls {{d}}", map[string]string{"d": "/"}, map[string]string{"d": "/tmp"}, "ls /", 0},
		{"missing is refused", tencent, "ls {{d}}", nil, nil, "", ReasonParamMissing},
		{"hidden", tencent, "login {{tat-hidden:pw}}", map[string]string{"pw": "s3"}, nil, "login s3", 0},
		{"blanks, exact", tencent, "echo {{ d }}", nil, nil, "echo {{ d }}", 0},
		{"not a name", tencent, "awk '{{print $1}}'", nil, nil, "awk '{{print $1}}'", 0},
	}
	for _, tt := range tests {
		got, err := tt.style.render([]byte(tt.content), tt.values, tt.defaults)
		if tt.reason != 0 {
			if !tt.reason.Is(err) {
				t.Errorf("%s: error %v", tt.name, err)
			}
			continue
		}
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: %q, %v; want %q", tt.name, got, err, tt.want)
		}
	}
}

func TestParamNames(t *testing.T) {
	t.Parallel()
	st := ParamStyle{FoldCase: true, Hidden: "tat-hidden:"}
	content := []byte("{{a}} {{ B }} {{A}} {{ACS::RegionId}} {{tat-hidden:pw}} {{}} {{x y}}")
	if d := cmp.Diff([]string{"a", "B", "pw"}, st.ParamNames(content)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[string]bool{"pw": true}, st.HiddenNames(content)); d != "" {
		t.Error(d)
	}
}

func FuzzRender(f *testing.F) {
	f.Add("echo {{a}} {{ {{b}} }}", "v")
	f.Fuzz(func(_ *testing.T, content, value string) {
		_, _ = ParamStyle{}.render([]byte(content), map[string]string{"a": value}, nil)
	})
}
