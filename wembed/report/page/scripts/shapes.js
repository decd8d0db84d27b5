// Forms of equal weight, on the canvas and as small drawings in lists and legends.

/** Adds a form of a radius at a place to a path. */
function addForm(path, form, x, y, radius) {
  if (form === 0) {
    path.moveTo(x + radius, y);
    path.arc(x, y, radius, 0, 2 * Math.PI);
  } else if (form === 1) {
    const half = radius * 0.89;
    path.rect(x - half, y - half, 2 * half, 2 * half);
  } else if (form === 2) {
    const side = radius * 1.25;
    addCorners(path, [[x, y - side], [x + side, y + side * 0.85], [x - side, y + side * 0.85]]);
  } else {
    const half = radius * 1.28;
    addCorners(path, [[x, y - half], [x + half, y], [x, y + half], [x - half, y]]);
  }
}

function addCorners(path, corners) {
  corners.forEach(([x, y], place) => (place ? path.lineTo(x, y) : path.moveTo(x, y)));
  path.closePath();
}

const FORM_DRAWINGS = [
  () => drawn("circle", { cx: 8, cy: 8, r: 5 }),
  () => drawn("rect", { x: 3.5, y: 3.5, width: 9, height: 9 }),
  () => drawn("path", { d: "M8 2 14 13H2Z" }),
  () => drawn("path", { d: "M8 1.6 14.4 8 8 14.4 1.6 8Z" }),
];

/** A look as a small drawing. */
function lookDrawing(look) {
  const classes = `swatch colour-${colourNumber(look)}`;
  return drawn("svg", { viewBox: "0 0 16 16", class: classes, "aria-hidden": "true" }, FORM_DRAWINGS[formNumber(look)]());
}

/** The look of a model as a small drawing; of one that is not on the map, nothing. */
function modelDrawing(number) {
  if (!isModel(number)) return element("span");
  if (state.colour !== "accuracy") return lookDrawing(lookOf(number));
  const drawing = lookDrawing(0);
  const accuracy = models.accuracy[number];
  drawing.style.setProperty("--own", accuracy === null ? "var(--others)" : rampColour(accuracyShare(accuracy)));
  return drawing;
}
