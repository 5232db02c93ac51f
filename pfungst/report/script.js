
"use strict";
(() => {
  const make = (name, text, properties = {}) => Object.assign(document.createElement(name), { textContent: text }, properties);
  const findings = () => [...document.querySelectorAll("article[id]")].filter((card) => !card.hidden);

  // Copy buttons: on commands, and on tables as CSV.
  const copying = (read, words) => {
    const button = make("button", words, { type: "button", className: "copy" });
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(read());
        button.textContent = "copied";
      } catch {
        button.textContent = "not allowed here";
      }
      setTimeout(() => { button.textContent = words; }, 1500);
    });
    return button;
  };
  const quoted = (cell) => `"${cell.innerText.replaceAll('"', '""').trim()}"`;
  const csv = (table) => [...table.rows].map((row) => [...row.cells].map(quoted).join(",")).join("\n");
  for (const command of document.querySelectorAll(".command")) {
    command.append(copying(() => command.querySelector("code").textContent, "copy"));
  }
  for (const twin of document.querySelectorAll(".twin")) {
    twin.append(copying(() => csv(twin.querySelector("table")), "copy as CSV"));
  }

  // A filter over findings, where there are many.
  const section = document.getElementById("found");
  const help = make("span", "", { hidden: true });
  const tools = make("div", "", { className: "tools" });
  if (findings().length > 8) {
    const label = make("label", "Show findings about ");
    const input = make("input", "", { type: "search", autocomplete: "off", spellcheck: false });
    const shown = make("span", "");
    shown.setAttribute("role", "status");
    label.append(input);
    tools.append(label, shown);
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let left = 0;
      for (const card of document.querySelectorAll("article[id]")) {
        const text = card.textContent.toLowerCase();
        card.hidden = !words.every((word) => text.includes(word));
        left += card.hidden ? 0 : 1;
      }
      for (const entry of document.querySelectorAll(".glance a")) {
        entry.parentElement.hidden = document.getElementById(entry.getAttribute("href").slice(1))?.hidden ?? false;
      }
      shown.textContent = words.length ? `${left} shown` : "";
    });
  }
  for (const [keys, words] of [["j", "next finding"], ["k", "the one before"], ["o", "open or close its numbers"], ["/", "filter"]]) {
    help.append(make("kbd", keys), ` ${words} `);
  }
  tools.append(help);
  section.querySelector("h2").after(tools);

  const step = (by) => {
    const cards = findings().filter((card) => card.checkVisibility());
    const at = cards.indexOf(document.activeElement.closest?.("article[id]"));
    const next = cards[at < 0 ? (by > 0 ? 0 : cards.length - 1) : Math.min(Math.max(at + by, 0), cards.length - 1)];
    next?.focus({ preventScroll: true });
    next?.scrollIntoView({ block: "start" });
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, textarea")) return;
    const search = tools.querySelector("input");
    if (event.key === "j") step(1);
    else if (event.key === "k") step(-1);
    else if (event.key === "o") {
      for (const twin of document.activeElement.closest?.("article[id]")?.querySelectorAll("details") ?? []) twin.open = !twin.open;
    } else if (event.key === "/" && search) { event.preventDefault(); search.focus(); }
    else if (event.key === "?") help.hidden = !help.hidden;
  });

  // A link to an excluded finding opens the list it stands in.
  const reveal = () => {
    const named = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const inside = named?.closest("details") ?? named?.querySelector(":scope > details.absent");
    if (inside && !inside.open) { inside.open = true; named.scrollIntoView(); }
  };
  addEventListener("hashchange", reveal);
  reveal();

  // Browsers that do not open closed parts for print by style get them opened.
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    for (const part of opened) part.open = true;
  });
  addEventListener("afterprint", () => { for (const part of opened) part.open = false; });
})();
