import "./htmx";
import "./ago";
import "./forms";
import "./live";
import "./palette";
import "./keys";

document.documentElement.classList.add("js");
