// Selection of rows in a list: the box for the page, and the number of ticked rows. CSS shows the bar if it is not 0.
(() => {
  "use strict";

  const update = () => {
    const form = document.getElementById("selection");
    if (!form || form.querySelector("input[name=all]")) return; // all matches: the server writes their number
    const boxes = [...form.querySelectorAll("input[name=id]")];
    const ticked = boxes.filter((box) => box.checked).length;
    const page = form.querySelector("[data-select-page]");
    page.checked = ticked === boxes.length;
    page.indeterminate = ticked > 0 && ticked < boxes.length;
    form.querySelector("[data-selected]").textContent = `${ticked} selected`;
  };

  document.addEventListener("change", (event) => {
    const form = event.target.closest("#selection"); // not by the form's `id` property, which is the boxes named "id"
    if (!form) return;
    if (event.target.matches("[data-select-page]")) {
      for (const box of form.querySelectorAll("input[name=id]")) box.checked = event.target.checked;
    }
    update();
  });

  document.addEventListener("htmx:afterSettle", update);
  addEventListener("pageshow", update); // the browser restores the ticks on going back
})();
