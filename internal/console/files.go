package console

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"errand/internal/core"
)

// files lists what was brought to nodes and taken from them.
func (c *Console) files(r *request) (answer, error) {
	t, q := r.t.text, r.URL.Query()
	kinds := map[string][]core.InvocationKind{
		"": {core.KindPush, core.KindFetch, core.KindFile}, "push": {core.KindPush, core.KindFile}, "fetch": {core.KindFetch},
	}
	which := q.Get("kind")
	page := r.page()
	page.Count = false
	rows, info, err := c.Service.Invocations(r.Context(), r.caller, core.InvocationFilter{Kinds: kinds[which]}, page)
	if err != nil {
		return answer{}, err
	}
	list := &table{
		Caption: t("files.title"), Columns: columns(t("runs.state"), t("files.what"), t("files.way"), t("runs.tasks"), t("files.size"), t("runs.when")),
		None: t("files.none"), NoneWhy: t("files.none.text"),
	}
	list.numbers(3, 4)
	for i := range rows {
		v := &rows[i]
		way, name, bytes := t("files.push"), runName(v), size(int64(len(v.Content)))
		if v.Kind == core.KindFetch {
			way, name, bytes = t("files.fetch"), joined(v.Transfer.Paths), datum{Text: "–", Num: true}
		} else if v.Transfer != nil {
			name, bytes = path.Join(v.Transfer.To.Dir, v.Transfer.To.Name), size(v.Transfer.Size)
		}
		href := root + "files/" + v.ID.String()
		if v.Kind == core.KindFile {
			href = root + "runs/" + v.ID.String()
		}
		list.row("", state(runState(v)), title(href, name, v.ID.String()+by(v)), says(way), count(v.Counts.Total()), bytes, instant(v.CreatedAt))
	}
	choices := &choice{Label: t("files.way")}
	for _, kind := range []string{"", "push", "fetch"} {
		text := t("runs.only.all")
		if kind != "" {
			text = t("files." + kind)
		}
		choices.Links = append(choices.Links, link{Href: withQuery(root+"files", "kind", kind), Text: text, Current: kind == which})
	}
	return r.show("files", t("files.title"), &sheet{
		Actions: []link{{Href: root + "files/push", Text: t("files.push.new"), Icon: "upload"}, {Href: root + "files/fetch", Text: t("files.fetch.new"), Icon: "download", Primary: true}},
		Parts:   []section{{Filter: &filter{Choice: choices}, Table: list, Next: info.Next}},
	}), nil
}

// by says who ordered a run.
func by(v *core.Invocation) string {
	if v.Principal == "" {
		return ""
	}
	return " · " + v.Principal
}

// transfer shows a push or a fetch with how far each node is.
func (c *Console) transfer(r *request) (answer, error) {
	t := r.t.text
	id, ok := core.ParseID(r.PathValue("id"))
	if !ok {
		return c.missing(r)
	}
	v, err := c.Service.Invocation(r.Context(), r.caller, id)
	if err != nil {
		return answer{}, err
	}
	if v.Transfer == nil {
		return c.missing(r)
	}
	rows, info, err := c.Service.Carriages(r.Context(), r.caller, id, r.page())
	if err != nil {
		return answer{}, err
	}
	list := &table{Caption: t("runs.tasks"), Columns: columns(t("runs.state"), t("node"), t("files.moved"), "", t("task.why"))}
	list.numbers(2)
	got := &table{
		Caption: t("files.got"), Columns: columns(t("files.path"), t("node"), t("files.size"), "SHA-256", ""), None: t("files.got.none"), NoneWhy: t("files.got.none.text"),
	}
	got.numbers(2)
	for i := range rows {
		task := &rows[i]
		total, have := task.Progress.Total, task.Progress.Done
		if v.Kind == core.KindPush && total == 0 {
			total = v.Transfer.Size
		}
		if task.State == core.Succeeded {
			have = max(have, total)
		}
		for j := range task.Files {
			p := &task.Files[j]
			row := []datum{{Text: p.Name, Mono: true, Main: true}, says(task.Target.Label()), size(p.Size), {Text: shortHash(p.Hash), Mono: true}, {}}
			if p.Sealed {
				row[4] = datum{Links: []link{{Href: root + "files/" + v.ID.String() + "/" + p.ID.String(), Text: t("files.download")}}}
			} else {
				row[4] = datum{Bar: percent(p.Have, p.Size)}
			}
			got.row("", row...)
			if task.Progress.Total == 0 {
				total, have = total+p.Size, have+p.Have
			}
		}
		why := t("cause." + task.Cause.String())
		if task.Cause.String() == "" {
			why = ""
		}
		list.row("", state(task.State.String()), title(root+"tasks/"+task.ID.String(), task.Target.Label(), task.ID.String()), size(have), datum{Bar: percent(have, total)},
			datum{Text: why, Sub: task.Detail})
	}
	s := &sheet{Crumbs: crumbs(t("files.title"), "files"), State: runState(&v), Intro: v.Reason}
	heading := ""
	if v.Kind == core.KindFetch {
		heading = joined(v.Transfer.Paths)
		s.Parts = []section{{Heading: t("files.got"), Table: got}}
	} else {
		heading = path.Join(v.Transfer.To.Dir, v.Transfer.To.Name)
		s.Parts = []section{{Facts: []fact{
			{t("files.size"), size(v.Transfer.Size)},
			{"SHA-256", mono(v.Transfer.Hash)},
			{t("files.mode"), mono(v.Transfer.To.Mode)},
			{t("files.owner"), either(v.Transfer.To.Owner)},
			{t("sheet.by"), either(v.Principal)},
		}}}
	}
	if v.Counts.Open() > 0 {
		s.Actions = []link{{Href: root + "runs/" + v.ID.String(), Text: t("run.cancel") + "…"}}
	}
	s.Parts = append(s.Parts, section{Heading: t("runs.tasks"), Table: list, Next: info.Next})
	return r.show("files", heading, s), nil
}

