// Errors of a field: they go away while the field is mended. The server looks at the form again when it is sent.
// A preview shows the fields as they are typed.
(() => {
  "use strict";

  const mend = (event) => {
    const field = event.target.closest?.(".field.invalid");
    if (!field) return;
    const error = field.querySelector(".field-error");
    field.classList.remove("invalid");
    for (const control of field.querySelectorAll("[aria-invalid]")) control.removeAttribute("aria-invalid");
    for (const described of [field, ...field.querySelectorAll("[aria-describedby]")]) {
      const ids = (described.getAttribute("aria-describedby") ?? "").split(" ").filter((id) => id && id !== error?.id);
      if (ids.length) described.setAttribute("aria-describedby", ids.join(" "));
      else described.removeAttribute("aria-describedby");
    }
    error?.remove();
  };

  const preview = (shown) => {
    const control = document.querySelector(`form [name="${shown.dataset.preview}"]`);
    const text = control?.value.trim();
    shown.textContent = text ? (shown.dataset.before ?? "") + text : (shown.dataset.empty ?? "");
    shown.classList.toggle("unset", !text);
  };
  const previews = () => document.querySelectorAll("[data-preview]").forEach(preview);

  document.addEventListener("input", previews);
  document.addEventListener("htmx:afterSettle", previews);
  previews();

  document.addEventListener("input", mend);
  document.addEventListener("change", mend);
})();
