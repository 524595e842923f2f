// Keeps pages true while they are open: what a page marks with data-live is fetched again, and morphed into place, when something has changed.
const period = 2000;

function touch(): void {
  if (document.hidden) return;
  for (const e of document.querySelectorAll("[data-live]")) e.dispatchEvent(new CustomEvent("errand:change"));
}

if (document.querySelector("[data-live]")) setInterval(touch, period);
