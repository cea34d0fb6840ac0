// The dialog, notices, copy buttons and what is said when a request fails. Every page works without this file.
(() => {
  "use strict";

  const dialog = document.getElementById("dialog");
  const content = document.getElementById("dialog-content");
  const dialogError = document.getElementById("dialog-error");

  const announce = (text) => {
    document.getElementById("announcer").textContent = text;
  };

  // An element that is removed takes the focus with it, and a keyboard would start again at the top of the document.
  const catchFocus = () => {
    if (document.activeElement === document.body) document.getElementById("main").focus();
  };

  // Where a notice shows: inside the dialog while it is open, because nothing else can be read then.
  const notify = (text, kind) => {
    if (dialog.open) {
      dialogError.textContent = text;
      return;
    }
    const notice = document.getElementById("notice-template").content.cloneNode(true);
    notice.firstElementChild.classList.add(kind);
    notice.querySelector("p").textContent = text;
    document.getElementById("notices").replaceChildren(notice);
  };

  // --- The dialog: filled by a link with hx-target="#dialog-content", emptied when it closes. ---

  document.addEventListener("htmx:afterSwap", (event) => {
    dialogError.textContent = "";
    if (event.detail.target !== content || dialog.open) return;
    document.querySelectorAll("[popover]:popover-open").forEach((open) => open.hidePopover());
    rememberRow(event.detail.requestConfig?.elt);
    dialog.showModal();
  });

  // What must not be lost unasked: a part with data-guard, which answers `dialog-leave` itself, and what was entered.
  const guarded = () => dialog.querySelector("[data-guard]");
  const question = document.getElementById("dialog-leave");
  let entered = false;
  let asked = null; // the element that had the focus when the question was shown

  const ask = () => {
    question.hidden = !question.hidden;
    if (question.hidden) {
      asked?.focus();
      return;
    }
    asked = document.activeElement;
    question.querySelector("[data-keep]").focus();
    question.scrollIntoView({ block: "nearest" });
  };

  const askedToClose = (event) => {
    const guard = guarded();
    if (!guard && !entered) return;
    event.preventDefault();
    if (guard) guard.dispatchEvent(new CustomEvent("dialog-leave"));
    else ask();
  };

  content.addEventListener("input", () => (entered = true));
  question.querySelector("[data-keep]").addEventListener("click", ask);
  question.querySelector("[data-discard]").addEventListener("click", () => dialog.close());

  dialog.addEventListener("cancel", askedToClose);
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "Escape") askedToClose(event);
  });

  dialog.addEventListener("close", () => {
    entered = false;
    question.hidden = true;
    content.replaceChildren();
    dialogError.textContent = "";
    catchFocus(); // the link that opened it may have been replaced with the list around it
  });

  document.body.addEventListener("dialog-done", () => dialog.close());
  document.body.addEventListener("notice", (event) => notify(event.detail.text, "success"));

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-close]") && dialog.open) {
      event.preventDefault();
      dialog.close();
    }
    // A link to a place of this page loads nothing: the dialog would stay in front of it.
    const place = event.target.closest("#dialog a[href*='#']");
    if (place && place.pathname === location.pathname && !place.matches("[hx-get]")) dialog.close();
    event.target.closest("[data-dismiss]")?.closest(".notice").remove();
    const copy = event.target.closest("[data-copy]");
    if (copy) copyText(copy);
  });

  // --- Copy buttons: they say "Copied" only when it is so. ---

  const copyText = async (button) => {
    const label = button.querySelector("span");
    const words = button.dataset.label ?? (button.dataset.label = label.textContent);
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      label.textContent = "Copied";
      announce("Copied");
    } catch {
      const shown = button.closest("div").querySelector("code");
      getSelection().selectAllChildren(shown);
      label.textContent = "Selected";
      announce("Copying was not possible. The text is selected.");
    }
    clearTimeout(button.timer);
    button.timer = setTimeout(() => (label.textContent = words), 2500);
  };

  // --- Lists that were swapped say how many rows they have now, and do not lose the focus that was in them. ---

  // The row whose dialog is open. After its action the list is loaded again, with the row or without it.
  let row = null;
  const rowsOf = (list) => [...document.querySelectorAll(`#${list} tbody tr`)];
  const linkOf = (element) => element?.querySelector(".row-name a")?.getAttribute("href");

  const rememberRow = (opener) => {
    const element = opener?.closest?.("tbody tr");
    const list = element?.closest("#rows")?.id;
    row = list ? { list, at: rowsOf(list).indexOf(element), href: linkOf(element) } : null;
  };

  const focusRow = () => {
    if (!row) return;
    const rows = rowsOf(row.list);
    const same = rows.find((each) => linkOf(each) === row.href);
    const next = rows[row.at] ?? rows.at(-1);
    (same?.querySelector(".row-actions button") ?? next?.querySelector(".row-name a"))?.focus();
    row = null;
  };

  let focusWasInside = false;
  document.addEventListener("htmx:beforeSwap", (event) => {
    focusWasInside = event.detail.target.contains(document.activeElement);
  });

  document.addEventListener("htmx:afterSettle", (event) => {
    if (dialog.open) return;
    if (event.detail.target?.querySelector?.("#rows")) focusRow();
    if (focusWasInside) catchFocus();
    const count = event.detail.target?.querySelector?.("[data-announce]");
    if (count) announce(count.textContent.trim().replace(/\s+/g, " "));
  });

  // --- Failed requests: an error page's own words, or that there was no answer. ---

  document.addEventListener("htmx:responseError", (event) => {
    const page = new DOMParser().parseFromString(event.detail.xhr.responseText, "text/html");
    const words = ["error-title", "error-advice"].map((id) => page.getElementById(id)?.textContent);
    notify(words[0] ? `${words[0]}. ${words[1]}` : "The server could not answer. Try again in a moment.", "error");
  });

  document.addEventListener("htmx:sendError", () => {
    notify("The server cannot be reached. Check your connection and try again.", "error");
  });
})();
