// All numbers of the evaluation: chosen by task, metric, encoder and split, sorted by any column.

const ROWS = 200; // that are shown before one asks for all
const KEYS = ["task", "metric", "encoder", "split"];
const results = page.results;
const resultWord = (field, row) => results[field].words[results[field].codes[row]];
const chosenResults = Object.fromEntries(KEYS.map((key) => [key, EVERY]));
const COLUMNS = [
  { title: "task", read: (row) => resultWord("task", row) },
  { title: "encoder", read: (row) => resultWord("encoder", row) },
  { title: "metric", read: (row) => resultWord("metric", row) },
  { title: "target", read: (row) => resultWord("target", row) },
  { title: "value", number: true, read: (row) => results.value[row], show: (value) => (value === null ? "n/a" : brief(value)) },
  { title: "95 % interval", number: true, read: (row) => results.low[row], show: (_, row) => intervalWords(row) },
  { title: "n", number: true, read: (row) => results.n[row], show: (value) => value.toLocaleString("en") },
  { title: "seeds", number: true, read: (row) => results.seeds[row], show: (value, row) => value > 1 ? `${value} (±${brief(results.spread[row])})` : String(value) },
  { title: "split", read: (row) => resultWord("split", row) },
];
const sorting = { column: -1, down: false };
let everyRow = false;

function intervalWords(row) {
  if (results.low[row] !== null && results.high[row] !== null) return `${brief(results.low[row])} to ${brief(results.high[row])}`;
  return results.error[row] === null ? "" : `± ${brief(1.96 * results.error[row])}`;
}

function startResults() {
  if (!results.count) return;
  byId("all-results").hidden = false;
  for (const key of KEYS) {
    const entries = results[key].words.map((text, code) => [code, text || "–"]);
    fillSelect(byId(`results-${key}`), [[EVERY, "all"], ...entries], EVERY);
    byId(`results-${key}`).addEventListener("change", (event) => {
      chosenResults[key] = Number(event.target.value);
      showResults();
    });
  }
  byId("results-filters").addEventListener("submit", (event) => event.preventDefault());
  byId("results-filters").addEventListener("reset", (event) => {
    event.preventDefault();
    for (const key of KEYS) byId(`results-${key}`).value = chosenResults[key] = EVERY;
    showResults();
  });
  byId("results-more").addEventListener("click", () => {
    everyRow = true;
    showResults();
  });
  buildResults();
  showResults();
}

function buildResults() {
  const heads = COLUMNS.map((column, place) => element(
    "th", { scope: "col", className: column.number ? "number" : "" },
    element("button", { type: "button", className: "sort", onclick: () => sortResults(place) }, column.title),
  ));
  byId("results-table").replaceChildren(element("thead", {}, element("tr", {}, heads)), element("tbody"));
}

function sortResults(column) {
  const numeric = Boolean(COLUMNS[column].number);
  const down = sorting.column === column ? !sorting.down : numeric; // of numbers the largest first
  Object.assign(sorting, { column, down });
  byId("results-table").querySelectorAll("th").forEach((head, place) => markSorted(head, place === column, down));
  showResults();
}

function showResults() {
  const passing = Array.from({ length: results.count }, (_, row) => row)
    .filter((row) => KEYS.every((key) => chosenResults[key] === EVERY || results[key].codes[row] === chosenResults[key]));
  if (sorting.column >= 0) passing.sort((a, b) => compareValues(COLUMNS[sorting.column].read(a), COLUMNS[sorting.column].read(b), sorting.down));
  const shown = everyRow ? passing : passing.slice(0, ROWS);
  byId("results-table").tBodies[0].replaceChildren(...shown.map(resultRow));
  byId("results-count").textContent = passing.length === results.count ? counted(passing.length, "number") : `${passing.length} of ${counted(results.count, "number")}`;
  byId("results-more").hidden = shown.length === passing.length;
  byId("results-more").textContent = `Show all ${passing.length.toLocaleString("en")}`;
}

function resultRow(row) {
  return element("tr", {}, COLUMNS.map(({ number, read, show }) => {
    const value = read(row);
    return element("td", { className: number ? "number" : "wrap" }, show ? show(value, row) : named(value));
  }));
}
