// Which colour and form a category has: 32 differ in one or the other, the first eight in both.

const COLOURS = 8;
const FORMS = 4;
const MOST_CATEGORIES = 24; // of a legend; of more, the eight largest are told apart
const OTHERS = -1;
const SPLIT_ORDER = ["train", "validation", "test", "zero-shot"];
const VIRIDIS = [
  [68, 1, 84], [71, 44, 122], [59, 81, 139], [44, 113, 142], [33, 144, 141],
  [39, 173, 129], [92, 200, 99], [170, 220, 50], [253, 231, 37],
];

const inOrder = new Intl.Collator("en", { numeric: true }).compare;

function darkNow() {
  if (matchMedia("print").matches) return false;
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

/** A colour of the styles as the page shows it now. */
function colourOf(name) {
  const probe = element("i", { style: { color: `var(--${name})`, display: "none" } });
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

/** The categories of a field in the order of the legend, each with its look, and the look of every code. */
function categoriesOf(field) {
  const { words, codes } = models[field];
  const counts = words.map(() => 0);
  for (const code of codes) counts[code] += 1;
  const all = words.map((text, code) => ({ code, label: text || FIELDS[field].none, count: counts[code] }));
  const bySize = [...all].sort((a, b) => b.count - a.count || inOrder(a.label, b.label));
  const apart = all.length > MOST_CATEGORIES ? bySize.slice(0, COLOURS) : all;
  const place = (entry) => (field === "split" ? SPLIT_ORDER.indexOf(entry.label) : 0);
  const shown = [...apart].sort((a, b) => place(a) - place(b) || inOrder(a.label, b.label));
  const looks = words.map(() => OTHERS);
  shown.forEach((entry, look) => (looks[entry.code] = entry.look = look));
  const rest = all.filter((entry) => entry.look === undefined);
  if (rest.length) {
    const count = rest.reduce((sum, entry) => sum + entry.count, 0);
    shown.push({ code: OTHERS, label: counted(rest.length, "other"), count, look: OTHERS });
  }
  return { shown, looks };
}

const colourNumber = (look) => (look === OTHERS ? "others" : look % COLOURS);
const formNumber = (look) => (look === OTHERS ? 0 : (look + Math.floor(look / COLOURS)) % FORMS);

const knownAccuracies = models.accuracy.filter((value) => value !== null);
const accuracyEnds = knownAccuracies.length
  ? [knownAccuracies.reduce((a, b) => Math.min(a, b)), knownAccuracies.reduce((a, b) => Math.max(a, b))]
  : [0, 1];

/** The colour of a share, 0 to 1: dark to bright, and never so dark or bright that it is lost on the page. */
function rampColour(share) {
  const [start, end] = darkNow() ? [0.16, 1] : [0, 0.92];
  const place = (start + (end - start) * Math.min(1, Math.max(0, share))) * (VIRIDIS.length - 1);
  const below = Math.min(Math.floor(place), VIRIDIS.length - 2);
  const mixed = VIRIDIS[below].map((value, part) => value + (VIRIDIS[below + 1][part] - value) * (place - below));
  return `rgb(${mixed.map(Math.round).join(" ")})`;
}

const accuracyShare = (value) => (value - accuracyEnds[0]) / (accuracyEnds[1] - accuracyEnds[0] || 1);
