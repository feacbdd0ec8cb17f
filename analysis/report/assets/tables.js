// Tables: sort by a column, filter rows, copy as CSV and LaTeX.
"use strict";
(function () {
  const text = (cell) => cell.textContent.trim();

  function number(words) {
    const fraction = /^(\d+)\/(\d+)\b/.exec(words);
    if (fraction) return fraction[1] / fraction[2];
    const found = /^[+-]?[\d,]*\.?\d+(e[+-]?\d+)?/i.exec(words.replace("−", "-"));
    return found ? parseFloat(found[0].replace(/,/g, "")) : NaN;
  }

  function sort(table, column, head) {
    const up = head.getAttribute("aria-sort") !== "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const rows = [...table.tBodies[0].rows].map((row) => [row, text(row.cells[column])]);
    const numeric = rows.filter(([, words]) => !isNaN(number(words))).length * 2 > rows.length;
    const missing = (words) => (numeric ? isNaN(number(words)) : words === "" || words === "-");
    rows.sort(([, a], [, b]) => {
      if (missing(a) || missing(b)) return missing(a) - missing(b);
      const order = numeric ? number(a) - number(b) : a.localeCompare(b, "en", { numeric: true });
      return up ? order : -order;
    });
    table.tBodies[0].append(...rows.map(([row]) => row));
  }

  const cells = (table) =>
    [table.tHead.rows[0], ...table.tBodies[0].rows].filter((row) => !row.hidden).map((row) => [...row.cells].map(text));

  const csv = (table) =>
    cells(table).map((row) => row.map((w) => (/[",\n]/.test(w) ? `"${w.replace(/"/g, '""')}"` : w)).join(",")).join("\n") + "\n";

  function latex(table) {
    const named = { "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "±": "$\\pm$", "−": "$-$" };
    const safe = (w) => w.replace(/[&%$#_{}]/g, "\\$&").replace(/[\\~^±−](?![&%$#_{}])/g, (c) => named[c]);
    const [head, ...body] = cells(table).map((row) => row.map(safe).join(" & ") + " \\\\");
    const columns = "l" + "r".repeat(table.tHead.rows[0].cells.length - 1);
    return `\\begin{tabular}{${columns}}\n\\hline\n${head}\n\\hline\n${body.join("\n")}\n\\hline\n\\end{tabular}\n`;
  }

  function copy(words, button) {
    const said = button.textContent;
    const done = (what) => { button.textContent = what; setTimeout(() => (button.textContent = said), 1500); };
    const field = document.createElement("textarea");  // a page opened from a file has no clipboard of its own
    field.value = words;
    document.body.append(field);
    field.select();
    done(document.execCommand("copy") ? "copied" : "not copied");
    field.remove();
    button.dataset.copied = words;
  }

  function button(words, act) {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = words;
    made.addEventListener("click", () => act(made));
    return made;
  }

  function filter(table) {
    const field = document.createElement("input");
    field.type = "search";
    field.placeholder = "filter rows";
    field.setAttribute("aria-label", "Filter rows of " + table.getAttribute("aria-label"));
    field.addEventListener("input", () => {
      const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      for (const row of table.tBodies[0].rows) {
        const said = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => said.includes(word));
      }
    });
    return field;
  }

  function dress(table) {
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const words = text(head);
      const made = button(words, () => sort(table, column, head));
      head.replaceChildren(made);
    });
    const tools = document.createElement("div");
    tools.className = "tabletools";
    if (table.tBodies[0].rows.length > 3) tools.append(filter(table));
    tools.append(button("copy as CSV", (b) => copy(csv(table), b)), button("copy as LaTeX", (b) => copy(latex(table), b)));
    table.parentElement.after(tools);
  }

  const sign = () => {
    for (const box of document.querySelectorAll(".scroll"))
      box.classList.toggle("cut", box.scrollWidth > box.clientWidth + 1);
  };

  window.dosage = Object.assign(window.dosage || {}, { button, csv, latex, copy });
  document.querySelectorAll("table").forEach(dress);
  addEventListener("resize", sign);
  sign();
})();
