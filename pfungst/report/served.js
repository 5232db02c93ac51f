
"use strict";
const rows = [...document.querySelectorAll("a.row")];
const filter = document.getElementById("filter");
const follow = (rel) => document.querySelector(`a[rel="${rel}"]`)?.click();
const step = (by) => {
  if (!rows.length) { follow(by > 0 ? "next" : "prev"); return; }
  const at = rows.indexOf(document.activeElement);
  if (at >= 0 && !rows[at + by]) { follow(by > 0 ? "next" : "prev"); return; }
  const next = rows[at < 0 ? (by > 0 ? 0 : rows.length - 1) : at + by];
  next.focus({ preventScroll: true });
  next.scrollIntoView({ block: "center" });
};
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches("input, textarea, select")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (event.key === "j") step(1);
  else if (event.key === "k") step(-1);
  else if (event.key === "n") follow("next");
  else if (event.key === "p") follow("prev");
  else if (event.key === "/") {
    event.preventDefault();
    if (filter) { filter.focus(); filter.select(); }
    else document.querySelector('a[rel="up"]')?.click();
  }
});
