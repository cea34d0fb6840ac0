// The palette that searches all pages: ⌘K or Ctrl-K opens it. Without this file its link in the navigation is a page.
(() => {
  "use strict";

  const template = document.getElementById("jump-template");
  if (!template) return; // signed out, or an operator
  let palette, input, list, status; // made when the palette is opened for the first time
  const mac = /Mac|iP(hone|ad|od)/.test(navigator.platform);
  if (mac) for (const hint of document.querySelectorAll("[data-mac]")) hint.textContent = hint.dataset.mac;

  const options = () => [...list.querySelectorAll("[role=option]")];
  const active = () => list.querySelector("[aria-selected=true]");
  let waiting = false; // the options are not those of the text in the field
  let pressed = false; // Enter was pressed before they arrived

  const choose = (option) => {
    active()?.setAttribute("aria-selected", "false");
    option?.setAttribute("aria-selected", "true");
    if (option) input.setAttribute("aria-activedescendant", option.id);
    else input.removeAttribute("aria-activedescendant");
    option?.scrollIntoView({ block: "nearest" });
  };

  const clear = () => {
    list.replaceChildren();
    status.textContent = "";
    input.setAttribute("aria-expanded", "false");
    choose(null);
  };

  // Not over an open dialog: what was entered there is not put aside by a shortcut.
  const open = () => {
    if (document.querySelector("dialog[open]")) return false;
    for (const popover of document.querySelectorAll("[popover]:popover-open")) popover.hidePopover();
    if (!palette) make();
    input.value = "";
    pressed = false;
    clear();
    palette.showModal();
    input.focus();
    waiting = true;
    htmx.trigger(input, "jump");
    return true;
  };

  const go = (option) => {
    pressed = false;
    option?.click();
  };

  const make = () => {
    document.body.append(template.content.cloneNode(true));
    palette = document.getElementById("jump");
    input = palette.querySelector("input");
    list = document.getElementById("jump-options");
    status = palette.querySelector("[data-jump-status]");
    htmx.process(palette);

    palette.addEventListener("click", (event) => {
      // The element itself is clicked only beside its content: on the backdrop.
      const leaves = event.target === palette || event.target.closest("[data-jump-close], [role=option]");
      if (leaves && !event.ctrlKey && !event.metaKey && !event.shiftKey) palette.close();
    });

    input.addEventListener("input", () => {
      waiting = true;
      pressed = false;
    });

    input.addEventListener("keydown", (event) => {
      if (event.isComposing) return;
      const all = options();
      const at = all.indexOf(active());
      if (event.key === "Enter") {
        event.preventDefault();
        if (waiting) pressed = true;
        else go(active());
      } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        event.preventDefault();
        if (all.length) choose(all.at((at + (event.key === "ArrowDown" ? 1 : -1)) % all.length));
      }
    });

    // The pointer chooses, too, so that one option alone looks chosen.
    list.addEventListener("pointermove", (event) => {
      const option = event.target.closest("[role=option]");
      if (option && option !== active()) choose(option);
    });

    palette.addEventListener("htmx:afterSettle", (event) => {
      if (event.detail.target !== list) return;
      const { count, text } = list.querySelector("[data-count]").dataset;
      waiting = input.value.trim().replace(/\s+/g, " ") !== text && event.detail.requestConfig.parameters?.q !== input.value;
      choose(options()[0] ?? null);
      input.setAttribute("aria-expanded", String(count !== "0"));
      if (count === "0") status.textContent = `Nothing was found for “${text}”.`;
      else status.textContent = text ? `${count} result${count === "1" ? "" : "s"}` : "";
      if (pressed && !waiting) go(active());
    });

    // Said here, because the page behind the palette cannot be read now.
    const fail = (event) => {
      event.stopPropagation();
      waiting = pressed = false;
      clear();
      status.textContent = "The search got no answer. Try again in a moment.";
    };
    palette.addEventListener("htmx:responseError", fail);
    palette.addEventListener("htmx:sendError", fail);
  };

  document.addEventListener("keydown", (event) => {
    const modifier = mac ? event.metaKey && !event.ctrlKey : event.ctrlKey && !event.metaKey;
    if (event.key.toLowerCase() !== "k" || !modifier || event.altKey || event.shiftKey) return;
    if (palette?.open || open()) event.preventDefault();
  });

  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-jump]") || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (open()) event.preventDefault();
  });
})();
