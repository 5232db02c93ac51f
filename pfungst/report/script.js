
"use strict";
(() => {
  const make = (name, text, properties = {}) => Object.assign(document.createElement(name), { textContent: text }, properties);
  const all = (selector, inside = document) => [...inside.querySelectorAll(selector)];
  const cards = () => all("article[id]").filter((card) => !card.hidden && card.checkVisibility());

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
  const quoted = (cell) => `"${cell.textContent.replaceAll('"', '""').trim()}"`;
  const csv = (table) => [...table.rows].map((row) => [...row.cells].map(quoted).join(",")).join("\n");
  for (const command of all(".command")) {
    command.append(copying(() => command.querySelector("code").textContent, "copy"));
  }
  for (const twin of all(".twin")) {
    twin.append(copying(() => csv(twin.querySelector("table")), "copy as CSV"));
  }

  // Keys, and a filter where there is more than one finding.
  const section = document.getElementById("found");
  const tools = make("div", "", { className: "tools" });
  tools.setAttribute("role", "search");
  const choices = ["chapter", "status", "severity"].map((about) => {
    const select = make("select", "");
    select.setAttribute("aria-label", about);
    select.append(make("option", `every ${about}`, { value: "" }));
    for (const value of new Set(all("article[id]").map((card) => card.dataset[about]))) {
      select.append(make("option", value === "inconclusive" ? "undecided" : value === "absent" ? "excluded" : value, { value }));
    }
    return [about, select];
  });
  const input = make("input", "", { type: "search", autocomplete: "off", spellcheck: false, placeholder: "words" });
  input.setAttribute("aria-label", "findings that hold these words");
  const shown = make("span", "");
  shown.setAttribute("role", "status");
  const keys = make("ul", "", { className: "keys", hidden: true });
  for (const [key, words] of [
    ["j", "next finding"], ["k", "the one before"], ["o", "open or close its details"], ["/", "search"], ["?", "these keys"],
  ]) {
    const line = make("li", "");
    line.append(make("kbd", key), ` ${words}`);
    keys.append(line);
  }
  const help = make("button", "keys", { type: "button" });
  help.setAttribute("aria-expanded", "false");
  const explain = () => {
    keys.hidden = !keys.hidden;
    help.setAttribute("aria-expanded", String(!keys.hidden));
    if (!keys.hidden) tools.scrollIntoView({ block: "nearest" });
  };
  help.addEventListener("click", explain);

  const texts = new Map();
  const text = (card) => {
    if (!texts.has(card)) texts.set(card, card.textContent.toLowerCase());
    return texts.get(card);
  };
  const choose = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const asked = choices.filter(([, select]) => select.value);
    const filtered = words.length + asked.length > 0;
    let left = 0;
    for (const card of all("article[id]")) {
      const fits = asked.every(([about, select]) => card.dataset[about] === select.value)
        && words.every((word) => text(card).includes(word));
      card.hidden = !fits;
      left += fits ? 1 : 0;
    }
    for (const part of all("section.findings")) {
      const empty = filtered && !all("article[id]", part).some((card) => !card.hidden);
      for (const child of part.children) {
        if (child !== tools && !child.matches("article")) child.hidden = empty;
      }
      const closed = part.querySelector(":scope > details");
      if (closed && filtered) closed.open = !empty;
    }
    shown.textContent = filtered ? `${left} shown` : "";
  };
  const many = all("article[id]").length;
  if (many > 1) {
    tools.append(make("span", "Show"), ...choices.filter(([, select]) => select.options.length > 2).map(([, select]) => select), input, shown);
    input.addEventListener("input", choose);
    for (const [, select] of choices) select.addEventListener("change", choose);
  }
  if (many) {
    tools.append(help, keys);
    section.prepend(tools);
  }

  const step = (by) => {
    const stops = cards();
    const at = stops.indexOf(document.activeElement.closest?.("article[id]"));
    const next = stops[at < 0 ? (by > 0 ? 0 : stops.length - 1) : Math.min(Math.max(at + by, 0), stops.length - 1)];
    next?.focus({ preventScroll: true });
    next?.scrollIntoView({ block: "start" });
  };
  const unfold = () => {
    const parts = all("details", document.activeElement.closest?.("article[id]") ?? make("p", ""));
    const open = !parts.some((part) => part.open);
    for (const part of parts) part.open = open;
  };
  const actions = { j: () => step(1), n: () => step(1), k: () => step(-1), p: () => step(-1), o: unfold, "?": explain };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && event.target === input) {
      input.value = "";
      choose();
      input.blur();
    } else if (event.target.matches("input[type=search], select")) {
      return;
    } else if (event.key === "/" && input.isConnected) {
      event.preventDefault();
      input.focus();
    } else if (many && Object.hasOwn(actions, event.key)) {
      actions[event.key]();
    }
  });

  // A link into a closed part opens it.
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
    opened = all("details:not([open])");
    for (const part of opened) part.open = true;
  });
  addEventListener("afterprint", () => { for (const part of opened) part.open = false; });
})();
