// Where the map is looked at from: places of models to pixels of the canvas and back.

const MARGIN = 34; // pixels
const MOST_ZOOM = 400;
const FRAME_ZOOM = 9;

const view = { width: 1, height: 1, scale: 1, left: 0, top: 0, fit: 1 };
const largest = (values) => values.reduce((a, b) => Math.max(a, b), 1);
const extent = { x: largest(models.x), y: largest(models.y) }; // places start at 0

const toX = (number) => models.x[number] * view.scale + view.left;
const toY = (number) => (extent.y - models.y[number]) * view.scale + view.top; // upwards, as in the figures
const zoomNow = () => view.scale / view.fit;

/** Takes a new size of the canvas; the middle stays where it is. */
function resizeView(width, height) {
  const [oldWidth, oldHeight, zoom] = [view.width, view.height, zoomNow()];
  Object.assign(view, { width, height });
  view.fit = Math.min((width - 2 * MARGIN) / extent.x, (height - 2 * MARGIN) / extent.y);
  if (oldWidth === 1) return fitView();
  const [x, y] = [(oldWidth / 2 - view.left) / view.scale, (oldHeight / 2 - view.top) / view.scale];
  view.scale = view.fit * zoom;
  view.left = width / 2 - x * view.scale;
  view.top = height / 2 - y * view.scale;
}

/** Shows the whole map. */
function fitView() {
  view.scale = view.fit;
  view.left = (view.width - extent.x * view.scale) / 2;
  view.top = (view.height - extent.y * view.scale) / 2;
}

function moveView(x, y) {
  const room = 60; // pixels of the map that stay in sight
  const within = (value, size, length) => Math.min(length - room, Math.max(room - size, value));
  view.left = within(view.left + x, extent.x * view.scale, view.width);
  view.top = within(view.top + y, extent.y * view.scale, view.height);
}

/** Zooms by a factor, with what is at a pixel staying there. */
function zoomView(factor, x = view.width / 2, y = view.height / 2) {
  const scale = Math.min(view.fit * MOST_ZOOM, Math.max(view.fit * 0.7, view.scale * factor));
  view.left = x - ((x - view.left) * scale) / view.scale;
  view.top = y - ((y - view.top) * scale) / view.scale;
  view.scale = scale;
  moveView(0, 0);
}

/** Shows some models as large as they fit, but never from so near that nothing else of the map is in sight. */
function frameView(chosen) {
  const [across, down] = [chosen.map((number) => models.x[number]), chosen.map((number) => extent.y - models.y[number])];
  const middle = (values) => (Math.min(...values) + Math.max(...values)) / 2;
  const size = (values) => Math.max(...values) - Math.min(...values) || 1;
  const fitting = 0.6 * Math.min(view.width / size(across), view.height / size(down));
  view.scale = Math.min(view.fit * FRAME_ZOOM, Math.max(view.fit, fitting));
  view.left = view.width / 2 - middle(across) * view.scale;
  view.top = view.height / 2 - middle(down) * view.scale;
}

/** Moves a model into sight if it is not. */
function showInView(number) {
  const [x, y] = [toX(number), toY(number)];
  const isIn = x > MARGIN && y > MARGIN && x < view.width - MARGIN && y < view.height - MARGIN;
  if (!isIn) moveView(view.width / 2 - x, view.height / 2 - y);
}
