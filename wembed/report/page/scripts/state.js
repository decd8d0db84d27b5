// What is chosen, and which models pass: one object, changed by `change` only, which tells those who listen.

const EVERY = -1;
const ROUNDING = 1e-6; // percent
const state = {
  colour: models.architecture.words.length > 1 ? "architecture" : "dataset",
  text: "",
  architecture: EVERY,
  dataset: EVERY,
  split: EVERY,
  family: EVERY,
  low: 0, // percent
  high: 100,
  muted: new Set(), // looks that the legend hides
  selected: -1,
  hovered: -1,
};
const NO_FILTER = { text: "", architecture: EVERY, dataset: EVERY, split: EVERY, family: EVERY, low: 0, high: 100, muted: new Set() };

let categories = { shown: [], looks: [] };
let visible = numbers;
const listeners = [];

const listen = (listener) => listeners.push(listener);
const lowerIds = models.ids.map((id) => id.toLowerCase());

/** Changes what is chosen; `changed` says to listeners what. */
function change(changes) {
  const changed = new Set(Object.keys(changes));
  Object.assign(state, changes);
  if (changed.has("colour")) {
    state.muted = new Set();
    categories = state.colour === "accuracy" ? { shown: [], looks: [] } : categoriesOf(state.colour);
  }
  if (["colour", ...Object.keys(NO_FILTER)].some((name) => changed.has(name))) {
    visible = numbers.filter(passes);
    changed.add("visible");
  }
  for (const listener of listeners) listener(changed);
}

const lookOf = (number) => categories.looks[models[state.colour].codes[number]];

function passes(number) {
  for (const field of ["architecture", "dataset", "split", "family"]) {
    if (state[field] !== EVERY && models[field].codes[number] !== state[field]) return false;
  }
  if (state.text && !lowerIds[number].includes(state.text.toLowerCase())) return false;
  if (state.low > 0 || state.high < 100) {
    const accuracy = models.accuracy[number];
    if (accuracy === null || accuracy * 100 < state.low - ROUNDING || accuracy * 100 > state.high + ROUNDING) return false;
  }
  return !state.muted.size || state.colour === "accuracy" || !state.muted.has(lookOf(number));
}

/** How many filters are on, the legend's apart. */
const filtersOn = () =>
  [state.text, state.architecture !== EVERY, state.dataset !== EVERY, state.split !== EVERY, state.low > 0 || state.high < 100]
    .filter(Boolean).length;
