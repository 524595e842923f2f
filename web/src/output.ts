// The viewer of a task's output. However long the output is, only the lines that can be seen are in the page: the scroll bar stands for all lines, and
// the server gives out stretches of them by number. Lines are drawn from the one at the top downwards, so that wrapped lines need no measuring.
import { number, text } from "./messages";

interface Span { c?: string; t: string }
interface Line { n: number; e?: boolean; s: Span[] | null; cut?: number; gone?: number }

const height = 20; // of a line that does not wrap, in pixels
const tallest = 12_000_000; // pixels; browsers stop at some thirty million
const stretch = 256; // lines that are fetched at a time
const kept = 40; // stretches that stay in memory

function start(section: HTMLElement): void {
  const base = section.dataset.output!;
  const stream = section.dataset.stream!;
  const viewer = section.querySelector<HTMLElement>("[data-viewer]")!;
  const space = section.querySelector<HTMLElement>("[data-space]")!;
  const box = section.querySelector<HTMLElement>("[data-lines]")!;
  const form = section.querySelector<HTMLFormElement>(".output-search")!;
  const field = form.querySelector<HTMLInputElement>("[name=q]")!;
  const found = form.querySelector<HTMLElement>("[data-found]")!;
  const tail = section.querySelector<HTMLButtonElement>("[data-tail]")!;
  const wrap = section.querySelector<HTMLButtonElement>("[data-wrap]")!;
  let total = Number(section.dataset.total);
  let complete = section.hasAttribute("data-complete");
  const stretches = new Map<number, Line[]>();
  const asked = new Set<number>();
  let at = Number(new URLSearchParams(location.search).get("line")) || 0; // the line that the address names
  let query = "";
  let hits: number[] = [];
  let hit = -1;

  if (total === 0 && complete) return; // the page says so already
  viewer.classList.add("live");
  if (complete && total < 40) viewer.style.height = total * height + 28 + "px"; // no emptier than it has to be

  // scale is how many lines a pixel of the scroll bar stands for.
  const whole = () => Math.min(total * height + viewer.clientHeight, tallest);
  const scale = () => (total * height + viewer.clientHeight) / whole();

  function top(): number {
    return Math.floor((viewer.scrollTop * scale()) / height);
  }

  function goTo(line: number): void {
    viewer.scrollTop = ((line - 1) * height) / scale();
  }

  async function fetchStretch(i: number): Promise<void> {
    if (asked.has(i)) return;
    asked.add(i);
    try {
      const resp = await fetch(`${base}/lines?stream=${stream}&from=${i * stretch + 1}`);
      if (!resp.ok) return;
      const got: { lines: Line[]; total: number; complete: boolean } = await resp.json();
      take(i, got);
      draw();
    } finally {
      asked.delete(i);
    }
  }

  function take(i: number, got: { lines: Line[] | null; total: number; complete: boolean }): void {
    let lines = (got.lines ?? []).filter((l) => l.n <= (i + 1) * stretch);
    const known = stretches.get(i);
    if (known && known.length > lines.length) lines = known;
    stretches.delete(i); // the newest is last
    stretches.set(i, lines);
    if (stretches.size > kept) stretches.delete(stretches.keys().next().value!);
    grow(got.total, got.complete);
  }

  function grow(lines: number, over: boolean): void {
    const follow = tail.getAttribute("aria-pressed") === "true";
    total = Math.max(total, lines);
    complete = over;
    space.style.height = whole() + "px";
    if (follow) viewer.scrollTop = viewer.scrollHeight;
  }

  // line is the line with a number, if it is here.
  function line(n: number): Line | undefined {
    const lines = stretches.get(Math.floor((n - 1) / stretch));
    const first = lines?.[0];
    return first && lines[n - first.n]?.n === n ? lines[n - first.n] : lines?.find((l) => l.n === n);
  }

  function element(n: number, l: Line | undefined): HTMLElement {
    const e = document.createElement("div");
    e.className = "tl" + (l?.e ? " err" : "") + (n === at ? " at" : "");
    const no = document.createElement("a");
    no.className = "ln";
    no.href = `${base}?stream=${stream}&line=${n}`;
    no.textContent = String(n);
    no.tabIndex = -1;
    const tx = document.createElement("span");
    tx.className = "tx";
    if (l?.gone) tx.append(text("output.gone"));
    for (const s of l?.s ?? []) tx.append(painted(s));
    if (l?.cut) tx.append(" …");
    e.append(no, tx);
    return e;
  }

  function painted(s: Span): Node {
    const e = s.c ? document.createElement("span") : document.createDocumentFragment();
    if (s.c) (e as HTMLElement).className = s.c;
    const lower = query ? s.t.toLowerCase() : "";
    let from = 0;
    for (let i = query ? lower.indexOf(query) : -1; i >= 0; i = lower.indexOf(query, from)) {
      e.append(s.t.slice(from, i));
      const mark = document.createElement("mark");
      mark.textContent = s.t.slice(i, i + query.length);
      e.append(mark);
      from = i + query.length;
    }
    e.append(s.t.slice(from));
    return e;
  }

  let drawing = false;
  function draw(): void {
    if (drawing) return;
    drawing = true;
    requestAnimationFrame(() => {
      drawing = false;
      space.style.height = whole() + "px";
      const first = Math.min(top(), Math.max(total - 1, 0));
      const last = Math.min(first + Math.ceil(viewer.clientHeight / height) + 1, total);
      const elements: HTMLElement[] = [];
      for (let n = first + 1; n <= last; n++) {
        const l = line(n);
        const i = Math.floor((n - 1) / stretch);
        if (!l && !(stretches.has(i) && complete)) void fetchStretch(i);
        elements.push(element(n, l));
      }
      const left = box.scrollLeft;
      box.replaceChildren(...elements);
      box.scrollLeft = left;
    });
  }

  viewer.addEventListener("scroll", () => {
    draw();
    const bottom = viewer.scrollTop + viewer.clientHeight >= viewer.scrollHeight - 4;
    if (!bottom) tail.setAttribute("aria-pressed", "false");
  });
  addEventListener("resize", draw);

  box.addEventListener("click", (e) => {
    const no = (e.target as Element).closest<HTMLAnchorElement>(".ln");
    if (!no || e.ctrlKey || e.metaKey) return;
    e.preventDefault();
    at = Number(no.textContent);
    history.replaceState(null, "", no.href);
    draw();
  });

  tail.addEventListener("click", () => {
    const on = tail.getAttribute("aria-pressed") !== "true";
    tail.setAttribute("aria-pressed", String(on));
    if (on) viewer.scrollTop = viewer.scrollHeight;
  });

  const wrapKey = "errand.wrap";
  const setWrap = (on: boolean) => {
    wrap.setAttribute("aria-pressed", String(on));
    box.classList.toggle("wrapped", on);
  };
  setWrap(localStorage.getItem(wrapKey) === "1");
  wrap.addEventListener("click", () => {
    const on = wrap.getAttribute("aria-pressed") !== "true";
    localStorage.setItem(wrapKey, on ? "1" : "0");
    setWrap(on);
  });

  async function search(): Promise<void> {
    query = field.value.toLowerCase();
    hits = [];
    hit = -1;
    found.textContent = "";
    draw();
    if (!query) return;
    const resp = await fetch(`${base}/search?stream=${stream}&q=${encodeURIComponent(field.value)}`);
    if (!resp.ok) return;
    const got: { lines: number[]; total: number } = await resp.json();
    hits = got.lines ?? [];
    found.dataset.total = String(got.total);
    found.textContent = got.total ? text("output.hits", number(0), number(got.total)) : text("output.none");
    if (hits.length > 0) show(hits.findIndex((n) => n > top()) === -1 ? 0 : hits.findIndex((n) => n > top()));
  }

  function show(i: number): void {
    if (hits.length === 0) return;
    hit = (i + hits.length) % hits.length;
    at = hits[hit]!;
    found.textContent = text("output.hits", number(hit + 1), number(Number(found.dataset.total)));
    goTo(Math.max(1, at - 4));
    draw();
  }

  form.addEventListener("submit", (e) => {
    e.preventDefault();
    if (query === field.value.toLowerCase() && hits.length > 0) show(hit + 1);
    else void search();
  });
  field.addEventListener("search", () => { if (!field.value) void search(); });
  for (const b of form.querySelectorAll<HTMLElement>("[data-hit]")) b.addEventListener("click", () => show(hit + Number(b.dataset.hit)));

  // New lines: the last stretch is asked for again whenever something may have come.
  async function more(): Promise<void> {
    if (complete || document.hidden) return;
    await fetchStretch(Math.floor(total / stretch));
  }
  section.addEventListener("errand:output", () => void more());

  if (at > 0) goTo(Math.max(1, at - 5));
  else if (!complete) {
    tail.setAttribute("aria-pressed", "true");
    grow(total, complete);
  }
  draw();
  if (field.value) void search();
}

for (const e of document.querySelectorAll<HTMLElement>("[data-output]")) start(e);
