import "./htmx";
import "./ago";
import "./forms";
import "./live";

document.documentElement.classList.add("js");
