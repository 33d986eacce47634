"use strict";
// Sorts a table by the column whose heading is pressed: numbers by value, with what is not known last; all else by letters.
(() => {
  const number = (text) => {
    const found = text.replaceAll(",", "").replace("\u2212", "-").match(/^[+-]?\d+(\.\d+)?(e[+-]?\d+)?/i);
    return found ? Number(found[0]) : NaN;
  };
  const cell = (row, column) => row.cells[column].textContent.trim();

  const sort = (heading) => {
    const table = heading.closest("table"), body = table.tBodies[0], column = heading.cellIndex;
    const rows = [...body.rows];
    const values = new Map(rows.map((row) => [row, number(cell(row, column))]));
    const known = [...values.values()].filter((value) => !Number.isNaN(value));
    const stated = rows.filter((row) => !["", "\u2013", "-"].includes(cell(row, column)));
    const numeric = known.length > 0 && known.length >= stated.length / 2;
    // The best is mostly the highest number: numbers begin with it, words with A.
    const direction = heading.getAttribute("aria-sort") === (numeric ? "descending" : "ascending") ? -1 : 1;
    const down = numeric ? direction : -direction;
    rows.sort((one, other) => {
      if (!numeric) return direction * cell(one, column).localeCompare(cell(other, column), undefined, {numeric: true});
      const [a, b] = [values.get(one), values.get(other)];
      if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
      return direction * (b - a);
    });
    for (const other of heading.parentElement.cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", down > 0 ? "descending" : "ascending");
    body.append(...rows);
  };

  for (const button of document.querySelectorAll("thead button")) {
    button.addEventListener("click", () => sort(button.closest("th")));
  }
})();
