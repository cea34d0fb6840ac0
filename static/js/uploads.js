// Uploads the file of a form to the storage first, and shows the progress. The form is then sent with the file's key.
// Without this script the form itself has the file.
(() => {
  "use strict";

  const KEEP_ALIVE = 5 * 60 * 1000; // a session ends after an hour without requests, and a large file may take longer
  const MESSAGES = {
    EntityTooSmall: "This file is empty.",
    SlowDown: "The storage is busy. Try again in a moment.",
    ServiceUnavailable: "The storage cannot take the file at the moment. Try again in a moment.",
  };
  const UNREACHABLE = "The storage cannot be reached, or the connection broke off. Try again.";
  const REFUSED = "The storage refused the file. Try again.";

  let current = null; // the running upload

  class Failed extends Error {}

  // The same format as on the server.
  const size = (bytes) => {
    const units = ["bytes", "KB", "MB", "GB"];
    let unit = 0;
    for (; bytes >= 1024 && unit < 3; unit++) bytes /= 1024;
    return `${unit ? bytes.toFixed(1) : bytes} ${units[unit]}`;
  };

  const state = (form) => ({
    box: form.querySelector("[data-upload-box]"),
    bar: form.querySelector("[data-upload-box] progress"),
    text: form.querySelector("[data-upload-text]"),
    rest: [form.querySelector("[data-fields]"), form.querySelector(".dialog-actions")],
    file: form.elements.file,
  });

  // --- Errors of the file, shown at its field as the server does. ---

  const showError = (form, words) => {
    const { file } = state(form);
    const field = file.closest(".field");
    field.querySelector(".field-error")?.remove();
    field.classList.toggle("invalid", Boolean(words));
    file.toggleAttribute("aria-invalid", false);
    if (!words) return;
    const error = document.createElement("p");
    error.className = "field-error";
    error.id = `${file.id}_error`;
    error.textContent = words;
    error.setAttribute("role", "alert");
    file.after(error);
    file.setAttribute("aria-invalid", "true");
    file.setAttribute("aria-describedby", `${error.id} ${file.id}_helptext`);
    file.focus();
  };

  // --- One upload: reserve it, and post the file. ---

  const reserve = async (form, file) => {
    const fields = { csrfmiddlewaretoken: form.elements.csrfmiddlewaretoken.value, name: file.name };
    let answer;
    try {
      answer = await fetch(form.dataset.upload, { method: "POST", body: new URLSearchParams(fields) });
    } catch {
      throw new Failed("The server cannot be reached. Check your connection and try again.");
    }
    const json = answer.headers.get("Content-Type")?.startsWith("application/json") ? await answer.json() : null;
    if (json?.error) throw new Failed(json.error);
    if (!answer.ok || !json) throw new Failed("The server could not answer. You may be signed out: load the page again.");
    return json;
  };

  const post = (place, file, form, signal) =>
    new Promise((resolve, reject) => {
      const body = new FormData();
      for (const [name, value] of Object.entries(place.fields)) body.append(name, value);
      body.append("file", file);
      const request = new XMLHttpRequest();
      request.upload.addEventListener("progress", (event) => showProgress(form, event.loaded, event.total));
      request.addEventListener("load", () => {
        if (request.status === 204) return resolve();
        const code = request.responseXML?.querySelector("Code")?.textContent;
        reject(new Failed(code === "EntityTooLarge" ? form.dataset.tooLarge : MESSAGES[code] ?? REFUSED));
      });
      request.addEventListener("error", () => reject(new Failed(UNREACHABLE)));
      request.addEventListener("abort", () => reject(new Failed("The upload was cancelled.")));
      signal.addEventListener("abort", () => request.abort());
      request.open("POST", place.url);
      request.send(body);
    });

  const showProgress = (form, loaded, total) => {
    const { bar, text } = state(form);
    bar.value = total ? loaded / total : 0;
    text.textContent = `${Math.floor(100 * bar.value)} % · ${size(loaded)} of ${size(total)}`;
  };

  const upload = async (form, file) => {
    const { box, bar, text, rest, file: input } = state(form);
    if (!file.size) throw new Failed("This file is empty.");
    if (file.size > Number(form.dataset.maximum)) throw new Failed(form.dataset.tooLarge);
    const controller = new AbortController();
    const awake = setInterval(() => fetch(form.action), KEEP_ALIVE);
    current = { form, cancel: () => controller.abort() };
    box.hidden = false;
    for (const part of rest) part.hidden = true; // the fields cannot change now, and the progress is visible
    box.querySelector("[data-upload-note]").textContent = "";
    bar.removeAttribute("value");
    text.textContent = "Preparing the upload";
    box.querySelector("[data-upload-name]").textContent = file.name;
    box.querySelector("[data-upload-cancel]").focus();
    input.disabled = true; // the file is not sent with the form
    form.setAttribute("data-guard", "");
    try {
      const place = await reserve(form, file);
      if (controller.signal.aborted) throw new Failed("The upload was cancelled.");
      await post(place, file, form, controller.signal);
      form.elements.file_key.value = place.file_key;
      input.value = "";
    } finally {
      clearInterval(awake);
      current = null;
      box.hidden = true;
      for (const part of rest) part.hidden = false;
      input.disabled = false;
      form.removeAttribute("data-guard");
    }
  };

  document.addEventListener("htmx:confirm", async (event) => {
    const form = event.detail.elt;
    const file = form.matches?.("form[data-upload]") && form.elements.file?.files[0];
    if (!file && current?.form !== form) return;
    event.preventDefault();
    if (current) return;
    showError(form, "");
    try {
      await upload(form, file);
    } catch (error) {
      if (!(error instanceof Failed)) throw error;
      if (form.isConnected) showError(form, error.message);
      return;
    }
    if (form.isConnected) event.detail.issueRequest(true);
  });

  // --- Cancelling or leaving during an upload. ---

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-upload-cancel]")) current?.cancel();
  });

  document.addEventListener(
    "dialog-leave",
    () => {
      if (current) state(current.form).box.querySelector("[data-upload-note]").textContent = "Cancel the upload before you close this.";
    },
    true, // the event does not bubble
  );

  document.getElementById("dialog").addEventListener("close", () => current?.cancel());
  addEventListener("beforeunload", (event) => current && event.preventDefault());

  // --- The type of an app, by the name of its file. ---

  document.addEventListener("change", (event) => {
    const form = event.target.closest?.("form[data-upload]");
    const select = form?.querySelector("[data-by-suffix]");
    if (!select || event.target !== form.elements.file) return;
    const suffix = event.target.value.slice(event.target.value.lastIndexOf(".")).toLowerCase();
    select.value = JSON.parse(select.dataset.bySuffix)[suffix] ?? select.value;
  });
})();
