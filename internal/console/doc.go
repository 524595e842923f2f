// Package console is the web console below /console/: pages for people, rendered on the server from typed view models, over the same core.Service
// as every API and with the rights of whoever is signed in. It knows HTTP and the core, and nothing of stores, buses or dialects.
//
// # How to add a page
//
//  1. Write a handler, func(r *request) (answer, error), in a file named after the noun. It asks the core with r.caller, and returns the name of a
//     template and a view model: a struct with exactly what the template shows. A refusal of the core is returned as it is; one place turns it into
//     a page, in the reader's language.
//  2. Add it to the table in routes.go. Handlers of anything but GET change something, are audited, and end with a redirect.
//  3. Write templates/NAME.html with {{define "content"}}. It holds no words of its own: every text is {{t "some.key"}} or {{tn "some.key" n}}, and
//     the key stands in both messages/en.json and messages/zh.json. Use what parts.html has: "head", "empty", "pager", "state", "bar", "field".
//     The table of nodes.html is an example of a list, login.html of a form.
//  4. A page shows and lists without JavaScript. What is live is a block of the page's own template: an element with hx-get="?part=BLOCK" asks
//     for just that block of the same URL and morphs it into place when the stream says that something has changed (data-live, see web/src/live.ts).
//  5. No inline style or script: the content security policy refuses them. Widths that depend on data are attributes of an SVG.
//  6. Add the page to the list in pages_test.go, which walks all of them without a browser, and in consoletest, which looks at them with one.
//
// What nodes print or say about themselves is hostile. html/template escapes it; output goes through the package's ANSI parser, which lets colours
// through and drops every other sequence.
package console
