// One model: its columns, its nearest neighbours, its family tree, its layers. The address of the page says which.

const PREFIX = "#model=";

/** Opens a model, or closes what is open with -1. */
function select(number) {
  if (number === state.selected) return;
  const address = isModel(number) ? PREFIX + encodeURIComponent(models.ids[number]) : "";
  history.pushState(null, "", location.href.split("#")[0] + address);
  change({ selected: number, hovered: -1 });
}

/** Opens a model from a list: the map and the keyboard go to it. */
function openModel(number) {
  select(number);
  frame(number);
  byId("model-title").focus();
}

/** Opens the model that the address names; closes what is open where it names nothing, but not for a section. */
function selectFromAddress() {
  if (location.hash && !location.hash.startsWith(PREFIX)) return;
  let id = location.hash.slice(PREFIX.length);
  try {
    id = decodeURIComponent(id);
  } catch {
    // An address that was cut short names no model.
  }
  const number = numberOf(id);
  change({ selected: isModel(number) ? number : -1 });
}

function startModel() {
  byId("details").addEventListener("click", () => {
    byId("models").scrollIntoView({ block: "start" });
    byId("model-title").focus({ preventScroll: true });
  });
  window.addEventListener("popstate", selectFromAddress);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && isModel(state.selected) && byId("map").contains(document.activeElement)) close();
  });
  listen((changed) => {
    if (!["selected", "colour", "theme"].some((name) => changed.has(name))) return;
    const isOpen = isModel(state.selected);
    byId("list-view").hidden = isOpen;
    byId("model-view").hidden = !isOpen;
    byId("details").hidden = !isOpen;
    if (isOpen) showModel(state.selected);
    if (isOpen && changed.has("selected")) {
      byId("models").scrollTop = 0;
      showInView(state.selected);
    }
  });
}

function close() {
  const opened = state.selected;
  select(-1);
  const back = byId("list").querySelector(`[data-model="${opened}"]`) ?? byId("list").querySelector("button");
  back?.focus();
}

function showModel(number) {
  const head = element(
    "div", { className: "model-head" },
    element("button", { type: "button", className: "quiet-button", id: "back", onclick: close }, "← All models"),
    element("button", { type: "button", className: "quiet-button", onclick: () => showOnMap(number) }, "Show on map"),
  );
  byId("model-view").replaceChildren(
    head,
    element("h3", { id: "model-title", tabIndex: -1 }, named(models.ids[number])),
    properties(number),
    ...part("Nearest neighbours", neighbourList(number), "neighbours"),
    ...part("Snapshots of its run", snapshotList(number), "snapshots"),
    ...part("Family tree", familyTree(number), "tree"),
    ...part("Layers", layerTable(number), "layers"),
  );
}

function part(title, content, id) {
  if (!content) return [];
  content.id = id;
  return [element("h4", {}, title), content];
}

/** Comes so close that the lines to the neighbours can be told apart, with the map in sight. */
function showOnMap(number) {
  frame(number);
  canvas.scrollIntoView({ block: "nearest" });
}

function frame(number) {
  frameView([number, ...models.neighbours[number].filter(isModel)]);
  drawSoon();
}

function properties(number) {
  const rows = [
    ["Architecture", said("architecture", number)],
    ["Data set", said("dataset", number)],
    ["Accuracy", models.accuracy[number] === null ? "unknown" : decimals(models.accuracy[number], 4)],
    ["Split", said("split", number)],
    ["Parameters", models.params[number].toLocaleString("en")],
    ["Step", models.step[number] === null ? "" : models.step[number].toLocaleString("en")],
    ["Run", word("run", number)],
    ["Derivation", said("derivation", number)],
  ];
  const shown = rows.filter(([, value]) => value !== "");
  return element("dl", { className: "properties" }, shown.flatMap(([term, value]) => [element("dt", {}, term), element("dd", {}, named(value))]));
}

function neighbourList(number) {
  const near = models.neighbours[number];
  if (!near.length) return null;
  const scores = models.scores[number].map((units) => units * page.scoreUnit);
  const entries = near.map((other, place) => {
    const share = Math.max(0, scores[place]);
    const score = element("span", { className: "score" }, scores[place].toFixed(4).replace("-", "−"), element("i", { style: { "--share": `${100 * share}%` } }));
    if (!isModel(other)) return element("li", {}, named(models.ids[other]), score);
    const button = modelButton(other, score);
    const tie = relation(number, other);
    if (tie) button.children[1].append(element("span", { className: "tag" }, tie));
    return element("li", {}, button);
  });
  return element("ol", { className: "near" }, entries);
}

function snapshotList(number) {
  const found = snapshots(number);
  if (found.length < 2) return null;
  const entries = found.map((other) => {
    const button = element("button", { type: "button", onclick: () => openModel(other) }, `step ${models.step[other]}`);
    if (other === number) button.setAttribute("aria-current", "true");
    return element("li", {}, button);
  });
  return element("ul", { className: "steps" }, entries);
}

function layerTable(number) {
  const form = models.forms[models.form[number]];
  if (!form?.names.length) return null;
  const [means, deviations] = [models.means[number], models.deviations[number]];
  const widest = Math.max(...deviations.map((value) => value ?? 0), Number.MIN_VALUE);
  const rows = form.names.map((name, place) => element(
    "tr", {},
    element("th", { scope: "row", className: "wrap" }, named(name)),
    element("td", { className: "number" }, form.shapes[place].join(" × ") || "scalar"),
    element("td", { className: "number" }, brief(means[place])),
    element("td", { className: "number" }, brief(deviations[place]), element("i", { className: "bar", style: { "--share": `${(100 * (deviations[place] ?? 0)) / widest}%` } })),
  ));
  const heads = ["tensor", "shape", "mean", "deviation"].map((text, place) => element("th", { scope: "col", className: place ? "number" : "" }, text));
  const table = element("table", {}, element("thead", {}, element("tr", {}, heads)), element("tbody", {}, rows));
  return element("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": "Layers" }, table);
}
