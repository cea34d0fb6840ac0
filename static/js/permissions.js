// The permission editor without a round trip: filter, fold, count, tick whole sections, list what will change.
// Rows out of sight stay in the form and are submitted all the same.
(() => {
  "use strict";

  const editor = document.getElementById("editor");
  const editing = editor.dataset.editor === "edit";
  const search = editor.querySelector("[data-search]");
  const onlyEnabled = editor.querySelector("[data-only-enabled]");
  const cards = [...editor.querySelectorAll("[data-card]")].map((element) => ({
    element,
    details: element.querySelector("details"),
    section: element.querySelector("[data-section-box]"),
    counter: element.querySelector("[data-counter]"),
    rows: [...element.querySelectorAll("[data-row]")].map((row) => ({
      element: row,
      box: row.querySelector("input"),
      text: row.dataset.searchText.toLowerCase(),
    })),
  }));
  const rows = cards.flatMap((card) => card.rows);

  // --- What is in sight ---

  const filter = () => {
    const words = search.value.trim().toLowerCase();
    let visible = 0;
    for (const card of cards) {
      for (const row of card.rows) {
        row.element.hidden = !(row.text.includes(words) && (row.box.checked || !onlyEnabled.checked));
        visible += row.element.hidden ? 0 : 1;
      }
      card.element.hidden = card.rows.every((row) => row.element.hidden);
      if (words) card.details.open = true;
    }
    for (const area of editor.querySelectorAll("[data-area]")) {
      area.hidden = !area.querySelector("[data-card]:not([hidden])");
    }
    return visible;
  };

  const filterAloud = () => {
    const visible = filter();
    editor.querySelector("[data-status]").textContent = `${visible} permission${visible === 1 ? "" : "s"} shown`;
  };

  const folds = Object.fromEntries([...editor.querySelectorAll("[data-fold]")].map((link) => [link.dataset.fold, link]));
  const greyFolds = () => {
    folds.expand.disabled = cards.every((card) => card.details.open);
    folds.collapse.disabled = cards.every((card) => !card.details.open);
  };
  const fold = (open) => {
    for (const card of cards) card.details.open = open;
    (open ? folds.collapse : folds.expand).disabled = false;
    (open ? folds.collapse : folds.expand).focus();
    greyFolds();
  };

  search.addEventListener("input", filterAloud);
  onlyEnabled.addEventListener("change", filterAloud);
  search.addEventListener("keydown", (event) => event.key === "Enter" && event.preventDefault());
  for (const [name, link] of Object.entries(folds)) {
    link.type = "button";
    link.addEventListener("click", () => fold(name === "expand"));
  }
  for (const card of cards) card.details.addEventListener("toggle", greyFolds);

  if (!editing) return;

  // --- What is ticked ---

  const stored = (row) => "stored" in row.box.dataset;
  const added = () => rows.filter((row) => row.box.checked && !stored(row));
  const removed = () => rows.filter((row) => !row.box.checked && stored(row));

  const item = (row) => {
    const text = (name) => row.element.querySelector(`[data-${name}]`).textContent;
    const element = document.createElement("li");
    const label = document.createElement("span");
    const endpoint = document.createElement("span");
    const path = document.createElement("code");
    label.textContent = text("label");
    path.textContent = text("path");
    endpoint.className = "endpoint";
    endpoint.append(row.element.querySelector("[data-method]").cloneNode(true), " ", path);
    element.append(label, endpoint);
    return element;
  };

  const summary = editor.querySelector("[data-summary]");
  const review = editor.querySelector("[data-review]");
  const changes = editor.querySelector("[data-changes]");
  const list = (name, entries) => {
    const part = changes.querySelector(`[data-changes-${name}]`);
    part.hidden = !entries.length;
    part.querySelector("ul").replaceChildren(...entries.map(item));
  };

  const openReview = (open) => {
    changes.hidden = !open;
    review.setAttribute("aria-expanded", String(open));
  };

  const count = () => {
    for (const card of cards) {
      const ticked = card.rows.filter((row) => row.box.checked).length;
      card.counter.textContent = ticked;
      card.section.checked = ticked === card.rows.length;
      card.section.indeterminate = ticked > 0 && ticked < card.rows.length;
    }
    const more = added();
    const less = removed();
    const changed = more.length + less.length > 0;
    summary.textContent = changed ? `${more.length} added, ${less.length} removed` : "No changes";
    review.disabled = !changed;
    list("added", more);
    list("removed", less);
    if (!changed) openReview(false);
  };

  // With this script a section's box ticks its rows at once. It must not also speak for them when the form is sent.
  for (const was of editor.querySelectorAll("[data-section-was]")) was.remove();
  for (const card of cards) {
    card.section.removeAttribute("name");
    card.section.addEventListener("change", () => {
      for (const row of card.rows) row.box.checked = card.section.checked;
      count();
      filter();
    });
    for (const row of card.rows) row.box.addEventListener("change", count);
  }

  review.type = "button";
  review.addEventListener("click", () => openReview(changes.hidden));

  // Enter in the password field saves; leaving with unsaved changes asks.
  const password = editor.querySelector("input[type=password]");
  const save = editor.querySelector("[data-save]");
  password?.focus();
  password?.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    editor.requestSubmit(save);
  });
  let leaving = false;
  editor.addEventListener("submit", (event) => {
    if (leaving) event.preventDefault(); // the second press of a double click
    leaving = true;
  });
  editor.querySelector("[data-cancel]").addEventListener("click", () => (leaving = true));
  addEventListener("pageshow", () => {
    leaving = false;
    count();
    filter();
    greyFolds();
  });
  addEventListener("beforeunload", (event) => {
    if (!leaving && added().length + removed().length) event.preventDefault();
  });

  count();
})();
