// The family tree of a model: its parents above it, its siblings beside it, its children below.

const MOST_RELATIVES = 8; // of one kind that are shown before one asks for all

/** Parents, siblings and children as nested lists; how each was made stands beside it. */
function familyTree(number) {
  const line = ancestors(number);
  const offspring = children(number);
  const family = numbers.filter((other) => word("family", other) && word("family", other) === word("family", number));
  if (!line.length && !offspring.length && family.length < 2) return null;
  const self = element("li", {}, selfEntry(number), offspring.length ? branch(offspring) : null);
  const level = element("ul", {}, self, ...relatives(siblings(number)));
  const tree = line.reduceRight((below, parent) => element("ul", {}, element("li", {}, treeEntry(parent), below)), level);
  tree.className = "tree";
  const filter = () => change({ family: models.family.codes[number] });
  const only = element("button", { type: "button", className: "link", onclick: filter }, `Show only this family (${family.length})`);
  return element("div", {}, tree, family.length > 1 ? only : null);
}

const branch = (members) => element("ul", {}, ...relatives(members));

function relatives(members) {
  const items = members.map((other) => element("li", {}, treeEntry(other)));
  if (items.length <= MOST_RELATIVES + 1) return items;
  const rest = items.splice(MOST_RELATIVES);
  const button = element("button", { type: "button", className: "link" }, `and ${rest.length} more`);
  const more = element("li", {}, button);
  button.addEventListener("click", () => {
    more.replaceWith(...rest);
    rest[0].querySelector("button")?.focus();
  });
  return [...items, more];
}

function selfEntry(number) {
  return element("span", { className: "entry self", "aria-current": "true" }, modelDrawing(number), element("span", {}, treeWords(number)));
}

function treeEntry(number) {
  if (!isModel(number)) return element("span", { className: "away" }, named(models.ids[number]), " (not on the map)");
  const button = element("button", { type: "button", className: "entry", onclick: () => openModel(number) }, modelDrawing(number), element("span", {}, treeWords(number)));
  button.append(listWords(number));
  return button;
}

const treeWords = (number) => [named(models.ids[number]), word("derivation", number) ? element("small", {}, word("derivation", number)) : null].filter(Boolean);
