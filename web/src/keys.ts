// The keyboard. What a key does is in the sheet that "?" shows; every key can be changed there, and the browser remembers it.
import { text } from "./messages";
import { openPalette } from "./palette";

// defaults are the keys of every action: one key, or two one after the other. The sheet in the layout has a row for each.
const defaults: Record<string, string> = {
  help: "?", filter: "/", palette: "Control+k", next: "j", previous: "k", pick: "x", open: "Enter", expand: "e", diff: "d",
  "next-failure": "n", "previous-failure": "p", tail: "t", back: "Escape", compose: "c",
  home: "g h", runs: "g r", nodes: "g n", schedules: "g s", audit: "g a",
};

const store = "errand.keys";
let keys: Record<string, string> = { ...defaults };
try {
  const kept = JSON.parse(localStorage.getItem(store) || "{}");
  for (const action of Object.keys(defaults)) if (typeof kept[action] === "string") keys[action] = kept[action];
} catch { /* what was kept is damaged; the defaults hold */ }

// name is how a key press is written down.
function name(e: KeyboardEvent): string {
  return (e.ctrlKey || e.metaKey ? "Control+" : "") + (e.altKey ? "Alt+" : "") + e.key;
}

// shown is a key as people know it.
const shown = (key: string) => key.replace("Control+", "Ctrl ").replace("Escape", "Esc");

const sheet = document.getElementById("keys") as HTMLDialogElement | null;

function rows(): HTMLElement[] {
  return [...document.querySelectorAll<HTMLElement>("main [data-row]")].filter((e) => e.checkVisibility());
}

let current: string | null = null; // the id of the row that j and k have come to

function row(): HTMLElement | undefined {
  return rows().find((e) => e.classList.contains("on"));
}

function go(to: HTMLElement | undefined): void {
  if (!to) return;
  for (const e of document.querySelectorAll("[data-row].on")) e.classList.remove("on");
  to.classList.add("on");
  current = to.id || null;
  to.scrollIntoView({ block: "nearest" });
  to.querySelector<HTMLElement>("[data-open]")?.focus({ preventScroll: true });
}

function step(by: number, which: (e: HTMLElement) => boolean = () => true): void {
  const all = rows();
  if (all.length === 0) return;
  const on = row();
  let at = on ? all.indexOf(on) : by > 0 ? -1 : all.length;
  for (at += by; at >= 0 && at < all.length; at += by) {
    if (which(all[at]!)) return go(all[at]);
  }
}

const actions: Record<string, () => void> = {
  help: () => sheet?.showModal(),
  filter: () => document.querySelector<HTMLElement>("[data-filter]")?.focus(),
  palette: openPalette,
  next: () => step(1),
  previous: () => step(-1),
  pick: () => row()?.querySelector<HTMLInputElement>("input[type=checkbox]")?.click(),
  open: () => (row()?.querySelector<HTMLElement>("[data-open]") ?? undefined)?.click(),
  expand: () => (row() ?? document).querySelector<HTMLElement>("[data-expand]")?.click(),
  diff: () => (row() ?? document).querySelector<HTMLElement>("[data-diff]")?.click(),
  "next-failure": () => step(1, failed),
  "previous-failure": () => step(-1, failed),
  tail: () => document.querySelector<HTMLElement>("[data-tail]")?.click(),
  back: () => {
    const focused = document.activeElement as HTMLElement | null;
    if (focused && focused !== document.body && focused.matches("input, textarea, select")) focused.blur();
    else document.querySelector<HTMLAnchorElement>(".crumbs a[href]:last-of-type")?.click();
  },
};

function failed(e: HTMLElement): boolean {
  return e.matches("[data-failed]");
}

function act(action: string): void {
  const known = actions[action];
  if (known) known();
  else document.querySelector<HTMLElement>(`[data-key="${action}"]`)?.click();
}

// typing reports whether keys belong to something else: a field, a dialog of another kind, a terminal.
function typing(target: EventTarget | null): boolean {
  const e = target as HTMLElement | null;
  return !!e?.closest?.("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable], [data-own-keys]");
}

let first = ""; // the first of two keys
let forget = 0;

document.addEventListener("keydown", (e) => {
  if (e.defaultPrevented || e.isComposing || ["Shift", "Control", "Alt", "Meta"].includes(e.key)) return;
  const key = name(e);
  const pressed = first ? first + " " + key : key;
  first = "";
  clearTimeout(forget);
  const own = typing(e.target);
  if (own && key !== keys.palette && !(key === keys.back && !(e.target as HTMLElement).closest("[data-own-keys]"))) return;
  if (document.querySelector("dialog[open]")) return; // a dialog has its own
  if (Object.values(keys).some((k) => k.startsWith(pressed + " "))) {
    first = pressed;
    forget = window.setTimeout(() => (first = ""), 1500);
    return;
  }
  const action = Object.keys(keys).find((a) => keys[a] === pressed);
  if (!action) return;
  if (action === "open" && (e.target as HTMLElement).closest("a, button, summary")) return; // Enter does that by itself
  e.preventDefault();
  act(action);
});

// A part that was fetched again keeps its place.
document.addEventListener("htmx:after:swap", () => {
  if (current && !row()) document.getElementById(current)?.classList.add("on");
});

function draw(): void {
  for (const button of document.querySelectorAll<HTMLButtonElement>("#keys [data-action]")) {
    const action = button.dataset.action!;
    button.textContent = shown(keys[action] ?? "");
    button.setAttribute("aria-label", text("keys.change", button.dataset.what ?? action, button.textContent));
  }
}

// Changing a key: press it in the sheet, then press the new one, or two within a second.
sheet?.addEventListener("click", (e) => {
  const button = (e.target as Element).closest<HTMLButtonElement>("[data-action]");
  if (!button) return;
  const action = button.dataset.action!;
  const pressed: string[] = [];
  let done = 0;
  button.textContent = "…";
  const listen = (k: KeyboardEvent) => {
    if (["Shift", "Control", "Alt", "Meta"].includes(k.key)) return;
    k.preventDefault();
    k.stopPropagation();
    pressed.push(name(k));
    clearTimeout(done);
    if (pressed.length === 2 || k.key === "Escape") finish();
    else done = window.setTimeout(finish, 900);
  };
  const finish = () => {
    sheet.removeEventListener("keydown", listen, true);
    const key = pressed.join(" ");
    const taken = Object.keys(keys).some((a) => a !== action && (keys[a] === key || keys[a]!.startsWith(key + " ") || key.startsWith(keys[a] + " ")));
    if (key && key !== "Escape" && !taken) {
      keys[action] = key;
      localStorage.setItem(store, JSON.stringify(keys));
    }
    draw();
  };
  sheet.addEventListener("keydown", listen, true);
});

document.querySelector("[data-keys-reset]")?.addEventListener("click", () => {
  keys = { ...defaults };
  localStorage.removeItem(store);
  draw();
});

for (const e of document.querySelectorAll("[data-keys]")) e.addEventListener("click", () => sheet?.showModal());
for (const e of document.querySelectorAll<HTMLElement>("dialog [data-close]")) e.addEventListener("click", () => e.closest("dialog")!.close());
draw();
