// A terminal of a node. It speaks errand.terminal.v1: both sides say which bytes they have, so that a connection that breaks goes on without a lost or
// repeated byte.
import { FitAddon } from "../third_party/xterm-addon-fit/addon-fit.mjs";
import { text } from "./messages";
import { make, openScreen } from "./screen";

export interface TerminalOptions {
  url: string; // of the WebSocket, without the token; may be relative to the page
  token: string;
  node?: string;
  watch?: boolean; // only looks on
}

interface Message {
  type: string;
  in?: number;
  out?: number;
  window?: number;
  again?: string;
  rejoin_seconds?: number;
  have?: number;
  online?: boolean;
  watchers?: number;
  reason?: string;
  message?: string;
  exit_code?: number;
  signal?: number;
}

const replaced = 1008; // close code after another connection has taken over
const readerKey = "errand.terminal.reader";

// mountTerminal puts a terminal into an element and returns what takes it away again. Ctrl+Shift+Escape and Ctrl+F6 lead the keyboard out of it.
export function mountTerminal(el: HTMLElement, options: TerminalOptions): () => void {
  const status = make("span", { role: "status", class: "terminal-status" });
  const reader = make("button", { type: "button", class: "terminal-reader" }, text("terminal.reader"));
  const bar = make("div", { class: "terminal-bar" }, status, reader);
  const place = make("div", { class: "terminal-screen" });
  el.append(bar, place);
  el.removeAttribute("data-token"); // it is a key, and needed no more on the page

  const term = openScreen(place, {
    disableStdin: options.watch, cursorBlink: !options.watch, screenReaderMode: localStorage.getItem(readerKey) === "1",
  });
  const fit = new FitAddon();
  term.loadAddon(fit);
  const encoder = new TextEncoder();

  let token = options.token;
  let socket: WebSocket | null = null;
  let pending = new Uint8Array(0); // input that the node may not have
  let base = 0; // position of pending[0]
  let sent = 0; // position after what went to this connection
  let started = false; // base is known
  let greeted = false; // on this connection
  let limit = 64 << 10;
  let have = 0; // position after the last output that is here
  let patience = 60; // seconds for which to try again
  let lost = 0; // when the connection broke; 0 while there is one
  let pause = 0;
  let retry = 0;
  let watchers = 0;
  let online = true;
  let over = false;

  function say(state: string, words: string): void {
    status.textContent = words;
    el.dataset.state = state;
  }

  function send(m: object): void {
    if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(m));
  }

  // flush sends what there is to send and what may be sent.
  function flush(): void {
    while (greeted && socket?.readyState === WebSocket.OPEN) {
      const from = sent - base;
      const piece = pending.subarray(from, Math.min(pending.length, limit, from + 16384));
      if (piece.length === 0) return;
      const message = new Uint8Array(8 + piece.length);
      new DataView(message.buffer).setBigUint64(0, BigInt(sent));
      message.set(piece, 8);
      socket.send(message);
      sent += piece.length;
    }
  }

  function type(bytes: Uint8Array): void {
    if (options.watch || over || pending.length > 1 << 20) return;
    const all = new Uint8Array(pending.length + bytes.length);
    all.set(pending);
    all.set(bytes, pending.length);
    pending = all;
    flush();
  }

  // take writes output and, when the emulator has it, says so: a slow page slows the program, not the browser.
  function take(message: ArrayBuffer): void {
    if (message.byteLength < 8) return;
    const pos = Number(new DataView(message).getBigUint64(0));
    const data = new Uint8Array(message, 8);
    if (pos > have && !options.watch) {
      socket?.close(); // something is missing: the next connection brings it
      return;
    }
    const fresh = data.subarray(Math.max(0, have - pos));
    have = Math.max(have, pos + data.length);
    const upTo = have;
    const of = socket;
    term.write(fresh, () => {
      if (of === socket && !options.watch) send({ type: "ack", have: upTo });
    });
  }

  function hear(m: Message): void {
    switch (m.type) {
      case "hello": {
        token = m.again ?? token;
        patience = m.rejoin_seconds ?? patience;
        have = m.out ?? have;
        const next = m.in ?? 0;
        if (!started) started = true; // what was typed before belongs to the beginning
        else if (next < base || next > base + pending.length) pending = new Uint8Array(0); // somebody else typed meanwhile
        else pending = pending.subarray(next - base);
        base = sent = next;
        limit = m.window ?? limit;
        greeted = true;
        online = true;
        lost = pause = 0;
        resize();
        flush();
        show();
        break;
      }
      case "ack": {
        const to = m.have ?? 0;
        if (to > base && to <= base + pending.length) {
          pending = pending.subarray(to - base);
          base = to;
          sent = Math.max(sent, base);
        }
        flush();
        break;
      }
      case "state":
        online = m.online ?? online;
        watchers = m.watchers ?? watchers;
        show();
        break;
      case "replaced":
        end("replaced", text("terminal.replaced"));
        break;
      case "end":
        if (m.reason !== "exited") end("ended", text("terminal.ended", m.message ?? m.reason ?? ""));
        else if (m.signal) end("signal", text("terminal.signal", m.signal));
        else end("exited", text("terminal.exited", m.exit_code ?? 0));
    }
  }

  function show(): void {
    if (!online) say("offline", text("terminal.offline", options.node ?? ""));
    else if (options.watch) say("watching", text("terminal.watching"));
    else if (watchers > 0) say("watched", text("terminal.watched", watchers));
    else say("connected", text("terminal.connected"));
  }

  function end(state: string, words: string): void {
    over = true;
    say(state, words);
    term.options.disableStdin = true;
    term.options.cursorBlink = false;
    socket?.close();
  }

  function connect(): void {
    clearTimeout(retry);
    greeted = false;
    if (lost) say("again", text("terminal.again"));
    else say("connecting", text("terminal.connecting"));
    const url = new URL(options.url, location.href);
    url.protocol = url.protocol.replace("http", "ws");
    url.searchParams.set("have", String(have));
    if (options.watch) url.searchParams.set("watch", "1");
    const s = new WebSocket(url, ["errand.terminal.v1", "errand.token." + token]); // a page can set no headers
    s.binaryType = "arraybuffer";
    socket = s;
    s.onmessage = (e) => {
      if (s !== socket || over) return;
      if (typeof e.data === "string") hear(JSON.parse(e.data));
      else take(e.data);
    };
    s.onclose = (e) => {
      if (s !== socket || over) return;
      socket = null;
      if (e.code === replaced) {
        end("replaced", text("terminal.replaced"));
        return;
      }
      if (!started) {
        end("refused", text("terminal.refused")); // a browser does not tell why
        return;
      }
      lost ||= Date.now();
      if (Date.now() - lost > patience * 1000) {
        end("lost", text("terminal.lost"));
        return;
      }
      say("broken", text("terminal.broken"));
      retry = window.setTimeout(connect, pause + Math.random() * 200);
      pause = Math.min(2 * pause + 200, 2000);
    };
  }

  function resize(): void {
    if (options.watch) return;
    fit.fit();
    if (greeted) send({ type: "resize", rows: term.rows, cols: term.cols });
  }

  const watcher = new ResizeObserver(() => resize());
  watcher.observe(place);
  const back = () => {
    if (!socket && !over && started) {
      pause = 0;
      connect();
    }
  };
  window.addEventListener("online", back);
  term.onData((data) => type(encoder.encode(data)));
  term.onBinary((data) => type(Uint8Array.from(data, (c) => c.charCodeAt(0) & 255)));
  term.attachCustomKeyEventHandler((e) => {
    if ((e.key === "Escape" && e.ctrlKey && e.shiftKey) || (e.key === "F6" && e.ctrlKey)) {
      e.preventDefault();
      reader.focus();
      return false;
    }
    return true;
  });
  const mark = () => reader.setAttribute("aria-pressed", String(term.options.screenReaderMode));
  reader.addEventListener("click", () => {
    term.options.screenReaderMode = !term.options.screenReaderMode;
    localStorage.setItem(readerKey, term.options.screenReaderMode ? "1" : "0");
    mark();
    term.focus();
  });
  mark();
  fit.fit();
  connect();
  if (!options.watch) term.focus();
  return () => {
    over = true;
    clearTimeout(retry);
    watcher.disconnect();
    window.removeEventListener("online", back);
    socket?.close();
    term.dispose();
    bar.remove();
    place.remove();
  };
}
