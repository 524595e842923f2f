// The composer asks what the order comes to while it is being written, and numbers the lines of the script.
const form = document.querySelector<HTMLFormElement>("form[data-composer]");
const preview = document.getElementById("preview");
let wait = 0;

function ask(): void {
  clearTimeout(wait);
  wait = window.setTimeout(() => preview?.dispatchEvent(new CustomEvent("errand:compose")), 200);
}

form?.addEventListener("input", ask);

form?.addEventListener("click", (e) => {
  const chip = (e.target as Element).closest<HTMLElement>("[data-insert]");
  if (!chip) return;
  const field = document.getElementById(chip.dataset.into!) as HTMLInputElement;
  const before = field.value.trim();
  field.value = before ? `(${before}) || ${chip.dataset.insert}` : chip.dataset.insert!;
  field.focus();
  ask();
});

const area = form?.querySelector<HTMLTextAreaElement>("[data-editor]");
const gutter = form?.querySelector<HTMLElement>("[data-gutter]");
if (area && gutter) {
  let shown = 0;
  const draw = () => {
    const count = area.value.split("\n").length;
    if (count !== shown) gutter.textContent = Array.from({ length: (shown = count) }, (_, i) => i + 1).join("\n") + "\n\n";
    gutter.scrollTop = area.scrollTop;
  };
  area.addEventListener("input", draw);
  area.addEventListener("scroll", draw);
  draw();
}
