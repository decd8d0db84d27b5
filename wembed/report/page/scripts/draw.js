// The canvas: points, or hexagons where more than MOST_POINTS would be in sight; then what is chosen.

const MOST_POINTS = 5000;
const canvas = byId("canvas");
const brush = canvas.getContext("2d");
let ink = {};

function takeColours() {
  ink = { own: {} };
  for (const name of ["surface", "ink", "quiet", "accent", "line"]) ink[name] = colourOf(name);
  for (const look of [...Array(COLOURS).keys(), "others"]) ink.own[look] = colourOf(look === "others" ? look : `colour-${look}`);
}

function draw() {
  const ratio = window.devicePixelRatio || 1;
  brush.setTransform(ratio, 0, 0, ratio, 0, 0);
  brush.clearRect(0, 0, view.width, view.height);
  const shown = inSight(visible);
  hexagons = shown.length > MOST_POINTS ? bins(shown) : [];
  if (hexagons.length) drawHexagons();
  else drawPoints(shown);
  if (isModel(state.selected)) drawSelected();
  if (isModel(state.hovered)) ring(state.hovered, radiusNow() + 3, ink.ink, 1.5);
}

const drawSoon = onceAFrame(draw);

function inSight(chosen) {
  const edge = 20;
  return chosen.filter((number) => {
    const [x, y] = [toX(number), toY(number)];
    return x > -edge && y > -edge && x < view.width + edge && y < view.height + edge;
  });
}

/** Smaller where there are many, larger as one comes closer. */
function radiusNow() {
  const crowd = Math.sqrt(models.count / 400);
  const start = Math.min(5.2, Math.max(2.5, 4.6 / Math.sqrt(crowd || 1))) * Math.min(1, Math.max(0.8, view.width / 700));
  return Math.min(8, start * zoomNow() ** 0.32);
}

function pointColour(number) {
  if (state.colour !== "accuracy") return ink.own[colourNumber(lookOf(number))];
  const accuracy = models.accuracy[number];
  return accuracy === null ? ink.own.others : rampColour(Math.round(accuracyShare(accuracy) * 40) / 40);
}

function drawPoints(shown) {
  const paths = new Map();
  const radius = radiusNow();
  for (const number of shown) {
    const colour = pointColour(number);
    if (!paths.has(colour)) paths.set(colour, new Path2D());
    const form = state.colour === "accuracy" ? 0 : formNumber(lookOf(number));
    addForm(paths.get(colour), form, toX(number), toY(number), radius);
  }
  const strength = isModel(state.selected) ? 0.28 : 1;
  brush.lineWidth = 1;
  for (const [colour, path] of paths) {
    brush.fillStyle = brush.strokeStyle = colour;
    brush.globalAlpha = 0.5 * strength; // so that crowds stay crowds of points
    brush.fill(path);
    brush.globalAlpha = strength;
    brush.stroke(path);
  }
  brush.globalAlpha = 1;
}

/** The family in full colour; lines to the neighbours, stronger for nearer ones, and a rim about each. */
function drawSelected() {
  const number = state.selected;
  const near = models.neighbours[number].filter(isModel);
  const family = word("family", number) ? visible.filter((other) => word("family", other) === word("family", number)) : [];
  for (const other of family) dot(other, radiusNow(), ink.surface, 0.8);
  brush.strokeStyle = ink.accent;
  near.forEach((other, rank) => {
    brush.globalAlpha = 0.85 - 0.05 * rank;
    brush.lineWidth = Math.max(1, 2.4 - 0.16 * rank);
    brush.beginPath();
    brush.moveTo(toX(number), toY(number));
    brush.lineTo(toX(other), toY(other));
    brush.stroke();
  });
  brush.globalAlpha = 1;
  for (const other of near) dot(other, radiusNow() + 1.2, ink.ink, 1.3);
  dot(number, radiusNow() + 2.4, ink.surface, 1.6);
  ring(number, radiusNow() + 6.5, ink.accent, 2.6);
}

function dot(number, radius, rim, width) {
  const path = new Path2D();
  addForm(path, state.colour === "accuracy" ? 0 : formNumber(lookOf(number)), toX(number), toY(number), radius);
  brush.fillStyle = pointColour(number);
  brush.fill(path);
  brush.strokeStyle = rim;
  brush.lineWidth = width;
  brush.stroke(path);
}

function ring(number, radius, colour, width) {
  brush.strokeStyle = colour;
  brush.lineWidth = width;
  brush.beginPath();
  brush.arc(toX(number), toY(number), radius, 0, 2 * Math.PI);
  brush.stroke();
}

/** The model at a pixel, or -1. */
function modelAt(x, y, reach = 12) {
  let best = -1;
  let least = reach * reach;
  for (const number of hexagons.length ? [] : visible) {
    const distance = (toX(number) - x) ** 2 + (toY(number) - y) ** 2;
    if (distance < least) [least, best] = [distance, number];
  }
  return best;
}

/** Fits the canvas to its place on the page, in the pixels of the screen. */
function fitCanvas() {
  const box = canvas.getBoundingClientRect();
  if (!box.width) return;
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(box.width * ratio);
  canvas.height = Math.round(box.height * ratio);
  resizeView(box.width, box.height);
  draw();
}
