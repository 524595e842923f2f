// Texts in the reader's language, which the page carries with it.
const texts: Record<string, string> = JSON.parse(document.getElementById("messages")?.textContent || "{}");

// text is a message with its arguments filled in, in the order in which they stand: %s and %d, or %[1]s where the language wants another order.
export function text(key: string, ...args: (string | number)[]): string {
  let next = 0;
  return (texts[key] ?? key).replace(/%(?:\[(\d+)\])?[sd]/g, (_, n) => String(args[n ? Number(n) - 1 : next++] ?? ""));
}

export const language = document.documentElement.lang || "en";

// number writes a whole number with its thousands apart.
export function number(n: number): string {
  return n.toLocaleString("en-US");
}
