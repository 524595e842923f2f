import "./htmx";
import "./ago";
import "./forms";
import "./live";
import "./composer";
import "./output";
import "./grid";
import "./palette";
import "./keys";
import "./lazy";

document.documentElement.classList.add("js");
