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
    selects: element.querySelector("[data-selects]"),
    rows: [...element.querySelectorAll("[data-row]")].map((row) => ({
      element: row,
      box: row.querySelector("input"),
      label: row.querySelector("[data-label]").textContent.toLowerCase(),
      names: row.querySelector("[data-label]").dataset.label,
      text: row.dataset.searchText,
    })),
  }));
  const rows = cards.flatMap((card) => card.rows);
  const none = editor.querySelector("[data-none]");
  const inSight = (some) => some.filter((row) => !row.element.hidden);

  // --- What is in sight ---

  // The words and the ranks of access/search.py, which finds rows and puts them in order where this script does not run.
  const wordsOf = (query) => query.split(" ").map((word) => (/^[a-z]{4,}$/.test(word) ? word.replace(/s$/, "") : word));
  const matches = (query, text) => wordsOf(query).every((word) => text.includes(word));
  const rank = (query, row) => {
    if (!query || row.label === query) return 0;
    if (row.label.startsWith(query)) return 1;
    return matches(query, row.names) ? 2 : 3;
  };
  const best = (query, some) => Math.min(9, ...inSight(some).map((row) => rank(query, row)));

  const areas = [...editor.querySelectorAll("[data-area]")].map((element) => ({
    element,
    cards: cards.filter((card) => element.contains(card.element)),
  }));
  // The server's order is kept among equals, and comes back when nothing is searched for.
  const inOrder = (parts, parent, value) => {
    const sorted = parts.map((part) => [value(part), part]).sort((one, other) => one[0] - other[0]);
    for (const [, part] of sorted) parent(part).append(part.element);
  };
  const order = (query) => {
    for (const card of cards) {
      inOrder(card.rows, () => card.element.querySelector("ul"), (row) => best(query, [row]));
    }
    for (const area of areas) inOrder(area.cards, () => area.element, (card) => best(query, card.rows));
    const sorted = areas.map((area) => [best(query, area.cards.flatMap((card) => card.rows)), area.element]);
    sorted.sort((one, other) => one[0] - other[0]);
    for (const [, element] of sorted) none.before(element);
  };

  let asked = "";
  const filter = () => {
    const query = search.value.toLowerCase().split(/\s+/).filter(Boolean).join(" ");
    for (const card of cards) {
      for (const row of card.rows) {
        const found = !query || matches(query, row.text);
        row.element.hidden = !(found && (row.box.checked || !onlyEnabled.checked));
      }
      card.element.hidden = !inSight(card.rows).length;
      if (query) card.details.open = true;
    }
    for (const area of areas) area.element.hidden = area.cards.every((card) => card.element.hidden);
    if (query !== asked) order(query);
    asked = query;
    return inSight(rows).length;
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

  const draft = `draft ${editor.dataset.token}`;
  if (!editing) {
    sessionStorage.removeItem(draft); // it was saved, or given up
    return;
  }

  // --- What is ticked ---

  const stored = (row) => "stored" in row.box.dataset;
  const added = () => rows.filter((row) => row.box.checked && !stored(row));
  const removed = () => rows.filter((row) => !row.box.checked && stored(row));

  const item = (row) => {
    const element = document.createElement("li");
    const label = document.createElement("span");
    const endpoint = document.createElement("span");
    const part = (name) => row.element.querySelector(`[data-${name}]`)?.cloneNode(true);
    label.append(part("label").textContent, " ", part("sensitive") ?? "");
    endpoint.className = "endpoint";
    endpoint.append(part("method"), " ", part("path"));
    element.append(label, endpoint);
    return element;
  };

  const selectMatching = editor.querySelector("[data-select-matching]");
  const save = editor.querySelector("[data-save]");
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

  const ticked = (some) => some.filter((row) => row.box.checked).length;
  const tick = (some, on = true) => {
    for (const row of some) row.box.checked = on;
    count();
  };

  // What the boxes and buttons that speak for the rows in sight stand for.
  const showSelects = () => {
    const matching = inSight(rows);
    selectMatching.hidden = !asked || !matching.length;
    selectMatching.textContent = `Select ${matching.length} matching`;
    selectMatching.disabled = ticked(matching) === matching.length;
    for (const card of cards) {
      const shown = inSight(card.rows);
      const some = shown.length < card.rows.length;
      card.selects.hidden = !some;
      card.selects.querySelector("[data-hidden-rows]").textContent = `${shown.length} of ${card.rows.length} in sight`;
      const [these, all] = card.selects.querySelectorAll("button");
      these.textContent = `Select ${shown.length} shown`;
      these.disabled = ticked(shown) === shown.length;
      all.disabled = ticked(card.rows) === card.rows.length;
      card.section.setAttribute("aria-label", `All of ${card.section.dataset.name}${some ? " in sight" : ""}`);
      card.section.checked = ticked(shown) === shown.length;
      card.section.indeterminate = ticked(shown) > 0 && ticked(shown) < shown.length;
    }
  };

  const count = () => {
    for (const card of cards) card.counter.textContent = ticked(card.rows);
    showSelects();
    const more = added();
    const less = removed();
    const changed = more.length + less.length > 0;
    const sensitive = more.filter((row) => row.element.querySelector("[data-sensitive]")).length;
    const counts = { added: more.length, sensitive, removed: less.length };
    const words = Object.entries(counts).filter(([, number]) => number);
    summary.textContent = words.map(([word, number]) => `${number} ${word}`).join(", ") || "No changes";
    review.disabled = !changed;
    save.disabled = !changed;
    list("added", more);
    list("removed", less);
    if (!changed) openReview(false);
  };

  // With this script these tick rows at once. They must not also speak for them when the form is sent.
  for (const hidden of editor.querySelectorAll("[data-section-was], [data-shown]")) hidden.remove();
  selectMatching.type = "button";
  selectMatching.addEventListener("click", () => tick(inSight(rows)));
  for (const card of cards) {
    card.section.removeAttribute("name");
    card.section.addEventListener("change", () => {
      tick(inSight(card.rows), card.section.checked);
      filter();
      showSelects();
    });
    const [these, all] = card.selects.querySelectorAll("button");
    all.type = "button";
    these.addEventListener("click", () => tick(inSight(card.rows)));
    all.addEventListener("click", () => tick(card.rows));
    for (const row of card.rows) row.box.addEventListener("change", count);
  }
  search.addEventListener("input", showSelects);
  onlyEnabled.addEventListener("change", showSelects);

  review.type = "button";
  review.addEventListener("click", () => openReview(changes.hidden));

  // A page that is loaded again after a sign-in has the changes that were made before it.
  const before = sessionStorage.getItem(draft);
  sessionStorage.removeItem(draft);
  if (before && document.referrer.startsWith(new URL(editor.dataset.signIn, location).href)) {
    for (const [name, on] of JSON.parse(before)) {
      const row = rows.find(({ box }) => box.value === name);
      if (row) row.box.checked = on;
    }
    editor.querySelector("[data-status]").textContent = "Your unsaved changes are back.";
  }

  // Enter in the password field saves; leaving with unsaved changes asks.
  const password = editor.querySelector("input[type=password]");
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
    remember();
  });
  editor.querySelector("[data-cancel]").addEventListener("click", () => (leaving = true));
  addEventListener("pageshow", () => {
    leaving = false;
    filter();
    count();
    greyFolds();
  });
  const remember = () => {
    const changes = [...added(), ...removed()].map(({ box }) => [box.value, box.checked]);
    if (changes.length) sessionStorage.setItem(draft, JSON.stringify(changes));
  };
  addEventListener("pagehide", () => !leaving && remember());
  addEventListener("beforeunload", (event) => {
    if (!leaving && added().length + removed().length) event.preventDefault();
  });

  count();
})();