func shortHash(hash string) string {
	const shown = 16
	return hash[:min(len(hash), shown)]
}

// download sends a file that was fetched. It comes from a node, so that the browser is told to keep it and not to look at it.
func (c *Console) download(r *request) (answer, error) {
	id, ok := core.ParseID(r.PathValue("parcel"))
	if !ok {
		return c.missing(r)
	}
	p, first, err := c.Service.ReadChunk(r.Context(), r.caller, id, 0)
	if err != nil && p.Size > 0 || err != nil && p.ID == 0 {
		return answer{}, err
	}
	if p.Invocation.String() != r.PathValue("id") {
		return c.missing(r)
	}
	return answer{write: func(w http.ResponseWriter) error {
		h := w.Header()
		h.Set("Content-Type", "application/octet-stream")
		h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": path.Base(p.Name)}))
		h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
		h.Set("Content-Length", strconv.FormatInt(p.Size, 10))
		_, err := w.Write(first)
		for n := int64(1); n < p.Chunks() && err == nil; n++ {
			var data []byte
			if _, data, err = c.Service.ReadChunk(r.Context(), r.caller, id, n); err == nil {
				_, err = w.Write(data) //nolint:gosec // a download in a sandbox, which no browser shows
			}
		}
		return err
	}}, nil
}

func transferFields(t func(string, ...any) string) []*field {
	return []*field{
		{Name: "target", Label: t("compose.target"), Hint: t("sets.target.hint"), Required: true, core: []string{"targets"}},
		{Name: "reason", Label: t("compose.reason"), Hint: t("compose.reason.hint")},
		{Name: "queue", Label: t("compose.queue"), Hint: t("compose.queue.hint"), Kind: "number", Value: "60"},
	}
}

func (c *Console) newFetch(r *request) (answer, error) {
	t := r.t.text
	fields := transferFields(t)
	f := r.newForm("files/fetch", t("files.fetch.go"), append([]*field{
		fields[0],
		{Name: "paths", Label: t("files.paths"), Hint: t("files.paths.hint"), Kind: "area", Placeholder: "/var/log/app.log", Required: true, core: []string{"path"}},
		{Name: "follow", Label: t("files.follow"), Kind: "check"},
	}, fields[1:]...)...).back("files")
	page := func() (answer, error) {
		return r.show("files", t("files.fetch.new"), &sheet{Crumbs: crumbs(t("files.title"), "files"), Parts: []section{{Form: f}}}), nil
	}
	if r.Method != http.MethodPost {
		return page()
	}
	var paths []string
	for line := range strings.Lines(f.raw("paths")) {
		if line = strings.TrimSpace(line); line != "" {
			paths = append(paths, line)
		}
	}
	v, err := c.move(r, f, &core.Transfer{Paths: paths, Follow: f.on("follow")})
	if err != nil {
		return f.again(r, err, page)
	}
	return done("files/"+v.ID.String(), "started")
}

