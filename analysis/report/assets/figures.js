// Figures: a live view takes the place of a picture when it is looked at; hover, toggles of series, log axes, a click on a point.
"use strict";
(function () {
  const { button } = window.dosage;
  const hint = document.createElement("div");
  hint.id = "hint";
  hint.hidden = true;
  hint.setAttribute("role", "tooltip");
  document.body.append(hint);
  const off = new Set();  // names of series that are switched off, in all figures
  const away = new Set();  // and of models
  const live = new Map();
  const cells = JSON.parse(document.getElementById("cells")?.textContent || "{}").facts || {};

  function describe(list, facts) {
    const parts = [];
    for (const [name, value] of Object.entries(facts)) {
      if (value === null || value === undefined || value === "" || value === "null") continue;
      const term = document.createElement("dt");
      const said = document.createElement("dd");
      term.textContent = name;
      said.textContent = value;
      parts.push(term, said);
    }
    list.replaceChildren(...parts);
    return list;
  }

  function tooltip(_, event, __, value) {
    hint.hidden = !value;
    if (!value) return;
    const facts = typeof value === "object" ? { ...value } : { "": value };
    if (facts.cells) facts.cells = facts.cells.split("; ").map((name) => cells[name]?.name || name).join("; ");
    hint.replaceChildren(describe(document.createElement("dl"), facts));
    const { clientWidth: width } = document.documentElement;
    const left = Math.max(4, Math.min(event.clientX + 14, width - hint.offsetWidth - 8));
    hint.style.left = scrollX + left + "px";
    hint.style.top = scrollY + event.clientY + 16 + "px";
  }

  const roomOf = (figure) => Math.floor(figure.querySelector(".plot").getBoundingClientRect().width);
  const given = (figure) => JSON.parse(document.getElementById("vega-" + figure.id).textContent);
  // Its greatest width is 1.15 times the one it needs with the font of the files; a reader's own may be wider.
  const isNarrow = (figure, { width } = given(figure)) => roomOf(figure) < 1.1 * width;

  function specOf(figure) {  // as it is, or as it changes where the figure has less room than it needs
    const { wide, narrow, width } = given(figure);
    if (!isNarrow(figure, { width })) return wide;
    for (const [path, ...value] of narrow) {
      const last = path.at(-1);
      const place = path.slice(0, -1).reduce((part, key) => part[key], wide);
      if (value.length) place[last] = value[0]; else delete place[last];
    }
    const child = (wide.signals || []).find(({ name }) => name === "child_width");
    if (child) child.value = roomOf(figure) - 60; else wide.width = roomOf(figure);
    return wide;
  }

  const table = (spec) => spec.data.find((one) => Array.isArray(one.values));
  const names = (spec) => [...new Set((table(spec)?.values || []).map((row) => row.series).filter(Boolean))];
  const logs = (spec) => (spec.scales || []).filter((scale) => scale.type === "log" && ["x", "y"].includes(scale.name));

  function shown(figure) {
    const spec = specOf(figure);
    const rows = table(spec);
    if (rows) rows.values = rows.values.filter((row) => (!row.series || !off.has(row.series)) && !away.has(row.model));
    const straight = (figure.dataset.linear || "").split(" ");
    for (const scale of logs(spec)) if (straight.includes(scale.name)) linear(spec, scale);
    return spec;
  }

  function linear(spec, scale) {
    Object.assign(scale, { type: "linear", zero: false });
    for (const axis of spec.axes || []) {
      if (axis.scale !== scale.name) continue;
      delete axis.values;
      if (axis.title) axis.title = [axis.title].flat().join(" ").replace(" (log scale)", "");
      if (axis.encode?.labels?.update?.text) axis.encode.labels.update.text = { signal: "format(datum.value, ',.4~g')" };
    }
  }

  function draw(figure) {
    live.get(figure)?.finalize();
    const plot = figure.querySelector(".plot");
    const place = document.createElement("div");
    const view = new vega.View(vega.parse(shown(figure)), { renderer: "svg", hover: true, container: place, tooltip });
    view.logLevel(vega.Error);
    view.addEventListener("click", (event, item) => item?.datum?.cells && open(item.datum, figure));
    live.set(figure, view);
    return view.runAsync().then(() => {
      const svg = place.querySelector("svg");
      svg.setAttribute("aria-hidden", "true");
      svg.style.width = "100%";
      svg.style.height = "auto";
      if (!svg.getAttribute("viewBox")) svg.setAttribute("viewBox", `0 0 ${svg.getAttribute("width")} ${svg.getAttribute("height")}`);
      plot.replaceChildren(place);
      figure.dataset.live = "yes";
      figure.dataset.room = isNarrow(figure) ? roomOf(figure) : "";
    });
  }

  function toggle(name, pressed) {
    if (pressed) off.delete(name); else off.add(name);
    for (const one of document.querySelectorAll("figure .series"))
      if (one.dataset.series === name) one.setAttribute("aria-pressed", pressed);
    for (const figure of live.keys()) if (names(specOf(figure)).includes(name)) draw(figure);
  }

  function tools(figure) {
    const spec = specOf(figure);
    const box = document.createElement("div");
    box.className = "tools";
    const all = names(spec);
    const colours = (spec.scales || []).find((scale) => ["color", "stroke"].includes(scale.name));
    if (all.length > 1)
      for (const name of all) {
        const made = button(name, () => toggle(name, made.getAttribute("aria-pressed") !== "true"));
        made.className = "series";
        made.dataset.series = name;
        made.setAttribute("aria-pressed", !off.has(name));
        const place = Array.isArray(colours?.domain) ? colours.domain.indexOf(name) : -1;
        if (place >= 0) {
          const swatch = document.createElement("span");
          swatch.className = "swatch";
          swatch.style.background = colours.range[place];
          made.prepend(swatch);
        }
        box.append(made);
      }
    for (const scale of logs(spec)) {
      const way = scale.name === "x" ? "across" : "up";
      const made = button(`log ${way}`, () => {
        const pressed = made.getAttribute("aria-pressed") !== "true";
        made.setAttribute("aria-pressed", pressed);
        const straight = new Set((figure.dataset.linear || "").split(" ").filter(Boolean));
        if (pressed) straight.delete(scale.name); else straight.add(scale.name);
        figure.dataset.linear = [...straight].join(" ");
        draw(figure);
      });
      made.className = "log";
      made.setAttribute("aria-pressed", true);
      box.append(made);
    }
    if (box.children.length) figure.append(box);
  }

  function open(datum, figure) { hint.hidden = true; document.dispatchEvent(new CustomEvent("cells", { detail: { datum, figure } })); }

  const modelsOf = (figure) => (table(specOf(figure))?.values || []).map((row) => row.model).filter(Boolean);
  const models = () => [...new Set([...document.querySelectorAll("figure")].flatMap(modelsOf))];

  function showModel(name, pressed) {
    if (pressed) away.delete(name); else away.add(name);
    for (const figure of live.keys()) if (modelsOf(figure).includes(name)) draw(figure);
  }

  const seen = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries)
      if (isIntersecting) { seen.unobserve(target); draw(target); }
  }, { rootMargin: "200px" });
  for (const figure of document.querySelectorAll("figure")) { tools(figure); seen.observe(figure); }
  addEventListener("resize", () => {
    for (const figure of live.keys())
      if (figure.dataset.room !== String(isNarrow(figure) ? roomOf(figure) : "")) draw(figure);
  });
  window.dosage = Object.assign(window.dosage, { describe, models, showModel });
})();
