// Light and dark: as the system says, until the button is pressed.

const KEY = "wembed-theme";
const root = document.documentElement;

function startTheme() {
  const button = byId("theme");
  const kept = remembered();
  if (kept) root.dataset.theme = kept;
  button.hidden = false;
  button.addEventListener("click", () => {
    root.dataset.theme = darkNow() ? "light" : "dark";
    remember(root.dataset.theme);
    showTheme();
  });
  for (const query of ["(prefers-color-scheme: dark)", "print"]) matchMedia(query).addEventListener("change", showTheme);
  showTheme();
}

function showTheme() {
  const next = darkNow() ? "light" : "dark";
  byId("theme").lastElementChild.textContent = next === "light" ? "Light" : "Dark";
  byId("theme").setAttribute("aria-label", `Switch to ${next} colours`);
  takeColours();
  change({ theme: root.dataset.theme });
}

function remembered() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null; // a page from a file may have no storage
  }
}

function remember(theme) {
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // Then the choice lasts as long as the page is open.
  }
}
