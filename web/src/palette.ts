// The palette jumps to anything by a few letters: pages, runs, nodes. The server finds what matches; the pages of the menu are known here.
import { text } from "./messages";

interface Item { href: string; kind: string; text: string; sub?: string }

const dialog = document.getElementById("palette") as HTMLDialogElement | null;
const input = dialog?.querySelector("input") ?? null;
const list = dialog?.querySelector<HTMLElement>("[role=listbox]") ?? null;
let items: Item[] = [];
let at = 0;
let asked = 0;

export function openPalette(): void {
  if (!dialog || !input || dialog.open) return;
  input.value = "";
  dialog.showModal();
  input.focus();
  void find("");
}

function pages(query: string): Item[] {
  const wanted = query.toLowerCase();
  return [...document.querySelectorAll<HTMLAnchorElement>(".side a[href^='/console/']")]
    .map((a) => ({ href: a.pathname, kind: "page", text: a.textContent!.trim() }))
    .filter((p, i, all) => p.text.toLowerCase().includes(wanted) && all.findIndex((o) => o.href === p.href) === i);
}

async function find(query: string): Promise<void> {
  const mine = ++asked;
  show(pages(query));
  if (!query) return;
  const resp = await fetch("/console/palette?q=" + encodeURIComponent(query), { headers: { Accept: "application/json" } });
  if (!resp.ok || mine !== asked) return;
  const found: { items: Item[] } = await resp.json();
  if (mine === asked) show([...pages(query), ...(found.items ?? [])]);
}

function show(found: Item[]): void {
  if (!list || !input) return;
  items = found;
  at = 0;
  list.replaceChildren(...items.map((item, i) => {
    const e = document.createElement("div");
    e.id = "palette-" + i;
    e.setAttribute("role", "option");
    const kind = document.createElement("span");
    kind.className = "chip";
    kind.textContent = text(`palette.kind.${item.kind}`);
    const name = document.createElement("span");
    name.className = "name";
    name.textContent = item.text;
    const sub = document.createElement("span");
    sub.className = "muted";
    sub.textContent = item.sub ?? "";
    e.append(name, sub, kind);
    e.addEventListener("click", () => open(i));
    return e;
  }));
  const none = dialog?.querySelector<HTMLElement>("[data-none]");
  if (none) none.hidden = items.length > 0;
  mark();
}

function mark(): void {
  list?.querySelectorAll("[role=option]").forEach((e, i) => e.setAttribute("aria-selected", String(i === at)));
  if (items.length > 0) {
    input?.setAttribute("aria-activedescendant", "palette-" + at);
    document.getElementById("palette-" + at)?.scrollIntoView({ block: "nearest" });
  } else input?.removeAttribute("aria-activedescendant");
}

function open(i: number): void {
  const item = items[i];
  if (item) location.assign(item.href);
}

let wait = 0;
input?.addEventListener("input", () => {
  clearTimeout(wait);
  wait = window.setTimeout(() => void find(input.value.trim()), 120);
});
input?.addEventListener("keydown", (e) => {
  if (e.isComposing) return;
  const move = e.key === "ArrowDown" ? 1 : e.key === "ArrowUp" ? -1 : 0;
  if (move && items.length > 0) {
    e.preventDefault();
    at = (at + move + items.length) % items.length;
    mark();
  } else if (e.key === "Enter") {
    e.preventDefault();
    open(at);
  }
});
dialog?.addEventListener("click", (e) => {
  if (e.target === dialog) dialog.close();
});
for (const e of document.querySelectorAll("[data-palette]")) e.addEventListener("click", openPalette);
