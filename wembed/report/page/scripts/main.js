// Puts the page to work.

document.querySelectorAll("table.sortable.headline").forEach(makeSortable);
startTheme();
startResults();
if (models.count) {
  byId("atlas").hidden = false;
  startFilters();
  startLegend();
  startList();
  startModel();
  listen(drawSoon);
  startMap();
  change({ colour: state.colour });
  selectFromAddress();
} else byId("no-map").hidden = false;
