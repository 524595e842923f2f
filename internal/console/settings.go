package console

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"errand/internal/core"
)

// settings shows what the account has decided about its agents, terminals and deliveries, and changes it.
func (c *Console) settings(r *request) (answer, error) {
	t := r.t.text
	now, err := c.Service.Settings(r.Context(), r.caller)
	if err != nil {
		return answer{}, err
	}
	a, u := &now.AgentUpgrade, &now.ResourceUsage
	f := r.newForm("settings", t("form.save"),
		&field{Name: "terminals", Label: t("settings.terminals"), Kind: "check", On: now.Sessions.Enabled},
		&field{Name: "upgrades", Label: t("settings.upgrades"), Kind: "check", On: !a.Disabled},
		&field{Name: "at_start", Label: t("settings.at_start"), Kind: "check", On: a.AtStart},
		&field{Name: "windows", Label: t("settings.windows"), Hint: t("settings.windows.hint"), Value: windowsText(a), core: []string{core.FieldUpgradeWindows}, Placeholder: "02:00-04:00"},
		&field{Name: "zone", Label: t("schedules.zone"), Value: a.Zone, core: []string{core.FieldUpgradeZone}},
		&field{Name: "cpu", Label: t("settings.cpu"), Kind: "number", Value: strconv.Itoa(u.CPU), core: []string{core.FieldCPU}},
		&field{Name: "memory", Label: t("settings.memory"), Kind: "number", Value: strconv.FormatInt(u.Memory>>20, 10), core: []string{core.FieldMemory}},
		&field{Name: "overloads", Label: t("settings.overloads"), Kind: "number", Value: strconv.Itoa(u.Overloads), core: []string{core.FieldOverloads}},
		&field{Name: "log_files", Label: t("settings.log_files"), Kind: "number", Value: strconv.Itoa(u.LogFiles), core: []string{core.FieldLogFiles}},
		&field{Name: "log_size", Label: t("settings.log_size"), Kind: "number", Value: strconv.FormatInt(u.LogSize>>20, 10), core: []string{core.FieldLogSize}},
		&field{Name: "keep_scripts", Label: t("settings.keep_scripts"), Kind: "check", On: u.KeepScripts},
		&field{Name: "deliver", Label: t("settings.deliver"), Kind: "check", On: now.InvocationDelivery.Bucket.Enabled},
		&field{Name: "bucket", Label: t("settings.bucket"), Value: now.InvocationDelivery.Bucket.Bucket, core: []string{core.FieldBucket}},
		&field{Name: "prefix", Label: t("settings.prefix"), Value: now.InvocationDelivery.Bucket.Prefix, core: []string{core.FieldPrefix}},
	)
	page := func() (answer, error) {
		return r.show("settings", t("settings.title"), &sheet{Intro: t("settings.intro"), Parts: []section{{Form: f}}}), nil
	}
	if r.Method != http.MethodPost {
		return page()
	}
	err = c.Service.ChangeSettings(r.Context(), r.caller, func(s *core.AccountSettings) error { return readSettings(r, f, s) })
	if err != nil {
		return f.again(r, err, page)
	}
	return done("settings", "saved")
}

func windowsText(a *core.AgentUpgrade) string {
	if !a.Custom {
		return ""
	}
	var texts []string
	for _, w := range a.Windows {
		texts = append(texts, fmt.Sprintf("%02d:%02d-%02d:%02d", w.From/60, w.From%60, w.To/60, w.To%60))
	}
	return joined(texts)
}

// readSettings takes over what the form says.
func readSettings(r *request, f *form, s *core.AccountSettings) error {
	s.Sessions.Enabled = f.on("terminals")
	a := &s.AgentUpgrade
	a.Disabled, a.AtStart, a.Zone, a.Windows = !f.on("upgrades"), f.on("at_start"), f.get("zone"), nil
	for _, text := range f.words("windows") {
		from, to, _ := strings.Cut(text, "-")
		w := core.DailyWindow{From: minutes(from), To: minutes(to)}
		if w.From < 0 || w.To < 0 {
			return problem("windows", r.t.text("settings.windows.hint"))
		}
		a.Windows = append(a.Windows, w)
	}
	a.Custom = len(a.Windows) > 0
	u := &s.ResourceUsage
	u.KeepScripts = f.on("keep_scripts")
	var memory, log int64
	for name, into := range map[string]func(int64){
		"cpu": func(n int64) { u.CPU = int(n) }, "memory": func(n int64) { memory = n }, "overloads": func(n int64) { u.Overloads = int(n) },
		"log_files": func(n int64) { u.LogFiles = int(n) }, "log_size": func(n int64) { log = n },
	} {
		n, err := f.number(r, name, 0)
		if err != nil {
			return err
		}
		into(min(n, 1<<30))
	}
	u.Memory, u.LogSize = memory<<20, log<<20
	b := &s.InvocationDelivery.Bucket
	b.Enabled, b.Bucket, b.Prefix = f.on("deliver"), f.get("bucket"), f.get("prefix")
	return nil
}

// minutes is a time of day as minutes since midnight; -1 if it is none.
func minutes(text string) int {
	hour, minute, ok := strings.Cut(strings.TrimSpace(text), ":")
	h, err1 := strconv.Atoi(hour)
	m, err2 := strconv.Atoi(minute)
	if !ok || err1 != nil || err2 != nil || h < 0 || h > 23 || m < 0 || m > 59 {
		return -1
	}
	return h*60 + m
}
