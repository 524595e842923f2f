// Terminals and players on the pages that have them. They are a program of their own, for the emulator is larger than everything else together.
import { mountPlayer } from "./player";
import { mountTerminal } from "./terminal";

for (const el of document.querySelectorAll<HTMLElement>("[data-terminal]:not([data-state])")) {
  mountTerminal(el, { url: el.dataset.url!, token: el.dataset.token!, node: el.dataset.node, watch: el.hasAttribute("data-watch") });
}
for (const el of document.querySelectorAll<HTMLElement>("[data-player]:not([data-state])")) {
  void mountPlayer(el, { src: el.dataset.src!, at: Number(el.dataset.at) || 0 });
}
