// What lies behind a point, shown below its figure on a click; and which models, abilities and metrics the page shows.
"use strict";
(function () {
  const source = document.getElementById("cells");
  const { facts, samples } = source ? JSON.parse(source.textContent) : { facts: {}, samples: {} };
  const items = document.getElementById("items-link");
  const { button, describe } = window.dosage;
  const element = (kind, text, name) => Object.assign(document.createElement(kind), { textContent: text || "", className: name || "" });

  function sample([task, verdict, prompt, answer, gold, reason]) {
    const box = element("details", "", "sample");
    const list = describe(document.createElement("dl"), { asked: prompt, answered: answer || "(empty)", "what is right": gold, why: reason });
    list.className = "facts";
    box.append(element("summary", `${verdict}: ${task}`), list);
    box.open = true;
    return box;
  }

  function about(name) {
    const box = element("div", "", "cell");
    const { name: short, command, log, ...rest } = facts[name] || {};
    const list = describe(document.createElement("dl"), rest);
    list.className = "facts";
    box.append(element("h4", short || name), list);
    const own = samples[name] || [];
    if (own.length) box.append(element("p", "A right and a wrong answer of each benchmark, where it has one:", "notes"), ...own.map(sample));
    if (command) box.append(element("p", "Run it again, and read its log:", "notes"), element("pre", [command, log].filter(Boolean).join("\n")));
    if (items) {
      const link = element("a", "all its answers, right and wrong");
      link.href = `${items.getAttribute("href")}#cell=${encodeURIComponent(name)}`;
      box.append(link);
    }
    return box;
  }

  document.addEventListener("cells", ({ detail: { datum, figure } }) => {
    figure.querySelector(".behind")?.remove();
    const panel = element("div", "", "behind");
    panel.setAttribute("role", "region");
    panel.setAttribute("aria-label", "What lies behind this point");
    panel.tabIndex = -1;
    const named = datum.cells.split("; ");
    const more = datum.runs > named.length ? [element("p", `These are ${named.length} of ${datum.runs} runs.`)] : [];
    panel.append(...named.map(about), ...more, button("close", () => panel.remove()));
    panel.addEventListener("keydown", (event) => { if (event.key === "Escape") panel.remove(); });
    figure.append(panel);
    panel.focus({ preventScroll: true });
    panel.scrollIntoView({ block: "nearest" });
  });

  const tagged = [...document.querySelectorAll("section.part[data-ability]")];
  const hidden = { ability: new Set(), metric: new Set() };

  function filter() {
    for (const section of tagged) {
      section.hidden = Object.keys(hidden).some((key) => hidden[key].has(section.dataset[key]));
      const link = document.querySelector(`nav a[href="#${CSS.escape(section.id)}"]`);
      if (link) link.parentElement.hidden = section.hidden;
    }
  }

  function choices(title, names, change) {
    const group = element("div", "", "group");
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", title);
    group.append(element("span", title));
    for (const name of names) {
      const made = button(name, () => {
        const pressed = made.getAttribute("aria-pressed") !== "true";
        made.setAttribute("aria-pressed", pressed);
        change(name, pressed);
      });
      made.setAttribute("aria-pressed", true);
      group.append(made);
    }
    return group;
  }

  const groups = [];
  for (const [key, title] of [["ability", "Abilities"], ["metric", "Metrics"]]) {
    const names = [...new Set(tagged.map((section) => section.dataset[key]))];
    if (names.length > 1)
      groups.push(choices(title, names, (name, pressed) => { hidden[key][pressed ? "delete" : "add"](name); filter(); }));
  }
  const models = window.dosage.models();
  if (models.length > 1) groups.push(choices("Models", models, window.dosage.showModel));
  if (groups.length && tagged.length) {
    const bar = element("div", "", "choose");
    bar.append(...groups);
    tagged[0].before(bar);
  }

  if (innerWidth < 1152) document.querySelector("nav.contents details").open = false;
  document.documentElement.dataset.ready = "yes";
})();
