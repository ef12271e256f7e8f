"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("js");

  const elements = (selector, from = document) => [...from.querySelectorAll(selector)];
  const counted = (shown, all, noun) => (shown === all ? `${all} ${noun}s` : `${shown} of ${all} ${noun}s`);

  // Light and dark: as the system has it, until the button is pressed.
  const theme = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const nameTheme = () => (theme.textContent = isDark() ? "Light theme" : "Dark theme");
  try {
    root.dataset.theme = localStorage.getItem("mllc-theme") ?? "";
  } catch {} // some browsers give a page from disk no storage
  nameTheme();
  system.addEventListener("change", nameTheme);
  theme.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try {
      localStorage.setItem("mllc-theme", root.dataset.theme);
    } catch {}
    nameTheme();
  });

  // Sorting: a heading's text becomes a button; what is missing stays last, whichever way.
  const isMissing = (value) => value === "" || value === "-" || value == null;
  function compare(a, b, sign) {
    if (isMissing(a) || isMissing(b)) return isMissing(a) - isMissing(b);
    if (typeof a === "number" && typeof b === "number") return sign * (a - b);
    return sign * String(a).localeCompare(String(b), undefined, { numeric: true });
  }

  function sortByHeadings(head, sort) {
    const headings = [...head.cells];
    headings.forEach((heading, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      heading.append(button);
      if (!heading.hasAttribute("aria-sort")) heading.setAttribute("aria-sort", "none");
      button.addEventListener("click", () => {
        const first = heading.classList.contains("number") ? "descending" : "ascending";
        const other = { ascending: "descending", descending: "ascending", none: first };
        const way = other[heading.getAttribute("aria-sort")];
        headings.forEach((one) => one.setAttribute("aria-sort", "none"));
        heading.setAttribute("aria-sort", way);
        sort(column, way === "ascending" ? 1 : -1);
      });
    });
  }

  const valueOf = (cell) => ("key" in cell.dataset ? Number(cell.dataset.key) : cell.textContent.trim());
  for (const table of elements("table.sortable")) {
    sortByHeadings(table.tHead.rows[0], (column, sign) => {
      const body = table.tBodies[0];
      const lines = [...body.rows].map((line) => [valueOf(line.cells[column]), line]);
      body.append(...lines.sort((a, b) => compare(a[0], b[0], sign)).map((pair) => pair[1]));
    });
  }

  for (const input of elements("input[data-filters]")) {
    const lines = elements("tbody tr", document.getElementById(input.dataset.filters));
    const count = document.querySelector(`output[data-counts="${input.dataset.filters}"]`);
    input.addEventListener("input", () => {
      const wanted = input.value.trim().toLowerCase();
      for (const line of lines) line.hidden = !line.textContent.toLowerCase().includes(wanted);
      count.value = counted(lines.filter((line) => !line.hidden).length, lines.length, "row");
    });
  }

  // Labels: all of them are in the page as JSON; the table shows one screenful of those that are searched for.
  for (const block of elements(".labels")) {
    const data = JSON.parse(document.getElementById(block.dataset.source).textContent);
    const [search, figure, count, place, previous, next, head, body] = [
      ".search", ".figure", ".count", ".place", ".previous", ".next", "thead tr", "tbody",
    ].map((selector) => block.querySelector(selector));
    const boxes = elements("fieldset input", block);
    const lowered = data.names.map((name) => name.toLowerCase());
    const fixed = [{ title: "label", values: data.names }, ...data.numbers];
    const startBy = { key: 1 + data.order, sign: -1 };
    let by = startBy;
    const order = data.names.map((_, label) => label);
    let found = order;
    let start = 0;

    // A column's key: its place among those that are fixed, and behind them the rows of the comparison.
    const rowOf = (key) => key - fixed.length;
    const rows = () => boxes.filter((box) => box.checked).map((box) => Number(box.value));
    const keys = () => [...fixed.keys(), ...rows().map((row) => fixed.length + row)];
    const titleOf = (key) => (key < fixed.length ? fixed[key].title : data.rows[rowOf(key)]);
    const valueAt = (key, label) =>
      (key < fixed.length ? fixed[key].values : data.figures[figure.value][rowOf(key)])[label];

    function written(key, label) {
      const value = valueAt(key, label);
      if (value === null) return "";
      if (key >= fixed.length) return (value / 1000).toFixed(3);
      return fixed[key].digits == null ? value : value.toFixed(fixed[key].digits);
    }

    function cell(tag, text, isNumber) {
      const made = document.createElement(tag);
      made.textContent = text ?? "";
      if (isNumber) made.className = "number";
      return made;
    }

    function show() {
      const [, ...shown] = keys();
      const lines = found.slice(start, start + data.page).map((label) => {
        const name = cell("th", data.names[label]);
        name.scope = "row";
        const line = document.createElement("tr");
        line.append(name, ...shown.map((key) => cell("td", written(key, label), true)));
        return line;
      });
      body.replaceChildren(...lines);
      const end = start + lines.length;
      count.value = counted(found.length, data.names.length, "label");
      place.value = lines.length ? `${start + 1} to ${end} of ${found.length}` : "";
      previous.disabled = start === 0;
      next.disabled = end === found.length;
    }

    function find() {
      const wanted = search.value.trim().toLowerCase();
      found = order.filter((label) => lowered[label].includes(wanted));
      start = 0;
      show();
    }

    function sort() {
      const { key, sign } = by;
      order.sort((a, b) => compare(valueAt(key, a), valueAt(key, b), sign) || a - b);
      find();
    }

    function choose() {
      if (!keys().includes(by.key)) by = startBy;
      head.replaceChildren(...keys().map((key, column) => cell("th", titleOf(key), column > 0)));
      keys().forEach((key, column) => {
        head.cells[column].scope = "col";
        if (key === by.key) head.cells[column].setAttribute("aria-sort", by.sign < 0 ? "descending" : "ascending");
      });
      sortByHeadings(head, (column, sign) => {
        by = { key: keys()[column], sign };
        sort();
      });
      sort();
    }

    boxes.forEach((box) => box.addEventListener("change", choose));
    search.addEventListener("input", find);
    figure?.addEventListener("change", sort);
    previous.addEventListener("click", () => { start -= data.page; show(); });
    next.addEventListener("click", () => { start += data.page; show(); });
    choose();
  }

  // What is folded up is printed all the same.
  addEventListener("beforeprint", () => {
    for (const fold of elements("details:not([open])")) {
      fold.open = true;
      fold.dataset.folded = "";
    }
  });
  addEventListener("afterprint", () => {
    for (const fold of elements("details[data-folded]")) {
      fold.open = false;
      delete fold.dataset.folded;
    }
  });
})();
