// Arrow keys in menus, and the current one of many tabs in sight. A menu opens, closes and takes Tab without this file.
(() => {
  "use strict";

  const show = (tab) => {
    const tabs = tab.closest(".tabs"); // scrolled by itself: scrollIntoView() would move the page, too
    tabs.scrollLeft = tab.offsetLeft - tabs.offsetLeft - (tabs.clientWidth - tab.offsetWidth) / 2;
  };

  document.querySelectorAll(".tabs [aria-current]").forEach(show);
  document.addEventListener("focusin", (event) => {
    // Not for the pointer: a tab that moves under it would not be clicked.
    if (event.target.matches(".tabs a:focus-visible")) show(event.target);
  });

  const items = (menu) => [...menu.querySelectorAll("a[href], button")].filter((item) => item.checkVisibility());

  const menuOf = (element) => {
    const id = element.closest("[popovertarget]")?.getAttribute("popovertarget");
    const menu = id && document.getElementById(id);
    return menu?.matches("[data-menu]") ? menu : null;
  };

  const step = (menu, key) => {
    const all = items(menu);
    const at = all.indexOf(document.activeElement);
    const next = { ArrowDown: at + 1, ArrowUp: at < 0 ? -1 : at - 1, Home: 0, End: -1 }[key];
    all.at(next % all.length)?.focus();
  };

  document.addEventListener("keydown", (event) => {
    if (!["ArrowDown", "ArrowUp", "Home", "End"].includes(event.key) || event.altKey || event.ctrlKey || event.metaKey) return;
    const inside = event.target.closest("[data-menu]");
    const opens = inside ? null : menuOf(event.target);
    if (!inside && (!opens || !event.key.startsWith("Arrow"))) return;
    event.preventDefault();
    if (inside) return step(inside, event.key);
    if (!opens.matches(":popover-open")) opens.showPopover({ source: event.target.closest("[popovertarget]") });
    step(opens, event.key === "ArrowUp" ? "End" : "Home");
  });
})();
