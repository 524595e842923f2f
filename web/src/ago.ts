// Keeps relative times true while a page is open.
import { text } from "./messages";

export function ago(at: number, now: number): string {
  const seconds = (now - at) / 1000;
  const far = Math.abs(seconds);
  let rough: string;
  if (far < 60) rough = text("time.s", Math.floor(far));
  else if (far < 3600) rough = text("time.m", Math.floor(far / 60));
  else if (far < 48 * 3600) rough = text("time.h", Math.floor(far / 3600));
  else rough = text("time.d", Math.floor(far / 86400));
  if (seconds < -60) return text("time.in", rough);
  return seconds < 5 ? text("time.now") : text("time.ago", rough);
}

function refresh(): void {
  if (document.hidden) return;
  const now = Date.now();
  for (const e of document.querySelectorAll<HTMLTimeElement>("time[data-ago]")) {
    const shown = ago(Date.parse(e.dateTime), now);
    if (e.textContent !== shown) e.textContent = shown;
  }
}

setInterval(refresh, 10_000);
