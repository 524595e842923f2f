package alibaba

import (
	"time"

	"errand/internal/core"
)

// Bounds that are checked here rather than by the core.
const (
	maxToken       = 64    // characters of a ClientToken
	maxTimeout     = 86400 // seconds; the vendor has a bound but does not publish it, this one is ours
	maxParamNames  = 20    // parameters a command may define
	maxParamLength = 64    // bytes of a parameter's name
	// MaxTags is how many labels a request may carry.
	MaxTags = 20
	// DeliverWithin is how long a command may wait for its machine before it is Aborted.
	DeliverWithin = time.Minute
)

// Limits are the vendor's bounds on a command. Content and parameters count after Base64: 18 KB for commands that are kept, 24 KB for others.
// Values of Timeout below 10 seconds are raised, as the vendor's console does.
// https://www.alibabacloud.com/help/en/ecs/user-guide/limits-of-cloud-assistant
func Limits(kept bool) core.Limits {
	content := 24 << 10
	if kept {
		content = 18 << 10
	}
	return core.Limits{
		Name: 128, Description: 512, WorkDir: 200, User: 255, Launcher: 1 << 10,
		Content: content, ContentBase64: true,
		Targets:    100,
		MinTimeout: 10 * time.Second, MaxTimeout: maxTimeout * time.Second, DefaultTimeout: time.Minute, RaiseTimeout: true,
		Params: 10, ParamNames: maxParamNames, ParamName: maxParamLength,
		Tags: MaxTags,
	}
}

// Window is the part of an output that both products show: the vendor's agent sends about 6,000 bytes while the command runs and, when
// it ends, the last bytes up to 24 KB in all.
func Window() core.Window {
	return core.Window{Stream: core.Merged, Head: 6000, Tail: 24<<10 - 6000, Text: true}
}

// Hidden is how many bytes of a task's output the Window leaves out, for answers that do not carry the output itself.
func Hidden(t *core.Task) uint64 {
	if size := uint64(Window().Size()); t.Printed() > size {
		return t.Printed() - size
	}
	return 0
}

// Style is how the vendor writes parameters into content.
func Style() core.ParamStyle { return core.ParamStyle{FoldCase: true} }

// CheckToken applies the rules for a ClientToken, which is optional.
func CheckToken(token string) error {
	for i := range len(token) {
		if token[i] <= ' ' || token[i] > '~' {
			return Invalid(core.ReasonTokenInvalid, "ClientToken", "not ASCII")
		}
	}
	if len(token) > maxToken {
		return Invalid(core.ReasonTokenInvalid, "ClientToken", "more than 64 characters")
	}
	return nil
}

// Seconds turns a Timeout parameter into a duration that the Limits can judge: too small stays too small and too large too large, without
// running over.
func Seconds(n int64) time.Duration {
	return time.Duration(min(max(n, 1), maxTimeout+1)) * time.Second
}
