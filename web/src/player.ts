// A player of recordings in asciicast v2: play and pause, speed, a slider, and a search in what was printed.
import { text } from "./messages";
import { make, openScreen } from "./screen";

export interface PlayerOptions {
  src: string; // of the recording
  at?: number; // seconds at which it begins
}

interface Happening { at: number; kind: string; data: string }

const longest = 2; // seconds of a pause that are waited for

// clock writes a time as minutes and seconds.
function clock(seconds: number): string {
  const s = Math.floor(seconds);
  return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, "0")}`;
}

// parse reads a recording. What is damaged at its end is left out.
export function parse(file: string): { width: number; height: number; events: Happening[] } {
  const lines = file.split("\n");
  const head = JSON.parse(lines[0]);
  const events: Happening[] = [];
  for (const line of lines.slice(1)) {
    if (!line) continue;
    try {
      const [at, kind, data] = JSON.parse(line);
      if (typeof at === "number" && typeof data === "string") events.push({ at, kind, data });
    } catch {
      break;
    }
  }
  return { width: head.width || 80, height: head.height || 24, events };
}

// lines takes the text out of a recording, each line with the time at which it was ended.
export function lines(events: Happening[]): { at: number; text: string }[] {
  const all: { at: number; text: string }[] = [];
  let line = "";
  for (const e of events) {
    if (e.kind !== "o") continue;
    line += e.data;
    const parts = line.split("\n");
    line = parts.pop()!;
    for (const p of parts) all.push({ at: e.at, text: plain(p) });
  }
  if (line) all.push({ at: events[events.length - 1].at, text: plain(line) });
  return all;
}

function plain(s: string): string {
  return s.replace(/\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b\[[0-?]*[ -\/]*[@-~]|\x1b[ -\/]*[0-~]|[\x00-\x1f\x7f-\x9f]/g, "");
}

// mountPlayer puts a player into an element.
export async function mountPlayer(el: HTMLElement, options: PlayerOptions): Promise<void> {
  const status = make("span", { role: "status", class: "terminal-status" }, text("player.loading"));
  el.append(status);
  let file: ReturnType<typeof parse>;
  try {
    const resp = await fetch(options.src);
    if (!resp.ok) throw new Error(String(resp.status));
    file = parse(await resp.text());
  } catch (e) {
    status.textContent = text("player.failed", String(e));
    return;
  }
  const { events } = file;
  const length = events.length ? events[events.length - 1].at : 0;

  const play = make("button", { type: "button", class: "player-play" }, text("player.play"));
  const slider = make("input", { type: "range", min: "0", max: String(Math.max(length, 0.1)), step: "0.1", value: "0", "aria-label": text("player.seek"), class: "player-seek" });
  const time = make("span", { class: "player-time" });
  const speed = make("select", { "aria-label": text("player.speed"), class: "player-speed" });
  for (const s of [0.5, 1, 2, 4, 8, 16]) speed.append(make("option", { value: String(s) }, `${s}×`));
  speed.value = "1";
  const query = make("input", { type: "search", "aria-label": text("player.search"), placeholder: text("player.search"), class: "player-search" });
  const next = make("button", { type: "submit" }, text("player.next"));
  const form = make("form", { class: "player-find", role: "search" }, query, next);
  const place = make("div", { class: "terminal-screen" });
  el.replaceChildren(make("div", { class: "terminal-bar" }, play, slider, time, speed, form, status), place);
  status.textContent = "";
  const term = openScreen(place, { disableStdin: true, cols: file.width, rows: file.height, scrollback: 0 });

  let index = 0; // of the next event
  let now = 0; // seconds
  let running = false;
  let timer = 0;
  let text_: ReturnType<typeof lines> | null = null;
  let hit = -1;

  function show(): void {
    time.textContent = `${clock(now)} / ${clock(length)}`;
    slider.value = String(now);
    slider.setAttribute("aria-valuetext", clock(now));
    play.textContent = running ? text("player.pause") : text("player.play");
    el.dataset.state = running ? "playing" : now >= length ? "ended" : "paused";
  }

  function apply(e: Happening): void {
    if (e.kind === "o") term.write(e.data);
    if (e.kind === "r") {
      const [columns, rows] = e.data.split("x").map(Number);
      if (columns > 0 && rows > 0 && columns < 1000 && rows < 1000) term.resize(columns, rows);
    }
  }

  // seek draws everything up to a time.
  function seek(to: number): void {
    if (to < now || index === 0) {
      term.reset();
      term.resize(file.width, file.height);
      index = 0;
    }
    while (index < events.length && events[index].at <= to) apply(events[index++]);
    now = to;
    show();
  }

  function step(): void {
    clearTimeout(timer);
    if (!running) return;
    if (index >= events.length) {
      running = false;
      now = length;
      show();
      return;
    }
    const wait = Math.min(events[index].at - now, longest);
    const began = performance.now();
    timer = window.setTimeout(() => {
      const passed = ((performance.now() - began) / 1000) * Number(speed.value);
      const due = events[index].at;
      if (passed >= wait - 0.001) {
        while (index < events.length && events[index].at <= due) apply(events[index++]);
        now = due;
      } else {
        now += passed;
      }
      show();
      step();
    }, Math.min(200, Math.max(0, (wait * 1000) / Number(speed.value))));
  }

  function toggle(on: boolean): void {
    running = on;
    if (on && now >= length) seek(0);
    show();
    step();
  }

  play.addEventListener("click", () => toggle(!running));
  slider.addEventListener("input", () => {
    seek(Number(slider.value));
    step();
  });
  speed.addEventListener("change", step);
  query.addEventListener("input", () => {
    hit = -1;
    status.textContent = "";
  });
  form.addEventListener("submit", (e) => {
    e.preventDefault();
    const wanted = query.value.toLowerCase();
    if (!wanted) return;
    text_ ??= lines(events);
    const hits = text_.filter((l) => l.text.toLowerCase().includes(wanted));
    if (hits.length === 0) {
      status.textContent = text("output.none");
      return;
    }
    hit = (hit + 1) % hits.length;
    status.textContent = text("player.hit", hit + 1, hits.length, clock(hits[hit].at));
    running = false;
    seek(hits[hit].at);
  });
  seek(Math.min(options.at ?? 0, length));
}
