// The fields at the left of the map, and how many models pass them.

const BARS = 24; // of the histogram of accuracies
const CHOICES = ["architecture", "dataset", "split"];

function startFilters() {
  const colours = Object.keys(FIELDS).filter((field) => field === "accuracy" ? knownAccuracies.length : models[field].words.length > 1);
  fillSelect(byId("colour"), colours.map((field) => [field, FIELDS[field].title]), state.colour);
  byId("colour").addEventListener("change", (event) => change({ colour: event.target.value }));
  for (const field of CHOICES) {
    const { words } = models[field];
    const sorted = words.map((text, code) => [code, text || FIELDS[field].none]).sort((a, b) => inOrder(a[1], b[1]));
    fillSelect(byId(field), [[EVERY, "all"], ...sorted], EVERY);
    byId(field).addEventListener("change", (event) => change({ [field]: Number(event.target.value) }));
  }
  byId("text").addEventListener("input", (event) => change({ text: event.target.value.trim() }));
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("filters").addEventListener("reset", onReset);
  byId("family").querySelector("button").addEventListener("click", () => change({ family: EVERY }));
  startRange();
  if (matchMedia("(max-width: 760px)").matches) byId("fold").open = false;
  listen(showFilters);
}

function fillSelect(select, entries, chosen) {
  select.replaceChildren(...entries.map(([value, label]) => element("option", { value, selected: value === chosen }, label)));
}

function onReset(event) {
  event.preventDefault();
  for (const field of CHOICES) byId(field).value = EVERY;
  byId("text").value = "";
  [byId("low").value, byId("high").value] = [0, 100];
  change({ ...NO_FILTER, muted: new Set() });
}

function startRange() {
  byId("range").hidden = !knownAccuracies.length;
  const [low, high] = [byId("low"), byId("high")];
  low.addEventListener("input", () => {
    low.value = Math.min(low.value, high.value);
    change({ low: Number(low.value) });
  });
  high.addEventListener("input", () => {
    high.value = Math.max(low.value, high.value);
    change({ high: Number(high.value) });
  });
  const counts = Array(BARS).fill(0);
  for (const value of knownAccuracies) counts[Math.min(BARS - 1, Math.max(0, Math.floor(value * BARS)))] += 1;
  const most = Math.max(1, ...counts);
  const bars = counts.map((count, place) => {
    const height = count ? Math.max(1.2, (26 * count) / most) : 0;
    return drawn("rect", { x: (place * 100) / BARS + 0.3, y: 26 - height, width: 100 / BARS - 0.6, height });
  });
  byId("histogram").replaceChildren(...bars);
}

function showFilters(changed) {
  if (!changed.has("visible")) return;
  const whole = page.zoo > models.count ? ` (the zoo has ${page.zoo.toLocaleString("en")})` : "";
  const all = `${counted(models.count, "model")}${whole}`;
  byId("count").textContent = visible.length === models.count ? all : `${visible.length.toLocaleString("en")} of ${all}`;
  byId("nothing").hidden = visible.length > 0;
  byId("active").hidden = !filtersOn();
  byId("active").textContent = `${filtersOn()} on`;
  byId("family").hidden = state.family === EVERY;
  if (state.family !== EVERY) byId("family").firstElementChild.textContent = `Family of ${models.family.words[state.family]}`;
  byId("range-said").textContent = `${(state.low / 100).toFixed(2)} to ${(state.high / 100).toFixed(2)}`;
  [...byId("histogram").children].forEach((bar, place) => {
    const [from, to] = [(place * 100) / BARS, ((place + 1) * 100) / BARS];
    bar.classList.toggle("in", to > state.low && from < state.high);
  });
}
