package alibaba

import (
	"strings"
	"time"

	"errand/internal/core"
)

// FileOrder is a file to write, as SendFile of both products carries it. Requests embed it.
type FileOrder struct {
	Name        string `alibaba:"required"`
	TargetDir   string `alibaba:"required"`
	Content     string `alibaba:"required"`
	ContentType string
	FileOwner   string
	FileGroup   string
	FileMode    string
	Overwrite   bool
	Timeout     *int64 // seconds
	Description string
	ClientToken string
}

// Answers of both products to what is wrong with a file, or with changing what repeats.
var (
	FileNameTooLong        = Forbidden("FileName.ExceedLimit", "The length of file name exceeds limit.")
	FileDirInvalid         = BadRequest("FileTargetDir.Invalid", "The target directory of file is invalid.")
	FileTooLarge           = Forbidden("FileSize.ExceedLimit", "The length of file content exceeds limit.")
	FileDescriptionTooLong = Forbidden("FileDesc.ExceedLimit", "The length of file description exceeds limit.")
	FileModeInvalid        = BadRequest("FileMode.Invalid", "The mode of file is invalid.")
	FileOwnerInvalid       = BadRequest("InvalidParameter.FileOwner", "The specified parameter FileOwner is not valid.")
	FileGroupInvalid       = BadRequest("InvalidParameter.FileGroup", "The specified parameter FileGroup is not valid.")
	NotRepeating           = Forbidden(
		"InvalidOperation.RepeatModeUnsupported", "The operation is not supported for current repeat mode of invocation.",
	)
	AlreadyFinished = Forbidden(
		"InvalidOperation.InvokeAlreadyFinished", "The operation is not supported for finished invocation.",
	)
	contentUndecodable = BadRequest("FileContent.DecodeError", "The Content can not be base64 decoded.")
	contentTypeUnknown = BadRequest("FileContentType.Invalid", "The ContentType of file is invalid.")
)

// FileLimits are the vendor's bounds on a file. Its content counts after Base64.
// https://www.alibabacloud.com/help/en/ecs/developer-reference/api-ecs-2014-05-26-sendfile
func FileLimits() core.Limits {
	return core.Limits{
		Description: 512, Content: 32 << 10, ContentBase64: true, Targets: 50, Tags: MaxTags,
		MinTimeout: 10 * time.Second, MaxTimeout: maxTimeout * time.Second, DefaultTimeout: time.Minute, RaiseTimeout: true,
	}
}

// Spec translates a FileOrder. hash is that of the request, in case it is sent again with the same ClientToken.
func (o *FileOrder) Spec(hash string) (core.RunSpec, error) {
	if err := CheckToken(o.ClientToken); err != nil {
		return core.RunSpec{}, err
	}
	spec := core.RunSpec{
		Definition: core.Definition{Name: o.Name, Description: o.Description},
		File: &core.File{
			Name: o.Name, Dir: o.TargetDir, Mode: o.FileMode, Owner: o.FileOwner, Group: o.FileGroup, Overwrite: o.Overwrite,
			ContentType: o.ContentType,
		},
		DeliverWithin: DeliverWithin, Limits: FileLimits(),
	}
	if o.Timeout != nil {
		spec.Timeout = Seconds(*o.Timeout)
	}
	if o.ClientToken != "" {
		spec.ClientToken, spec.RequestHash = o.ClientToken, hash
	}
	content, err := fileContent(o.Content, o.ContentType)
	spec.Content = content
	return spec, err
}

func fileContent(text, kind string) ([]byte, error) {
	switch {
	case kind == "" || strings.EqualFold(kind, plainText):
		return []byte(text), nil
	case strings.EqualFold(kind, base64Text):
		content, err := Base64.Bytes(text)
		if err != nil {
			return nil, Refuse(contentUndecodable)
		}
		return content, nil
	default:
		return nil, Refuse(contentTypeUnknown)
	}
}

// The vendor's words for how a file's content is passed.
const (
	plainText  = "PlainText"
	base64Text = "Base64"
)

// FileContent is a file's content in the form in which it was passed, and the word for that form.
func FileContent(v *core.Invocation) (content, kind string) {
	if strings.EqualFold(v.File.ContentType, base64Text) {
		return Base64.Text(v.Content), base64Text
	}
	return PlainText.Text(v.Content), plainText
}

// FileOwner is whose file it is; the vendor's default is root.
func FileOwner(name string) string {
	if name == "" {
		return "root"
	}
	return name
}

// FileStatus is the vendor's status of a file on one machine. There are no words for a transfer that was stopped.
func FileStatus(t *core.Task) string {
	switch s := TaskStatus(t).Invocation; s {
	case Stopping:
		return Running
	case "Cancelled", "Terminated":
		return "Aborted"
	default:
		return s
	}
}

// FilesStatus folds the states of all machines into the word for the whole transfer.
func FilesStatus(c *core.Counts) string {
	pending := c.Of(core.Queued, core.Delivering, core.Deferred, core.Scheduled)
	good, bad := c.Of(core.Succeeded), c.Total()-c.Open()-c.Of(core.Succeeded)
	switch {
	case pending > 0:
		return Pending
	case c.Open() > 0:
		return Running
	case bad == 0:
		return Success
	case good == 0:
		return Failed
	default:
		return PartialFailed
	}
}
