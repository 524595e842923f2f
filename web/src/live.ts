// Keeps pages true while they are open: what a page marks with data-live is fetched again, and morphed into place, when something has changed.
const period = 2000;

function tell(selector: string, event: string): void {
  for (const e of document.querySelectorAll(selector)) e.dispatchEvent(new CustomEvent(event));
}

function touch(): void {
  if (document.hidden) return;
  tell("[data-live]", "errand:change");
  tell("[data-grid]", "errand:grid");
  tell("[data-output]", "errand:output");
}

if (document.querySelector("[data-live]")) setInterval(touch, period);
