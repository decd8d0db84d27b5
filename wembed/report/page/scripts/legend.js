// The legend: what each colour and form stands for; an entry hides and shows its models.

function startLegend() {
  listen((changed) => {
    if (changed.has("colour") || changed.has("theme")) buildLegend();
    else if (changed.has("muted")) pressEntries();
  });
}

function buildLegend() {
  const head = element("h4", {}, FIELDS[state.colour].title);
  byId("legend").replaceChildren(...(state.colour === "accuracy" ? [head, ...rampLegend()] : entriesLegend(head)));
}

function rampLegend() {
  const stops = Array.from({ length: 12 }, (_, place) => rampColour(place / 11));
  const ramp = element("div", { className: "ramp", style: { background: `linear-gradient(90deg, ${stops.join(", ")})` } });
  const ends = accuracyEnds.map((value) => element("span", {}, decimals(value)));
  const unknown = models.count - knownAccuracies.length;
  const grey = unknown ? element("p", { className: "unknown" }, lookDrawing(OTHERS), `${unknown.toLocaleString("en")} unknown`) : null;
  return [ramp, element("div", { className: "ramp-ends" }, ends), grey].filter(Boolean);
}

function entriesLegend(head) {
  const all = element("button", { type: "button", id: "legend-all", onclick: () => change({ muted: new Set() }) }, "show all");
  const entries = categories.shown.map((entry) =>
    element("li", {}, element(
      "button",
      { type: "button", title: `${entry.label}: click hides or shows, with Shift it alone`, onclick: (event) => onEntry(entry, event.shiftKey) },
      lookDrawing(entry.look), named(entry.label), element("span", { className: "number" }, entry.count.toLocaleString("en")),
    )));
  const list = element("ul", { className: "legend-list" }, entries);
  queueMicrotask(pressEntries);
  return [element("div", { className: "legend-head" }, head, all), list];
}

function onEntry(entry, alone) {
  const looks = categories.shown.map((other) => other.look);
  const muted = new Set(state.muted);
  if (alone) {
    muted.clear();
    looks.filter((look) => look !== entry.look).forEach((look) => muted.add(look));
  } else if (!muted.delete(entry.look)) muted.add(entry.look);
  change({ muted: muted.size === looks.length ? new Set() : muted });
}

function pressEntries() {
  const all = byId("legend-all");
  if (all) all.hidden = !state.muted.size;
  byId("legend").querySelectorAll("li button").forEach((button, place) =>
    button.setAttribute("aria-pressed", String(!state.muted.has(categories.shown[place].look))));
}
