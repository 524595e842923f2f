// The picture of a run: a cell for each node, up to fifty thousand, in the order of the targets. States differ by colour and by texture. The table
// below it has the same, for whoever does not see it or has no mouse.
import { number, text } from "./messages";

interface Cell { i: number; task: string; node: string; id: string; state: string; exit?: number }

const tones: Record<string, string> = { o: "ok", b: "bad", l: "lost", f: "off", r: "run", w: "wait" };

function start(box: HTMLElement): void {
  const base = box.dataset.grid!;
  const canvas = box.querySelector("canvas")!;
  const tip = box.querySelector<HTMLElement>("[data-tip]")!;
  const bar = document.querySelector<HTMLFormElement>("[data-picked]")!;
  const pen = canvas.getContext("2d", { alpha: true })!;
  let cells = ""; // a letter for each node
  let open = 1;
  let columns = 1;
  let size = 12;
  let picked: [number, number] | null = null;
  const names = new Map<number, Cell>();

  function layout(): void {
    const width = canvas.clientWidth || 1;
    size = cells.length > 20_000 ? 6 : cells.length > 4000 ? 8 : cells.length > 600 ? 11 : 16;
    columns = Math.max(1, Math.floor(width / size));
    const rows = Math.max(1, Math.ceil(cells.length / columns));
    const ratio = devicePixelRatio || 1;
    canvas.style.height = rows * size + "px";
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(rows * size * ratio);
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  }

  function colour(name: string): string {
    return getComputedStyle(document.documentElement).getPropertyValue(`--${name}-fill`).trim();
  }

  // draw paints cells again whose letters differ from before; all of them if the layout is new.
  function draw(before?: string): void {
    const gap = size > 8 ? 2 : 1;
    const paint: Record<string, string> = {};
    for (const [letter, tone] of Object.entries(tones)) paint[letter] = colour(tone);
    for (let i = 0; i < cells.length; i++) {
      const letter = cells[i]!;
      if (before && before[i] === letter) continue;
      const x = (i % columns) * size;
      const y = Math.floor(i / columns) * size;
      const side = size - gap;
      pen.clearRect(x, y, size, size);
      pen.fillStyle = paint[letter] ?? paint.w!;
      const chosen = picked && i >= picked[0] && i <= picked[1];
      switch (letter) {
        case "b": // a full cell with a corner cut off
          pen.beginPath();
          pen.moveTo(x, y);
          pen.lineTo(x + side, y);
          pen.lineTo(x + side, y + side * 0.6);
          pen.lineTo(x + side * 0.6, y + side);
          pen.lineTo(x, y + side);
          pen.fill();
          break;
        case "l": // two halves
          pen.fillRect(x, y, side, side * 0.42);
          pen.fillRect(x, y + side * 0.58, side, side * 0.42);
          break;
        case "r": // a disc
          pen.beginPath();
          pen.arc(x + side / 2, y + side / 2, side / 2, 0, 7);
          pen.fill();
          break;
        case "w": // small
          pen.fillRect(x + side * 0.2, y + side * 0.2, side * 0.6, side * 0.6);
          break;
        case "f": // a line
          pen.fillRect(x, y + side * 0.35, side, side * 0.3);
          break;
        default:
          pen.fillRect(x, y, side, side);
      }
      if (chosen) {
        pen.strokeStyle = getComputedStyle(canvas).color;
        pen.strokeRect(x + 0.5, y + 0.5, side - 1, side - 1);
      }
    }
  }

  async function load(): Promise<void> {
    const resp = await fetch(base + "/grid");
    if (!resp.ok) return;
    const got: { total: number; cells: string; open: number } = await resp.json();
    open = got.open;
    const next = got.cells.replace(/(\d+)([a-z])/g, (_, n, letter) => letter.repeat(Number(n)));
    const before = cells;
    cells = next;
    if (before.length !== cells.length) {
      layout();
      draw();
    } else if (before !== cells) {
      draw(before);
      for (const [i] of names) if (before[i] !== cells[i]) names.delete(i);
    }
  }

  function index(e: MouseEvent): number {
    const at = canvas.getBoundingClientRect();
    const i = Math.floor((e.clientY - at.top) / size) * columns + Math.min(columns - 1, Math.floor((e.clientX - at.left) / size));
    return i >= 0 && i < cells.length ? i : -1;
  }

  const asked = new Set<number>();
  async function describe(i: number): Promise<Cell | undefined> {
    const known = names.get(i);
    if (known) return known;
    const from = Math.floor(i / 64) * 64;
    if (asked.has(from)) return undefined;
    asked.add(from);
    try {
      const resp = await fetch(`${base}/cells?from=${from}&count=64`);
      if (!resp.ok) return undefined;
      const got: { cells: Cell[] } = await resp.json();
      for (const c of got.cells ?? []) names.set(c.i, c);
    } finally {
      asked.delete(from);
    }
    return names.get(i);
  }

  let over = -1;
  let from = -1;
  canvas.addEventListener("pointermove", async (e) => {
    const i = index(e);
    over = i;
    if (from >= 0 && i >= 0) pick(from, i);
    const c = i >= 0 ? await describe(i) : undefined;
    if (over !== i) return;
    tip.hidden = !c;
    if (!c) return;
    tip.textContent = text("grid.cell", c.node, c.state) + (c.exit === undefined ? "" : " · " + text("grid.exit", c.exit));
    const at = box.getBoundingClientRect();
    tip.style.left = Math.min(e.clientX - at.left + 12, at.width - tip.offsetWidth - 4) + "px";
    tip.style.top = e.clientY - at.top + 16 + "px";
  });
  canvas.addEventListener("pointerleave", () => { over = -1; tip.hidden = true; });

  function pick(a: number, b: number): void {
    const before = picked;
    picked = [Math.min(a, b), Math.max(a, b)];
    if (before && before[0] === picked[0] && before[1] === picked[1]) return;
    draw();
    const n = picked[1] - picked[0] + 1;
    bar.hidden = n < 2;
    bar.querySelector("[data-count]")!.textContent = text("grid.picked", number(n));
    bar.querySelector<HTMLInputElement>("[name=from]")!.value = String(picked[0]);
    bar.querySelector<HTMLInputElement>("[name=to]")!.value = String(picked[1]);
    bar.querySelector<HTMLAnchorElement>("[data-again]")!.href = `/console/runs/new?of=${base.split("/").pop()}&first=${picked[0]}&last=${picked[1]}`;
  }

  canvas.addEventListener("pointerdown", (e) => {
    from = index(e);
    if (from >= 0) canvas.setPointerCapture(e.pointerId);
  });
  canvas.addEventListener("pointerup", async (e) => {
    const to = index(e);
    const began = from;
    from = -1;
    if (began < 0 || to !== began) return;
    const c = await describe(to);
    if (c) location.assign("/console/tasks/" + c.task);
  });

  addEventListener("resize", () => { layout(); draw(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw());
  box.addEventListener("errand:grid", () => { if (open > 0) void load(); });
  void load();
}

for (const e of document.querySelectorAll<HTMLElement>("[data-grid]")) start(e);
