// The list of models that pass the filters, a part at a time; arrow keys move in it, Enter opens a model.

const PART = 60;
const ORDERS = {
  zoo: { title: "of the zoo", compare: (a, b) => a - b },
  name: { title: "name", compare: (a, b) => inOrder(models.ids[a], models.ids[b]) },
  accuracy: { title: "accuracy", compare: (a, b) => (models.accuracy[b] ?? -1) - (models.accuracy[a] ?? -1) },
  params: { title: "parameters", compare: (a, b) => models.params[b] - models.params[a] },
};
let listed = [];
let order = "zoo";

function startList() {
  const list = byId("list");
  fillSelect(byId("order"), Object.entries(ORDERS).map(([name, { title }]) => [name, title]), order);
  byId("order").addEventListener("change", (event) => {
    order = event.target.value;
    showList();
  });
  byId("more").addEventListener("click", () => {
    const place = list.children.length;
    appendPart();
    list.children[place]?.firstElementChild.focus();
  });
  list.addEventListener("keydown", (event) => moveFocus(event, [...list.querySelectorAll("button")]));
  list.addEventListener("pointerover", (event) => pointAt(event.target.closest("button")));
  list.addEventListener("focusin", (event) => pointAt(event.target.closest("button")));
  list.addEventListener("pointerleave", () => change({ hovered: -1 }));
  list.addEventListener("focusout", () => change({ hovered: -1 }));
  listen((changed) => {
    if (changed.has("visible") || changed.has("theme")) showList();
  });
}

const pointAt = (button) => button && change({ hovered: Number(button.dataset.model) });

function showList() {
  listed = [...visible].sort(ORDERS[order].compare);
  byId("list").replaceChildren();
  appendPart();
}

function appendPart() {
  const list = byId("list");
  const start = list.children.length;
  list.append(...listed.slice(start, start + PART).map((number) => element("li", {}, modelButton(number, listWords(number)))));
  const left = listed.length - list.children.length;
  byId("more").hidden = left <= 0;
  byId("more").textContent = `Show ${Math.min(PART, left)} more of ${left.toLocaleString("en")}`;
}

const listWords = (number) => element("span", { className: "number" }, decimals(models.accuracy[number]));

/** A button that opens a model, with something at its right. */
function modelButton(number, ...right) {
  const below = element("small", {}, `${said("architecture", number)} · ${said("dataset", number)}`);
  const button = element("button", { type: "button", className: "entry", onclick: () => openModel(number) });
  button.dataset.model = number;
  button.append(modelDrawing(number), element("span", {}, named(models.ids[number]), below), ...right);
  return button;
}

function moveFocus(event, buttons) {
  const place = buttons.indexOf(document.activeElement);
  const target = { ArrowDown: place + 1, ArrowUp: place - 1, Home: 0, End: buttons.length - 1 }[event.key];
  if (target === undefined || place < 0) return;
  event.preventDefault();
  buttons[Math.min(buttons.length - 1, Math.max(0, target))].focus();
}