func (c *Console) move(r *request, f *form, what *core.Transfer) (core.Invocation, error) {
	queue, err := f.seconds(r, "queue", time.Minute)
	if err == nil && f.get("target") == "" {
		err = problem("target", r.t.text("form.required"))
	}
	if err != nil {
		return core.Invocation{}, err
	}
	return c.Service.Run(r.Context(), r.caller, core.RunSpec{
		Origin: core.OriginNative, Select: core.Selection{Expr: f.get("target")}, Reason: f.get("reason"), Transfer: what, DeliverWithin: queue,
	})
}

// maxPushed is the largest file that the console takes; the command line has no such limit.
const maxPushed = 64 << 20

func (c *Console) newPush(r *request) (answer, error) {
	t := r.t.text
	var file *multipart.FileHeader
	if r.Method == http.MethodPost {
		const inMemory = 1 << 20
		if err := r.ParseMultipartForm(inMemory); err != nil {
			return answer{}, &core.Error{Code: core.CodeInvalid, Reason: core.ReasonTooLarge, Detail: t("files.too_large", r.t.bytes(maxPushed))}
		}
		defer func() { _ = r.MultipartForm.RemoveAll() }() // a temporary file that stays is the system's to remove
		if sent := r.MultipartForm.File["file"]; len(sent) > 0 {
			file = sent[0]
		}
	}
	fields := transferFields(t)
	f := r.newForm("files/push", t("files.push.go"), slices.Concat([]*field{
		{Name: "file", Label: t("files.file"), Hint: t("files.file.hint", r.t.bytes(maxPushed)), Kind: "file", Required: true},
		fields[0],
		{Name: "dir", Label: t("files.dir"), Placeholder: "/etc/app", Required: true},
		{Name: "name", Label: t("files.name"), Hint: t("files.name.hint")},
		{Name: "mode", Label: t("files.mode"), Value: "0644"},
		{Name: "owner", Label: t("files.owner")},
		{Name: "group", Label: t("files.group")},
		{Name: "overwrite", Label: t("files.overwrite"), Kind: "check"},
	}, fields[1:])...).back("files")
	f.Files = true
	page := func() (answer, error) {
		return r.show("files", t("files.push.new"), &sheet{Crumbs: crumbs(t("files.title"), "files"), Parts: []section{{Form: f}}}), nil
	}
	if r.Method != http.MethodPost {
		return page()
	}
	if file == nil || file.Size > maxPushed {
		return f.again(r, problem("file", t("form.required")), page)
	}
	name := f.get("name")
	if name == "" {
		name = path.Base(strings.ReplaceAll(file.Filename, `\`, "/"))
	}
	if f.get("target") == "" {
		return f.again(r, problem("target", t("form.required")), page)
	}
	parcel, err := c.upload(r, file, name)
	var v core.Invocation
	if err == nil {
		v, err = c.move(r, f, &core.Transfer{Parcel: parcel.ID, To: &core.File{
			Name: name, Dir: f.get("dir"), Mode: f.get("mode"), Owner: f.get("owner"), Group: f.get("group"), Overwrite: f.on("overwrite"),
		}})
	}
	if err != nil {
		return f.again(r, err, page)
	}
	return done("files/"+v.ID.String(), "started")
}

// upload hands a file of a form to the core.
func (c *Console) upload(r *request, file *multipart.FileHeader, name string) (core.Parcel, error) {
	content, err := file.Open()
	if err != nil {
		return core.Parcel{}, err
	}
	defer content.Close()
	whole := sha256.New()
	if _, err := io.Copy(whole, content); err != nil {
		return core.Parcel{}, err
	}
	p, err := c.Service.Upload(r.Context(), r.caller, name, file.Size, hex.EncodeToString(whole.Sum(nil)))
	if err != nil {
		return core.Parcel{}, err
	}
	buf := make([]byte, core.ChunkSize)
	for n := p.Have / core.ChunkSize; n < p.Chunks() && !p.Sealed; n++ {
		got, err := content.ReadAt(buf, n*core.ChunkSize)
		if err != nil && !errors.Is(err, io.EOF) {
			return p, err
		}
		sum := sha256.Sum256(buf[:got])
		if p, err = c.Service.UploadChunk(r.Context(), r.caller, p.ID, n, hex.EncodeToString(sum[:]), buf[:got]); err != nil {
			return p, err
		}
	}
	return p, nil
}
