// Mouse, fingers, wheel and keys on the map.

const STILL = 5; // pixels that a click may move
const PAGE_SCROLLS = 250; // milliseconds after a scroll of the page in which the wheel goes on scrolling it
const STEP = 60; // pixels of an arrow key
const tip = byId("tip");
const fingers = new Map();
let travelled = 0;
let lastScroll = -PAGE_SCROLLS;

function startMap() {
  canvas.addEventListener("pointerdown", onDown);
  canvas.addEventListener("pointermove", onMove);
  canvas.addEventListener("pointerup", onUp);
  canvas.addEventListener("pointercancel", onGone);
  canvas.addEventListener("pointerleave", () => hover(-1));
  canvas.addEventListener("wheel", onWheel, { passive: false });
  canvas.addEventListener("keydown", onKey);
  window.addEventListener("scroll", () => (lastScroll = performance.now()), { passive: true });
  byId("closer").addEventListener("click", () => zoom(1.6));
  byId("farther").addEventListener("click", () => zoom(1 / 1.6));
  byId("whole").addEventListener("click", whole);
  new ResizeObserver(fitCanvas).observe(canvas);
}

function zoom(factor, x, y) {
  zoomView(factor, x, y);
  drawSoon();
}

function whole() {
  fitView();
  drawSoon();
}

function onDown(event) {
  if (event.button) return;
  canvas.setPointerCapture(event.pointerId);
  fingers.set(event.pointerId, { x: event.offsetX, y: event.offsetY });
  travelled = fingers.size > 1 ? Infinity : 0; // two fingers never click
}

function onMove(event) {
  const before = fingers.get(event.pointerId);
  if (!before) return hoverAt(event.offsetX, event.offsetY);
  const now = { x: event.offsetX, y: event.offsetY };
  const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
  travelled += Math.hypot(now.x - before.x, now.y - before.y);
  fingers.set(event.pointerId, now);
  if (travelled < STILL) return;
  hover(-1);
  canvas.classList.add("dragging");
  if (other) {
    const factor = Math.hypot(now.x - other.x, now.y - other.y) / (Math.hypot(before.x - other.x, before.y - other.y) || 1);
    zoomView(factor, (now.x + other.x) / 2, (now.y + other.y) / 2);
    moveView((now.x - before.x) / 2, (now.y - before.y) / 2);
  } else moveView(now.x - before.x, now.y - before.y);
  drawSoon();
}

function onUp(event) {
  const isClick = fingers.has(event.pointerId) && travelled < STILL;
  onGone(event);
  if (!isClick) return;
  const under = hexagonUnder(event.offsetX, event.offsetY);
  if (under) return zoom(2.2, event.offsetX, event.offsetY);
  select(modelAt(event.offsetX, event.offsetY, event.pointerType === "touch" ? 22 : 12));
}

function onGone(event) {
  fingers.delete(event.pointerId);
  if (!fingers.size) canvas.classList.remove("dragging");
}

function onWheel(event) {
  if (!event.ctrlKey && performance.now() - lastScroll < PAGE_SCROLLS) return;
  event.preventDefault();
  const unit = event.deltaMode === 1 ? 30 : 1; // lines or pixels
  zoom(Math.exp(-Math.max(-120, Math.min(120, event.deltaY * unit)) * (event.ctrlKey ? 0.01 : 0.0025)), event.offsetX, event.offsetY);
}

function onKey(event) {
  const moves = { ArrowLeft: [STEP, 0], ArrowRight: [-STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP] };
  const zooms = { "+": 1.4, "=": 1.4, "-": 1 / 1.4, _: 1 / 1.4 };
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (moves[event.key]) moveView(...moves[event.key]);
  else if (zooms[event.key]) zoomView(zooms[event.key]);
  else if (event.key === "0") fitView();
  else return;
  event.preventDefault();
  drawSoon();
}

function hoverAt(x, y) {
  const under = hexagonUnder(x, y);
  if (!under) return hover(modelAt(x, y));
  hover(-1);
  placeTip(under.x, under.y, ...hexagonWords(under.members));
}

function hexagonWords(members) {
  const { mean, look, most } = summary(members);
  const label = categories.shown.find((entry) => entry.look === look)?.label;
  const more = state.colour === "accuracy" ? `mean accuracy ${decimals(mean)}` : `${most} of them ${label}`;
  return [element("strong", {}, counted(members.length, "model")), element("span", {}, `${more}; click to come closer`)];
}

/** Shows a model as the one under the mouse; -1 for none. */
function hover(number) {
  canvas.classList.toggle("over", isModel(number));
  if (!isModel(number)) tip.hidden = true;
  if (number !== state.hovered) change({ hovered: number });
  if (isModel(number)) placeTip(toX(number), toY(number), ...modelWords(number));
}

function modelWords(number) {
  const parts = [said("architecture", number), said("dataset", number)];
  if (models.accuracy[number] !== null) parts.push(`accuracy ${decimals(models.accuracy[number])}`);
  if (models.step[number] !== null) parts.push(`step ${models.step[number]}`);
  if (word("derivation", number)) parts.push(word("derivation", number));
  return [element("strong", {}, named(models.ids[number])), element("span", {}, parts.join(" · "))];
}

function placeTip(x, y, ...words) {
  tip.replaceChildren(...words);
  tip.hidden = false;
  const [width, height, gap] = [tip.offsetWidth, tip.offsetHeight, 14];
  const left = x + gap + width < view.width ? x + gap : Math.max(4, x - gap - width);
  const top = y + gap + height < view.height ? y + gap : Math.max(4, y - gap - height);
  tip.style.transform = `translate(${left}px, ${top}px)`;
}
