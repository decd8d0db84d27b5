// Hexagons with counts, for more models than can be told apart: the larger the more, in the colour of most of them.

const HEXAGON = 17; // pixels from the middle to a corner
const LEAST_LABELLED = 10.5; // pixels; in a smaller one its count has no room
let hexagons = []; // those last drawn; [] where points are

/** Models in sight by the hexagon of a grid that they are in; the grid is fixed to the map, so that it moves with it. */
function bins(shown) {
  const [wide, tall] = [Math.sqrt(3) * HEXAGON, 1.5 * HEXAGON];
  const found = new Map();
  for (const number of shown) {
    const [x, y] = [toX(number) - view.left, toY(number) - view.top];
    const [column, row] = hexagonAt(x / wide, y / tall);
    const key = `${column},${row}`;
    if (!found.has(key)) {
      const at = { x: (column + (row & 1) / 2) * wide + view.left, y: row * tall + view.top };
      found.set(key, { ...at, members: [] });
    }
    found.get(key).members.push(number);
  }
  return [...found.values()];
}

/** The nearest middle of a hexagon, in columns and rows: that of the row above or of the row below. */
function hexagonAt(x, y) {
  let best = [0, 0];
  let least = Infinity;
  for (const row of [Math.floor(y), Math.floor(y) + 1]) {
    const column = Math.round(x - (row & 1) / 2);
    const [aside, down] = [(x - column - (row & 1) / 2) * Math.sqrt(3), (y - row) * 1.5];
    const distance = aside * aside + down * down;
    if (distance < least) [least, best] = [distance, [column, row]];
  }
  return best;
}

/** The commonest look of a hexagon's models and how many have it; where colour is accuracy, their mean. */
function summary(members) {
  if (state.colour === "accuracy") {
    const known = members.map((number) => models.accuracy[number]).filter((value) => value !== null);
    const mean = known.length ? known.reduce((a, b) => a + b) / known.length : null;
    return { mean, colour: mean === null ? ink.own.others : rampColour(accuracyShare(mean)) };
  }
  const counts = grouped(members, lookOf);
  const [look, most] = [...counts].reduce((a, b) => (b[1].length > a[1].length ? b : a));
  return { look, most: most.length, colour: ink.own[colourNumber(look)] };
}

function drawHexagons() {
  const most = hexagons.reduce((size, one) => Math.max(size, one.members.length), 1);
  brush.font = "600 10px system-ui, sans-serif";
  brush.textAlign = "center";
  brush.textBaseline = "middle";
  for (const one of hexagons) {
    const radius = HEXAGON * (0.4 + 0.56 * Math.sqrt(one.members.length / most));
    const corners = [0, 1, 2, 3, 4, 5].map((corner) => {
      const angle = (Math.PI / 3) * corner + Math.PI / 6;
      return [one.x + radius * Math.cos(angle), one.y + radius * Math.sin(angle)];
    });
    const path = new Path2D();
    addCorners(path, corners);
    brush.fillStyle = summary(one.members).colour;
    brush.fill(path);
    if (radius < LEAST_LABELLED) continue;
    const text = one.members.length < 1000 ? String(one.members.length) : `${(one.members.length / 1000).toFixed(1)}k`;
    brush.lineWidth = 2.6;
    brush.strokeStyle = ink.surface;
    brush.fillStyle = ink.ink;
    brush.strokeText(text, one.x, one.y);
    brush.fillText(text, one.x, one.y);
  }
}

const hexagonUnder = (x, y) => hexagons.find((one) => Math.hypot(one.x - x, one.y - y) < HEXAGON * 0.9);
