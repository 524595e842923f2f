// Fetches the program for terminals and players where a page has one: it is larger than everything else together.
if (document.querySelector("[data-terminal], [data-player]")) {
  const style = document.createElement("link");
  style.rel = "stylesheet";
  style.href = "/console/static/terminal.css";
  document.head.append(style);
  const program = "/console/static/terminal.js"; // a bundle of its own
  void import(program);
}
