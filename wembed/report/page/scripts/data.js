// The data of the page, and questions about models. A model is its number; ids beyond the last model are not on the map.

const page = JSON.parse(byId("data").textContent);
const models = page.models;
const FIELDS = {
  architecture: { title: "Architecture", none: "unknown" },
  dataset: { title: "Data set", none: "unknown" },
  accuracy: { title: "Accuracy" },
  split: { title: "Split", none: "unknown" },
  family: { title: "Family", none: "none" },
  derivation: { title: "Derivation", none: "none recorded" },
};

const numbers = Array.from({ length: models.count }, (_, number) => number);
const isModel = (number) => number >= 0 && number < models.count;
const numberOf = (id) => models.ids.indexOf(id);
const word = (field, number) => models[field].words[models[field].codes[number]];
const said = (field, number) => word(field, number) || FIELDS[field].none;

const childrenOf = grouped(numbers.filter((number) => models.parent[number] >= 0), (number) => models.parent[number]);

function grouped(values, key) {
  const found = new Map();
  for (const value of values) {
    if (!found.has(key(value))) found.set(key(value), []);
    found.get(key(value)).push(value);
  }
  return found;
}

/** The parents of a model, the farthest first; a ring of parents ends where it closes. */
function ancestors(number) {
  const found = [];
  const seen = new Set([number]);
  for (let parent = models.parent[number]; parent >= 0 && !seen.has(parent); parent = isModel(parent) ? models.parent[parent] : -1) {
    found.unshift(parent);
    seen.add(parent);
  }
  return found;
}

const children = (number) => childrenOf.get(number) ?? [];

const siblings = (number) => {
  const parent = models.parent[number];
  return parent < 0 ? [] : children(parent).filter((other) => other !== number);
};

/** The snapshots of a model's run, by step. */
function snapshots(number) {
  const run = models.run.codes[number];
  if (!models.run.words[run]) return [];
  const found = numbers.filter((other) => models.run.codes[other] === run && models.step[other] !== null);
  return found.sort((a, b) => models.step[a] - models.step[b]);
}

/** How a model is related to another one, in a word; "" for not at all. */
function relation(number, other) {
  if (!isModel(other)) return "";
  if (models.parent[number] === other) return "parent";
  if (models.parent[other] === number) return "child";
  if (word("run", number) && word("run", number) === word("run", other)) return "same run";
  if (models.parent[number] >= 0 && models.parent[number] === models.parent[other]) return "sibling";
  return word("family", number) && word("family", number) === word("family", other) ? "same family" : "";
}
