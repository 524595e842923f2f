// htmx fetches parts of pages from this server and puts them into place. The policy of the pages lets only it turn text into markup, and only what
// this server made: none of our own programs writes markup from text.
import htmx from "../third_party/htmx.org/htmx.esm.js";

interface TrustedTypes {
  createPolicy(name: string, rules: { createHTML(s: string): string; createScript(s: string): string }): unknown;
}

htmx.registerExtension("errand", {
  init(api: { initSecurity(policy: unknown): void }) {
    const types = (window as unknown as { trustedTypes?: TrustedTypes }).trustedTypes;
    if (types) {
      api.initSecurity(types.createPolicy("errand-htmx", { createHTML: (s) => s, createScript: () => "" }));
    }
  },
});

export default htmx;
