// A breadcrumb leads back to its list as it was left: the search, the filters, the page and the place in it.
(() => {
  "use strict";

  const KEY = "list:";
  const RETURN = "return-to";
  const store = (key, value) => {
    try {
      sessionStorage.setItem(key, value);
    } catch {
      // A full or forbidden storage only costs the way back: the breadcrumb leads to the whole list.
    }
  };
  const read = (key) => {
    try {
      return sessionStorage.getItem(key);
    } catch {
      return null;
    }
  };

  const rows = document.getElementById("rows");
  const remember = () => store(KEY + location.pathname, JSON.stringify({ query: location.search, top: scrollY }));
  if (rows) {
    addEventListener("pagehide", remember);
    if (read(RETURN) === location.pathname) scrollTo(0, JSON.parse(read(KEY + location.pathname) ?? "{}").top ?? 0);
    store(RETURN, "");
  }

  for (const link of document.querySelectorAll(".crumbs a")) {
    const left = read(KEY + link.pathname);
    if (!left || link.search) continue;
    link.search = JSON.parse(left).query;
    link.addEventListener("click", () => store(RETURN, link.pathname));
  }
})();
