// Keeps pages true while they are open. One stream tells that something has changed, at most four times a second; then the parts of the page that show
// it are fetched again and morphed into place. A part that takes the server long is asked for less often. A page that nobody looks at has no stream: it
// asks for its counters now and then, so that its title stays right.

const hiddenEvery = 15_000; // milliseconds between two looks of a hidden page
const fallbackEvery = 5_000; // and of one that may have no stream

interface Pace { next: number; timer: number }

const paces = new WeakMap<Element, Pace>();

// refresh asks for a part, now or as soon as its pace allows.
function refresh(e: Element): void {
  const pace = paces.get(e) ?? { next: 0, timer: 0 };
  paces.set(e, pace);
  if (pace.timer) return;
  pace.timer = window.setTimeout(() => {
    pace.timer = 0;
    if (!e.isConnected) return;
    const began = performance.now();
    pace.next = began + 1000;
    e.addEventListener("htmx:after:swap", () => {
      const took = performance.now() - began;
      pace.next = began + Math.max(500, 8 * took);
    }, { once: true });
    e.dispatchEvent(new CustomEvent("errand:change"));
  }, Math.max(0, pace.next - performance.now()));
}

function touch(kinds: string[]): void {
  for (const e of document.querySelectorAll("[data-live]")) {
    const wants = e.getAttribute("data-live")!;
    // Output alone changes nothing but the viewer.
    if (wants !== "all" && kinds.length === 1 && kinds[0] === "output" && wants !== "task") continue;
    refresh(e);
  }
  if (kinds.includes("task")) for (const e of document.querySelectorAll("[data-grid]")) refreshOther(e, "errand:grid", 1000);
  if (kinds.includes("output") || kinds.includes("task")) for (const e of document.querySelectorAll("[data-output]")) refreshOther(e, "errand:output", 250);
}

// refreshOther tells a program of its own that it shall look again.
function refreshOther(e: Element, event: string, apart: number): void {
  const pace = paces.get(e) ?? { next: 0, timer: 0 };
  paces.set(e, pace);
  if (pace.timer) return;
  pace.timer = window.setTimeout(() => {
    pace.timer = 0;
    pace.next = performance.now() + apart;
    e.dispatchEvent(new CustomEvent(event));
  }, Math.max(0, pace.next - performance.now()));
}

const address = document.body.dataset.stream;
let source: EventSource | null = null;
let fallback = 0;

function connect(): void {
  if (!address || source) return;
  source = new EventSource(address);
  source.addEventListener("change", (e) => touch(JSON.parse((e as MessageEvent).data)));
  source.addEventListener("open", () => {
    document.body.dataset.connected = "";
    clearInterval(fallback);
    touch(["invocation", "task", "output", "node"]); // whatever happened while nobody listened
  });
  source.addEventListener("error", () => {
    delete document.body.dataset.connected;
    if (source?.readyState !== EventSource.CLOSED) return; // the browser comes again by itself
    source = null;
    clearInterval(fallback);
    fallback = window.setInterval(() => {
      if (document.hidden) return;
      touch(["invocation", "task", "output", "node"]);
    }, fallbackEvery);
  });
}

let hiddenTimer = 0;

function visibility(): void {
  clearInterval(hiddenTimer);
  if (!document.hidden) {
    connect();
    return;
  }
  source?.close();
  source = null;
  const counters = document.getElementById("head") ?? document.getElementById("live");
  if (counters) hiddenTimer = window.setInterval(() => counters.dispatchEvent(new CustomEvent("errand:change")), hiddenEvery);
}

if (address) {
  document.addEventListener("visibilitychange", visibility);
  visibility();
}

// Only that a run has come into another state is said aloud, and the title tells how far it is.
let before = document.querySelector<HTMLElement>("[data-run-state]")?.dataset.runState;
const title = document.title;

function announce(): void {
  const e = document.querySelector<HTMLElement>("[data-run-state]");
  if (!e) return;
  const progress = e.dataset.progress;
  document.title = progress ? `${progress} ${title}` : title;
  if (e.dataset.runState === before) return;
  before = e.dataset.runState;
  document.getElementById("announce")!.textContent = e.dataset.say ?? "";
}

document.addEventListener("htmx:after:swap", announce);
announce();
