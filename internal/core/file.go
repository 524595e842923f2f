package core

import (
	"strings"
	"unicode/utf8"
)

// Bounds on files that all vendors with files share. Modes are octal, as chmod takes them.
const (
	maxFileName  = 255 // characters
	maxFileDir   = 255 // characters
	maxFileOwner = 64  // characters, of the owner and of the group
	defaultMode  = "0644"
)

// checkFile applies the limits to a file and fills its defaults.
func (v *Invocation) checkFile(l *Limits) error {
	f := *v.File
	switch {
	case f.Name == "":
		return invalid(ReasonMissing, "name", "empty")
	case utf8.RuneCountInString(f.Name) > maxFileName:
		return invalid(ReasonFileNameTooLong, "name", "more than %d characters", maxFileName)
	case f.Dir == "":
		return invalid(ReasonMissing, "dir", "empty")
	case utf8.RuneCountInString(f.Dir) > maxFileDir || !printable(f.Dir):
		return invalid(ReasonFileDirInvalid, "dir", "more than %d characters, or control characters", maxFileDir)
	case len(v.Content) == 0:
		return invalid(ReasonMissing, "content", "empty")
	case l.Content > 0 && l.contentSize(len(v.Content)) > l.Content:
		return invalid(ReasonFileTooLarge, "content", "more than %d bytes", l.Content)
	case l.Description > 0 && utf8.RuneCountInString(v.Description) > l.Description:
		return invalid(ReasonFileDescriptionTooLong, "description", "more than %d characters", l.Description)
	}
	if err := f.checkAccess(); err != nil {
		return err
	}
	if f.Mode == "" {
		f.Mode = defaultMode
	}
	v.File = &f
	var err error
	v.Timeout, err = l.timeout(v.Timeout)
	return err
}

// checkAccess looks at who is to have the file and what they may do with it.
func (f *File) checkAccess() error {
	switch {
	case !validMode(f.Mode):
		return invalid(ReasonFileModeInvalid, "mode", "%q is not an octal mode", f.Mode)
	case !validOwner(f.Owner):
		return invalid(ReasonFileOwnerInvalid, "owner", "%q", f.Owner)
	case !validOwner(f.Group):
		return invalid(ReasonFileGroupInvalid, "group", "%q", f.Group)
	}
	return nil
}

// validMode accepts three or four octal digits, and nothing for the default.
func validMode(mode string) bool {
	return mode == "" || (len(mode) == 3 || len(mode) == 4) && strings.Trim(mode, "01234567") == ""
}

func validOwner(name string) bool {
	return utf8.RuneCountInString(name) <= maxFileOwner && printable(name) && !strings.ContainsAny(name, " \t:/")
}
