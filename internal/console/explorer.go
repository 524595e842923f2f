package console

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"errand/internal/core"
	"errand/internal/handout"
)

// Explorer calls the vendors' APIs of this server as their own clients do.
type Explorer interface {
	Products() []Product
	// Explore makes a signed request in the name of a caller, whose browser sent from, and sends it if that is wanted.
	Explore(ctx context.Context, from *http.Request, who core.Caller, ask Exploration) (Explored, error)
}

// Product is one of the vendors' APIs.
type Product struct {
	Name, Version, Region string
	Actions               []string // sorted
}

// Exploration is a call to make. Parameters are lines NAME=VALUE or NAME:=JSON, or a JSON object.
type Exploration struct {
	Product, Action, Region, Parameters string
	Send                                bool
}

// Explored is a request, with no secret in it, and the answer if it was sent.
type Explored struct {
	Method, URL, Body string
	Headers           [][2]string
	Status            int // 0 if it was not sent
	Answer            string
}

// explorer is the form for a call of a vendor's API, and what makes it.
func (c *Console) explorer(r *request) (answer, error) {
	t := r.t.text
	if c.Explore == nil {
		return c.missing(r)
	}
	products := c.Explore.Products()
	name := r.FormValue("product")
	at := slices.IndexFunc(products, func(p Product) bool { return p.Name == name })
	if at < 0 {
		at = 0
	}
	p := products[at]
	choices := &choice{Label: t("explorer.product")}
	for _, one := range products {
		choices.Links = append(choices.Links, link{Href: withQuery(root+"explorer", "product", one.Name), Text: t("explorer.product." + one.Name), Current: one.Name == p.Name})
	}
	actions := make([]option, len(p.Actions))
	for i, action := range p.Actions {
		actions[i] = option{Value: action, Text: action}
	}
	f := r.newForm("explorer", t("explorer.go"),
		&field{Name: "product", Kind: "hidden", Value: p.Name},
		&field{Name: "action", Label: t("audit.what"), Kind: "select", Options: actions, Value: r.URL.Query().Get("action")},
		&field{Name: "parameters", Label: t("commands.params"), Hint: t("explorer.parameters.hint"), Kind: "area", Value: r.URL.Query().Get("parameters")},
		&field{Name: "region", Label: t("explorer.region"), Value: p.Region},
		&field{Name: "dry", Label: t("explorer.dry"), Kind: "check"},
	)
	var parts []section
	page := func() (answer, error) {
		form := section{Filter: &filter{Choice: choices}, Hint: t("explorer.version", p.Name, p.Version), Form: f}
		return r.show("explorer", t("explorer.title"), &sheet{Intro: t("explorer.intro"), Parts: append([]section{form}, parts...)}), nil
	}
	if r.Method != http.MethodPost {
		return page()
	}
	if !slices.Contains(p.Actions, f.get("action")) {
		return f.again(r, problem("action", t("form.required")), page)
	}
	done, err := c.Explore.Explore(r.Context(), r.Request, r.caller, Exploration{
		Product: p.Name, Action: f.get("action"), Region: f.get("region"), Parameters: f.raw("parameters"), Send: !f.on("dry"),
	})
	if err != nil {
		return f.again(r, err, page)
	}
	var head strings.Builder
	head.WriteString(done.Method + " " + done.URL + "\n")
	for _, h := range done.Headers {
		head.WriteString(h[0] + ": " + h[1] + "\n")
	}
	head.WriteString("\n" + done.Body)
	if done.Status != 0 {
		parts = append(parts, section{Heading: t("explorer.answer", strconv.Itoa(done.Status)), Code: []code{{ID: "answer", Text: done.Answer}}})
	}
	parts = append(parts,
		section{Heading: t("explorer.request"), Code: []code{{ID: "request", Text: head.String()}}},
		section{Heading: t("compose.same"), Code: sameCall(r.server(), &p, f.get("action"), f.raw("parameters"))})
	return page()
}

// sameCall are the lines that make the same call.
func sameCall(server *url.URL, p *Product, action, parameters string) []code {
	text := strings.TrimSpace(parameters)
	object := strings.HasPrefix(text, "{")
	line := "errand api " + p.Name + " " + action
	cli := map[string]string{"ecs": "aliyun ecs ", "eflo": "aliyun eflo-controller ", "tat": "tccli tat "}[p.Name]
	cli += action
	if object {
		line = "printf %s " + handout.ShellWord(text) + " | " + line + " -"
		if p.Name == "tat" {
			cli += " --cli-input-json " + handout.ShellWord(text)
		}
	}
	for arg := range strings.Lines(parameters) {
		if arg = strings.TrimSpace(arg); arg == "" || object {
			continue
		}
		line += " " + handout.ShellWord(arg)
		name, value, _ := strings.Cut(arg, "=")
		cli += " --" + strings.TrimSuffix(name, ":") + " " + handout.ShellWord(value)
	}
	list := []code{{ID: "same-errand", Label: "errand", Text: line}}
	switch p.Name {
	case "ecs", "eflo":
		if server.Scheme == "http" {
			cli += " --insecure"
		}
		if !object {
			list = append(list, code{ID: "same-cli", Label: "aliyun", Text: cli + " --endpoint " + server.Host})
		}
		list = append(list, code{ID: "same-sdk", Label: "Go (darabonba-openapi)", Text: "client.CallApi(&openapi.Params{Action: tea.String(\"" + action + "\"), Version: tea.String(\"" + p.Version +
			"\"),\n\tProtocol: tea.String(\"" + strings.ToUpper(server.Scheme) + "\"), Pathname: tea.String(\"/\"), Method: tea.String(\"POST\"), AuthType: tea.String(\"AK\"),\n" +
			"\tStyle: tea.String(\"RPC\"), ReqBodyType: tea.String(\"formData\"), BodyType: tea.String(\"json\")}, request, runtime)"})
	case "tat":
		list = append(list, code{ID: "same-cli", Label: "tccli", Text: cli + " --endpoint " + server.Host},
			code{ID: "same-sdk", Label: "Go (tencentcloud-sdk-go)", Text: "request := tchttp.NewCommonRequest(\"tat\", \"" + p.Version + "\", \"" + action + "\")\nerr := client.Send(request, response)"})
	case "zos":
		list = append(list, code{ID: "same-sdk", Label: "Go (zenlayercloud-sdk-go)", Text: "request.InitWithApiInfo(\"zos\", \"" + p.Version + "\", \"" + action + "\")\nerr := client.ApiCall(request, response)"})
	}
	return list
}
