// What lies behind a point: its cells with config, cost and answers, shown on a click.
"use strict";
(function () {
  const source = document.getElementById("cells");
  const cells = source ? JSON.parse(source.textContent) : {};
  const items = document.getElementById("items-link");
  const { button, describe } = window.dosage;

  function about(name) {
    const box = document.createElement("div");
    const title = document.createElement("h3");
    title.textContent = name;
    box.append(title);
    const { command, ...facts } = cells[name] || {};
    const list = describe(document.createElement("dl"), facts);
    list.className = "facts";
    box.append(list);
    if (command) {
      const words = document.createElement("pre");
      words.textContent = command;
      box.append(words);
    }
    if (items) {
      const link = document.createElement("a");
      link.href = `${items.getAttribute("href")}#cell=${encodeURIComponent(name)}`;
      link.textContent = "its answers, right and wrong";
      box.append(link);
    }
    return box;
  }

  document.addEventListener("cells", ({ detail }) => {
    const dialog = document.createElement("dialog");
    dialog.setAttribute("aria-label", "What lies behind this point");
    const named = detail.cells.split("; ");
    const more = document.createElement("p");
    more.textContent = detail.runs > named.length ? `These are ${named.length} of ${detail.runs} runs.` : "";
    dialog.append(...named.map(about), more, button("close", () => dialog.close()));
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
  });
  if (innerWidth < 1152) document.querySelector("nav.contents details").open = false;
  document.documentElement.dataset.ready = "yes";
})();
