// Small conveniences of forms. All of them work without, by a button more.
document.addEventListener("change", (e) => {
  const form = (e.target as Element).closest<HTMLFormElement>("form[data-submit-on-change]");
  if (form) form.requestSubmit();
});

document.addEventListener("click", async (e) => {
  const button = (e.target as Element).closest<HTMLElement>("[data-copy]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copy || "");
  if (!source) return;
  await navigator.clipboard.writeText(source.textContent || "");
  button.classList.add("done");
  setTimeout(() => button.classList.remove("done"), 1500);
});

// On narrow screens the menu begins closed; without JavaScript it stays open, so that nothing is out of reach.
const menu = document.querySelector<HTMLDetailsElement>("details[data-menu]");
if (menu && matchMedia("(max-width: 860px)").matches) menu.open = false;
