// Selecting rows of a list: the box for the page, and the number of ticked rows. The bar shows by CSS while there are any.
(() => {
  "use strict";

  const update = () => {
    const form = document.getElementById("selection");
    if (!form || form.querySelector("input[name=all]")) return; // all that match: the server has said how many
    const boxes = [...form.querySelectorAll("input[name=id]")];
    const ticked = boxes.filter((box) => box.checked).length;
    const page = form.querySelector("[data-select-page]");
    page.checked = ticked === boxes.length;
    page.indeterminate = ticked > 0 && ticked < boxes.length;
    form.querySelector("[data-selected]").textContent = `${ticked} selected`;
  };

  document.addEventListener("change", (event) => {
    const form = event.target.closest("#selection"); // its `id` is the boxes, which have that name
    if (!form) return;
    if (event.target.matches("[data-select-page]")) {
      for (const box of form.querySelectorAll("input[name=id]")) box.checked = event.target.checked;
    }
    update();
  });

  document.addEventListener("htmx:afterSettle", update);
  addEventListener("pageshow", update); // a browser that goes back ticks the boxes again
})();
