"""The script of the HTML report. It only adds comfort: without it every section, table and name is there as well.

It sorts and filters tables, and opens all sections, also for paper.
"""

from __future__ import annotations

import base64
import hashlib

SCRIPT = """
"use strict";
(() => {
  const make = (tag, text, name) => {
    const element = document.createElement(tag);
    element.textContent = text;
    if (name) element.className = name;
    return element;
  };
  const folds = [...document.querySelectorAll("section details")];
  const everything = make("button", "Open all sections", "all");
  everything.type = "button";
  everything.onclick = () => {
    const open = folds.some(fold => !fold.open);
    folds.forEach(fold => { fold.open = open; });
  };
  const label = () => {
    everything.textContent = folds.every(fold => fold.open) ? "Close all sections" : "Open all sections";
  };
  folds.forEach(fold => fold.addEventListener("toggle", label));
  if (folds.length) document.querySelector("main").prepend(everything);
  const reveal = () => {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    const fold = target && target.querySelector("details");
    if (fold) fold.open = true;
  };
  addEventListener("hashchange", reveal);
  reveal();
  let before = [];
  addEventListener("beforeprint", () => {
    before = folds.map(fold => fold.open);
    folds.forEach(fold => { fold.open = true; });
  });
  addEventListener("afterprint", () => folds.forEach((fold, place) => { fold.open = before[place]; }));

  const number = text => {
    const value = parseFloat(text.replace(/,/g, "").replace("\\u2212", "-"));
    return Number.isNaN(value) ? Infinity : value;
  };
  const compare = (a, b) => {
    const [x, y] = [number(a), number(b)];
    return x < y ? -1 : x > y ? 1 : x === Infinity ? a.localeCompare(b, "en", { numeric: true }) : 0;
  };
  const arrange = (table, head, place) => {
    const turn = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    table.querySelectorAll("thead th").forEach(other => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", turn > 0 ? "ascending" : "descending");
    const text = row => row.cells[place].textContent.trim();
    const rows = [...table.tBodies[0].rows].sort((a, b) => turn * compare(text(a), text(b)));
    table.tBodies[0].append(...rows);
  };
  for (const table of document.querySelectorAll("table.sorts")) {
    [...table.tHead.rows[0].cells].forEach((head, place) => {
      if (head.tagName !== "TH") return;
      const button = make("button", head.textContent, "sort");
      button.type = "button";
      button.onclick = () => arrange(table, head, place);
      head.replaceChildren(button);
    });
    const rows = [...table.tBodies[0].rows];
    if (rows.length < 14) continue;
    const line = make("p", "", "filter");
    const field = make("input");
    const count = make("output", "");
    const name = make("label", "Filter ");
    field.type = "search";
    field.oninput = () => {
      const wanted = field.value.trim().toLowerCase();
      rows.forEach(row => { row.hidden = !row.textContent.toLowerCase().includes(wanted); });
      count.textContent = wanted ? ` ${rows.filter(row => !row.hidden).length} of ${rows.length}` : "";
    };
    name.append(field);
    line.append(name, count);
    table.parentElement.before(line);
  }
})();
"""

HASH = "sha256-" + base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
"""The only script that the content security policy allows."""
