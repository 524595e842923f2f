// A terminal emulator on a page, for terminals and for recordings.
import { Terminal, type ITerminalOptions } from "../third_party/xterm/xterm.mjs";

// Its own styles come as texts of style elements, which the content security policy refuses, and rightly. What would be such a text becomes a sheet of
// the document instead, which a program may make, and its element one that means nothing.
function adopt(): HTMLElement {
  const style = document.createElement("span");
  style.hidden = true;
  const sheet = new CSSStyleSheet();
  let css = "";
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  Object.defineProperty(style, "textContent", {
    get: () => css,
    set: (value: string) => {
      css = value;
      sheet.replaceSync(value);
    },
  });
  const remove = style.remove.bind(style);
  style.remove = () => {
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((s) => s !== sheet);
    remove();
  };
  return style;
}

// openScreen makes an emulator in an element.
export function openScreen(parent: HTMLElement, options: ITerminalOptions): Terminal {
  const term = new Terminal({
    fontFamily: 'ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace', fontSize: 13, scrollback: 5000,
    theme: { background: "#101216", foreground: "#e6e6e6" }, linkHandler: { activate: () => undefined }, ...options,
  });
  const create = document.createElement;
  document.createElement = function (this: Document, name: string, more?: ElementCreationOptions): HTMLElement {
    return name === "style" ? adopt() : create.call(document, name, more);
  } as typeof document.createElement;
  try {
    term.open(parent);
  } finally {
    document.createElement = create;
  }
  return term;
}

// make is an element with attributes and content.
export function make<K extends keyof HTMLElementTagNameMap>(name: K, attributes: Record<string, string>, ...content: (Node | string)[]): HTMLElementTagNameMap[K] {
  const e = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
  e.append(...content);
  return e;
}
