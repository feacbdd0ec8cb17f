// The panel: an amount of every ability's data and a strategy; what each ability would reach, and the command that runs it.
"use strict";
(function () {
  const place = document.getElementById("sliders");
  const source = document.getElementById("panel-data");
  if (!place || !source) return;
  const facts = JSON.parse(source.textContent);
  const STEPS = 100;
  const chosen = {};
  const shown = (value) => Math.round(value).toLocaleString("en");
  const element = (kind, text) => Object.assign(document.createElement(kind), { textContent: text || "" });

  function between(axis, least, value) {  // the place of a value between two nodes, on the scale on which they are even
    const at = (x) => Math.log1p(x / least);
    let i = 0;
    while (i < axis.length - 2 && axis[i + 1] < value) i += 1;
    const share = (at(value) - at(axis[i])) / (at(axis[i + 1]) - at(axis[i]) || 1);
    return [i, Math.min(1, Math.max(0, share))];
  }

  function predicted(ability, own, others, strategy) {
    const [i, u] = between(ability.own, ability.least, own);
    const [j, v] = between(ability.others, ability.least, others);
    const width = ability.others.length;
    return ability.by[strategy].map((grid) => {
      const at = (a, b) => grid[(i + a) * width + j + b];
      return (1 - u) * ((1 - v) * at(0, 0) + v * at(0, 1)) + u * ((1 - v) * at(1, 0) + v * at(1, 1));
    });
  }

  const EVEN = {  // the scales on which intervals are as long to both sides, and back
    logit: [(v, [from, to]) => {
      const share = Math.min(0.9999, Math.max(0.0001, (v - from) / (to - from)));
      return Math.log(share / (1 - share));
    }, (v, [from, to]) => from + (to - from) / (1 + Math.exp(-v))],
    log: [Math.log, Math.exp],
    "": [(v) => v, (v) => v],
  };

  function away(ability, strategy) {  // the doublings to the nearest cell measured, as Places.away counts them
    const { names, least, arms } = facts.places[ability.places];
    const total = Object.values(chosen).reduce((sum, n) => sum + n, 0);
    const own = chosen[ability.name];
    const parts = { ...chosen, ...(names.includes("own data") ? { "own data": own, "other data": total - own } : {}) };
    const at = names.map((name) => Math.log2(1 + (parts[name] || 0) / least));
    return Math.min(...(arms[strategy] || []).map((arm) => Math.max(...arm.map((a, i) => Math.abs(a - at[i])))));
  }

  function inWords(gap) {
    if (!isFinite(gap)) return facts.distance.never;
    const factor = 2 ** gap;
    const times = gap < 6 ? Number(factor.toPrecision(2)) : Math.round(factor).toLocaleString("en");
    return facts.distance.nearest.replace("{}", `${times}x`) + (gap >= facts.distance.from ? facts.distance.far : "");
  }

  function widened(ability, strategy, ends) {  // the interval as far from the nearest cell; none where nothing tells
    const gap = away(ability, strategy);
    const single = gap >= facts.distance.from && facts.places[ability.places].single.includes(strategy);
    const ratio = isFinite(gap) ? ability.wider[Math.ceil(gap - 1e-4)] : ability.never;
    if (single || !ratio) return null;
    const [even, back] = EVEN[ability.even];
    const [middle, low, high] = ends.map((v) => even(v, ability.range));
    return [low, high].map((v) => back(middle + ratio * (v - middle), ability.range));
  }

  const inputs = element("div");
  inputs.className = "sliders";
  const results = element("div");
  results.className = "sliders";
  const command = element("code");
  const far = Object.assign(element("p"), { className: "notes", role: "status" });
  const strategy = element("select");
  const rows = {};

  function amountOf(name, step) {
    const least = facts.abilities.find((one) => one.name === name).least;
    return step === 0 ? 0 : Math.round(Math.expm1((step / STEPS) * Math.log1p(facts.largest[name] / least)) * least);
  }

  for (const ability of facts.abilities) {
    const name = ability.name;
    const label = element("label", `samples of ${name}`);
    const slider = Object.assign(element("input"), { type: "range", min: 0, max: STEPS, step: 1, value: STEPS, id: `slide-${name}` });
    label.htmlFor = slider.id;
    const said = element("output");
    said.htmlFor = slider.id;
    slider.addEventListener("input", update);
    inputs.append(label, slider, said);
    const band = element("div");
    band.className = "band";
    band.setAttribute("role", "img");
    const value = element("output");
    results.append(element("span", `${name}, ${ability.label}`), band, value);
    rows[name] = { slider, said, band, value };
  }
  for (const name of Object.keys(facts.strategies)) strategy.append(new Option(name, name));
  const label = element("label", "strategy");
  label.htmlFor = strategy.id = "slide-strategy";
  inputs.append(label, strategy, element("span"));
  strategy.addEventListener("change", update);

  function show(ability, others, strategy) {
    const { band, value } = rows[ability.name];
    const own = chosen[ability.name];
    const ends = predicted(ability, own, others, strategy);
    const interval = widened(ability, strategy, ends);
    const beyond = others > ability.others.at(-1) * 1.01 || own > ability.own.at(-1) * 1.01;
    const text = (v) => (ability.share ? v.toFixed(1) : v.toPrecision(3));
    value.textContent = `${text(ends[0])} (${interval ? interval.map(text).join(" to ") : "95 % interval unknown"})` +
      (beyond ? ", beyond what was measured" : "");
    band.setAttribute("aria-label", `${ability.name}: ${value.textContent}`);
    const all = Object.values(ability.by).flat(2);
    const [from, to] = ability.range.length ? ability.range : [Math.min(...all), Math.max(...all)];
    const at = (v) => 100 * Math.min(1, Math.max(0, (v - from) / (to - from || 1)));
    const span = element("i");
    const [low, high] = interval || [from, to];
    span.className = interval ? "" : "unknown";
    Object.assign(span.style, { left: `${at(low)}%`, width: `${at(high) - at(low)}%` });
    const mark = element("b");
    mark.style.left = `${at(ends[0])}%`;
    band.replaceChildren(span, mark);
  }

  function update() {
    let total = 0;
    for (const ability of facts.abilities) {
      const { said, slider } = rows[ability.name];
      const own = chosen[ability.name] = amountOf(ability.name, +slider.value);
      total += own;
      said.textContent = shown(own);
      slider.setAttribute("aria-valuetext", `${shown(own)} samples`);
    }
    const several = Object.values(chosen).filter(Boolean).length > 1;
    const one = !several && facts.strategies.multitask ? "multitask" : strategy.value;  // alone, all strategies are the same
    for (const ability of facts.abilities) show(ability, total - chosen[ability.name], one);
    far.textContent = total ? `Distance from the cells measured: ${inWords(Math.max(...facts.abilities.map((ability) => away(ability, one))))}.` : "";
    const amounts = Object.entries(chosen).filter(([, n]) => n).map(([name, n]) => `${name}:${Math.max(2, n)}`);
    const words = [...facts.words, ...facts.strategies[strategy.value], `'amount={${amounts.join(",")}}'`];
    command.textContent = total ? `python -m sweep ${words.join(" ")}` : "Nothing to train: every amount is 0.";
  }

  const box = element("pre");
  box.append(command);
  place.append(inputs, element("h4", "What each ability would reach, with 95 % intervals"), results, far, element("h4", "The command that runs it"), box);
  place.append(window.dosage.button("copy the command", (b) => window.dosage.copy(command.textContent, b)));
  update();
})();
