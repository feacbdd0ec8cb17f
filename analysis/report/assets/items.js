// The answers of all cells: filters, a list that draws only what is seen, and one answer in full.
"use strict";
(function () {
  const { rows, cells, names, tasks, texts, verdicts } = JSON.parse(document.getElementById("answers").textContent);
  const [CELL, TASK, ITEM, PROMPT, GOLD, ANSWER, REASON, VERDICT, MARK] = [0, 1, 2, 3, 4, 5, 6, 7, 8];
  const HEIGHT = 44;
  const marks = { "fixed by more data": 1, "broken by mixing": 2 };
  const by = (name) => document.getElementById("by-" + name);
  const list = document.getElementById("list");
  const all = document.getElementById("all");
  const one = document.getElementById("one");
  let found = [];
  let chosen = 0;

  for (const name of tasks) by("task").append(new Option(name, name));
  cells.forEach((cell, i) => by("cell").append(Object.assign(new Option(names[i], cell), { title: cell })));

  function filter() {
    const task = tasks.indexOf(by("task").value);
    const cell = cells.indexOf(by("cell").value);
    const verdict = verdicts.indexOf(by("verdict").value);
    const mark = marks[by("mark").value] || 0;
    const words = by("text").value.toLowerCase();
    const holds = words && texts.map((text) => text.toLowerCase().includes(words));
    found = rows.filter((row) =>
      (task < 0 || row[TASK] === task) && (cell < 0 || row[CELL] === cell) && (verdict < 0 || row[VERDICT] === verdict) &&
      (!mark || row[MARK] & mark) && (!words || [ITEM, PROMPT, GOLD, ANSWER].some((part) => holds[row[part]])));
    chosen = 0;
    list.scrollTop = 0;
    all.style.height = found.length * HEIGHT + "px";
    document.getElementById("count").textContent = `${found.length.toLocaleString("en")} of ${rows.length.toLocaleString("en")} answers`;
    remember();
    draw();
    show();
  }

  function draw() {
    const first = Math.max(0, Math.floor(list.scrollTop / HEIGHT) - 5);
    const last = Math.min(found.length, first + Math.ceil(list.clientHeight / HEIGHT) + 10);
    const made = [];
    for (let i = first; i < last; i += 1) {
      const row = found[i];
      const box = document.createElement("div");
      box.id = "row-" + i;
      box.style.top = i * HEIGHT + "px";
      box.setAttribute("role", "option");
      box.setAttribute("aria-selected", i === chosen);
      box.setAttribute("aria-posinset", i + 1);
      box.setAttribute("aria-setsize", found.length);
      const top = document.createElement("span");
      top.textContent = `${verdicts[row[VERDICT]]}: ${texts[row[ANSWER]].replace(/\s+/g, " ").slice(0, 160) || "(empty)"}`;
      const below = document.createElement("span");
      below.className = "quiet";
      below.textContent = `${tasks[row[TASK]]} ${texts[row[ITEM]]}, ${names[row[CELL]]}`;
      below.title = cells[row[CELL]];
      box.append(top, below);
      box.addEventListener("click", () => choose(i));
      made.push(box);
    }
    all.replaceChildren(...made);
    if (found.length) list.setAttribute("aria-activedescendant", "row-" + chosen);
    else list.removeAttribute("aria-activedescendant");
  }

  function choose(i) {
    if (!found.length) return;
    chosen = Math.max(0, Math.min(found.length - 1, i));
    const top = chosen * HEIGHT;
    if (top < list.scrollTop) list.scrollTop = top;
    if (top + HEIGHT > list.scrollTop + list.clientHeight) list.scrollTop = top + HEIGHT - list.clientHeight;
    draw();
    show();
  }

  function show() {
    const row = found[chosen];
    if (!row) { one.textContent = "No answer fits these choices."; return; }
    const changes = Object.keys(marks).filter((name) => row[MARK] & marks[name]);
    const parts = [
      ["Prompt", texts[row[PROMPT]]], ["Answer", texts[row[ANSWER]] || "(empty)"], ["What is right", texts[row[GOLD]] || "(not known)"],
      ["Verdict", [verdicts[row[VERDICT]], ...changes].join(", ")], ["Why", texts[row[REASON]]],
      ["Where", `${tasks[row[TASK]]}, item ${texts[row[ITEM]]}, cell ${names[row[CELL]]}`],
    ];
    one.replaceChildren(...parts.flatMap(([name, words]) => [
      Object.assign(document.createElement("h2"), { textContent: name }),
      Object.assign(document.createElement("pre"), { textContent: words }),
    ]));
    one.lastChild.title = cells[row[CELL]];
  }

  function remember() {
    const chosenOnes = ["task", "cell", "verdict", "mark"].filter((name) => by(name).value).map((name) => [name, by(name).value]);
    history.replaceState(null, "", "#" + new URLSearchParams(chosenOnes));
  }

  function recall() {
    for (const [name, value] of new URLSearchParams(location.hash.slice(1)))
      if (by(name) && [...by(name).options].some((option) => option.value === value)) by(name).value = value;
    filter();
  }

  list.addEventListener("scroll", draw);
  list.addEventListener("keydown", (event) => {
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity };
    if (!(event.key in steps)) return;
    event.preventDefault();
    choose(chosen + steps[event.key]);
  });
  document.getElementById("choices").addEventListener("input", filter);
  document.getElementById("choices").addEventListener("submit", (event) => event.preventDefault());
  addEventListener("hashchange", recall);
  recall();
  document.documentElement.dataset.ready = "yes";
})();
