package console

import "html/template"

// icon draws a small picture in the colour of the text around it. Who cannot see it reads the words beside it.
func icon(name string) template.HTML {
	class := "icon"
	if name == "spinner" {
		class = "icon spin"
	}
	return template.HTML(`<svg class="` + class + `" viewBox="0 0 16 16" aria-hidden="true" focusable="false">` + icons[name] + `</svg>`) //nolint:gosec // the table below
}

var icons = map[string]string{ //nolint:gosec // pictures, whatever they are called
	"logo":     `<path d="M3 3.5h7M3 8h5M3 12.5h7"/><path d="m10.5 5.5 2.5 2.5-2.5 2.5"/>`,
	"home":     `<path d="M2.5 7.5 8 3l5.5 4.5v5.5h-4V9.5h-3V13h-4z"/>`,
	"run":      `<path d="M5 3.5v9l7-4.5z"/>`,
	"list":     `<path d="M5.5 4h8M5.5 8h8M5.5 12h8"/><path d="M2.5 4h.01M2.5 8h.01M2.5 12h.01"/>`,
	"node":     `<rect x="2.5" y="2.5" width="11" height="4.5" rx="1"/><rect x="2.5" y="9" width="11" height="4.5" rx="1"/><path d="M5 4.75h.01M5 11.25h.01"/>`,
	"terminal": `<rect x="2" y="3" width="12" height="10" rx="1.5"/><path d="m5 6.5 2 1.5-2 1.5M8.5 10H11"/>`,
	"clock":    `<circle cx="8" cy="8" r="5.5"/><path d="M8 5v3.2l2 1.3"/>`,
	"file":     `<path d="M4 2.5h5l3 3v8H4z"/><path d="M9 2.5v3h3"/>`,
	"shield":   `<path d="M8 2.5 3.5 4v4c0 2.8 1.9 4.7 4.5 5.5 2.6-.8 4.5-2.7 4.5-5.5V4z"/>`,
	"key":      `<circle cx="5.5" cy="10.5" r="2.5"/><path d="m7.3 8.7 5.2-5.2M10.5 5.5l1.7 1.7"/>`,
	"users":    `<circle cx="6" cy="6" r="2.3"/><path d="M2 13c.3-2.4 1.9-3.6 4-3.6s3.700 1.200 4 3.600M10.500 4a2 2 0 0 1 0 4M12 9.800c1.200.500 1.900 1.600 2 3.200"/>`,
	"book":     `<path d="M3 3.5c2-.7 3.700-.5 5 .5 1.300-1 3-1.200 5-.5v9c-2-.7-3.700-.5-5 .5-1.300-1-3-1.200-5-.5zM8 4v9"/>`,
	"pulse":    `<path d="M2 8h3l1.500-4 3 8L11 8h3"/>`,
	"search":   `<circle cx="7" cy="7" r="4"/><path d="m10 10 3.500 3.500"/>`,
	"check":    `<path d="m3.500 8.500 3 3 6-7"/>`,
	"cross":    `<path d="m4.500 4.500 7 7M11.500 4.500l-7 7"/>`,
	"alert":    `<path d="M8 3 2.500 13h11z"/><path d="M8 6.800v2.700M8 11.300h.01"/>`,
	"minus":    `<path d="M4 8h8"/>`,
	"spinner":  `<path d="M8 2.500a5.500 5.500 0 1 1-5.500 5.500"/>`,
	"pause":    `<path d="M5.500 4v8M10.500 4v8"/>`,
	"stop":     `<rect x="4.500" y="4.500" width="7" height="7" rx="1"/>`,
	"retry":    `<path d="M12.500 6.500A5 5 0 1 0 13 9M12.800 3v3.500H9.300"/>`,
	"download": `<path d="M8 2.500V10M5 7.500 8 10.500l3-3M3 13.500h10"/>`,
	"plus":     `<path d="M8 3.500v9M3.500 8h9"/>`,
	"sun":      `<circle cx="8" cy="8" r="2.800"/><path d="M8 1.500v1.500M8 13v1.500M1.500 8H3M13 8h1.500M3.400 3.400l1 1M11.600 11.600l1 1M12.600 3.400l-1 1M4.400 11.600l-1 1"/>`,
	"globe":    `<circle cx="8" cy="8" r="5.500"/><path d="M2.500 8h11M8 2.500c3 3.500 3 7.500 0 11-3-3.500-3-7.500 0-11z"/>`,
	"keyboard": `<rect x="1.500" y="4" width="13" height="8" rx="1.500"/><path d="M4 6.500h.01M6.700 6.500h.01M9.300 6.500h.01M12 6.500h.01M4.500 9.500h7"/>`,
	"out":      `<path d="M9.500 3H4v10h5.500M7 8h7M11.500 5.500 14 8l-2.500 2.500"/>`,
	"copy":     `<rect x="5.500" y="5.500" width="8" height="8" rx="1"/><path d="M10.500 5.500v-3h-8v8h3"/>`,
	"right":    `<path d="m6 3.500 4.500 4.500L6 12.500"/>`,
	"menu":     `<path d="M2.500 4.500h11M2.500 8h11M2.500 11.500h11"/>`,
	"diff":     `<path d="M5 2.500v11M2.500 5h5M11 2.500v11M8.500 11h5"/>`,
	"filter":   `<path d="M2.500 3.500h11L9.500 8.500v4l-3 1.500V8.500z"/>`,
	"wrap":     `<path d="M2.500 4h11M2.500 8h9a2 2 0 0 1 0 4H8M9.500 10.500 8 12l1.500 1.500M2.500 12h3"/>`,
	"up":       `<path d="M8 13V3M4 7l4-4 4 4"/>`,
	"down":     `<path d="M8 3v10M4 9l4 4 4-4"/>`,
	"layers":   `<path d="m8 2.500 6 3-6 3-6-3zM2.500 8.500 8 11.200l5.500-2.700M2.500 11.200 8 14l5.500-2.800"/>`,
	"ticket":   `<path d="M2 4.500h12v2.300a1.300 1.300 0 0 0 0 2.400v2.300H2V9.200a1.300 1.300 0 0 0 0-2.400zM9.500 4.500v7"/>`,
	"bell":     `<path d="M4 11.500V7a4 4 0 0 1 8 0v4.500l1 .5H3zM7 14h2"/>`,
	"gear":     `<circle cx="8" cy="8" r="2"/><path d="M8 2v2M8 12v2M2 8h2M12 8h2M3.800 3.800l1.400 1.400M10.800 10.800l1.400 1.400M12.200 3.800l-1.400 1.400M5.200 10.800l-1.400 1.400"/>`,
	"compass":  `<circle cx="8" cy="8" r="5.500"/><path d="m10.500 5.500-1.500 3.500-3.500 1.500L7 7z"/>`,
	"upload":   `<path d="M8 10.500V3M5 6l3-3 3 3M3 13.500h10"/>`,
}
