// A secret that was read is in the page only while it is looked at: it leaves with the window's focus, and with the page.
(() => {
  "use strict";

  const hide = (row) => {
    row.querySelector("[data-secret-value]")?.remove();
    const gone = row.querySelector("[data-secret-gone]");
    if (gone) gone.hidden = false;
  };
  const hideAll = () => document.querySelectorAll("[data-secret-row]").forEach(hide);

  const copy = async (button) => {
    const code = button.closest("[data-secret-value]").querySelector("code");
    const label = button.querySelector("span");
    try {
      await navigator.clipboard.writeText(code.textContent);
      label.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(code);
      label.textContent = "Selected";
    }
    document.getElementById("announcer").textContent = label.textContent;
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-secret-copy]");
    if (button) copy(button);
  });

  addEventListener("blur", hideAll);
  addEventListener("pagehide", hideAll);
  document.addEventListener("visibilitychange", () => document.hidden && hideAll());
})();
