// Sorting: how values compare, and buttons in the heads of tables that stand in the page already.

/** Orders two values; what is missing comes last either way. */
function compareValues(a, b, down) {
  const missing = (value) => value === null || value === undefined || value === "";
  if (missing(a) || missing(b)) return missing(a) - missing(b);
  const compared = typeof a === "number" ? a - b : inOrder(a, b);
  return down ? -compared : compared;
}

function markSorted(head, isSorted, down) {
  if (isSorted) head.setAttribute("aria-sort", down ? "descending" : "ascending");
  else head.removeAttribute("aria-sort");
}

/** Gives a table of the page a button in each of its heads. */
function makeSortable(table) {
  const heads = [...table.tHead.rows[0].cells];
  let sorted = -1;
  let down = false;
  heads.forEach((head, column) => {
    const button = element("button", { type: "button", className: "sort" });
    button.append(element("span", {}, ...head.childNodes));
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const numeric = head.classList.contains("number");
      down = sorted === column ? !down : numeric;
      sorted = column;
      heads.forEach((other, place) => markSorted(other, place === column, down));
      sortRows(table, column, numeric, down);
    });
  });
}

function sortRows(table, column, numeric, down) {
  const read = (row) => {
    const cell = row.cells[column];
    if (!numeric) return cell.textContent;
    return cell.dataset.value === undefined ? null : Number(cell.dataset.value);
  };
  const rows = [...table.tBodies[0].rows].sort((a, b) => compareValues(read(a), read(b), down));
  table.tBodies[0].append(...rows);
}
