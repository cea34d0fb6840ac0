// Passkeys: the browser's own dialog, and the forms that send what it made. What needs them shows only where they work.
(() => {
  "use strict";

  const works = Boolean(window.PublicKeyCredential?.parseCreationOptionsFromJSON);

  const uncover = () => {
    if (!works) return;
    for (const element of document.querySelectorAll("[data-needs-passkeys][hidden]")) element.hidden = false;
    for (const field of document.querySelectorAll("[data-passkey]:not([data-offered])")) offer(field);
  };

  const get = async (options) => {
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options.publicKey);
    return JSON.stringify((await navigator.credentials.get({ publicKey })).toJSON());
  };

  const create = async (options) => {
    const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options.publicKey);
    return JSON.stringify((await navigator.credentials.create({ publicKey })).toJSON());
  };

  const ask = async (url) => {
    const response = await fetch(url, { cache: "no-store", credentials: "same-origin" });
    if (response.status === 429) throw new Error("Too many attempts. Try again in some minutes.");
    if (!response.ok) throw new Error("The server did not answer. Try again.");
    return response.json();
  };

  const reason = (error) => {
    if (error.name === "NotAllowedError") return "No passkey was used. Try again, or use another way.";
    if (error.name === "InvalidStateError") return "This device has a passkey for you already.";
    return error instanceof DOMException ? "This browser could not use a passkey here." : error.message;
  };

  // A form whose hidden field takes the credential. `ceremony` returns it, and shows the browser's dialog for that.
  const run = async (form, ceremony, send) => {
    const button = form.querySelector("button[type=submit], button:not([type])");
    const error = form.querySelector("[data-passkey-error]") ?? addError(form);
    button.disabled = true;
    error.textContent = "";
    try {
      form.querySelector("input[name=credential]").value = await ceremony();
      button.disabled = false;
      send();
    } catch (failure) {
      error.textContent = reason(failure);
      button.disabled = false;
    }
  };

  const addError = (form) => {
    const error = document.createElement("p");
    error.className = "field-error";
    error.setAttribute("role", "status");
    error.dataset.passkeyError = "";
    form.querySelector(".dialog-actions").before(error);
    return error;
  };

  let sending = false;
  document.addEventListener(
    "submit",
    (event) => {
      const form = event.target;
      const fresh = form.closest("[data-passkey-new]");
      const { passkeyFrom: from, passkeyUse: use } = form.dataset;
      if (sending || !works || !(fresh || from || use)) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      if (fresh) {
        const send = () => {
          sending = true;
          form.requestSubmit();
          sending = false;
        };
        run(form, () => create(JSON.parse(fresh.dataset.passkeyNew)), send);
      } else {
        run(form, async () => get(use ? JSON.parse(use) : await ask(from)), () => form.submit());
      }
    },
    true,
  );

  // A field that asks for the password again takes a passkey too. The server then knows, and the field makes way.
  const offer = (field) => {
    field.dataset.offered = "";
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button small";
    button.textContent = "Use a passkey";
    const box = field.closest(".field");
    const error = document.createElement("p");
    error.className = "field-error";
    error.setAttribute("role", "alert");
    box.append(button, error);
    button.addEventListener("click", async () => {
      button.disabled = true;
      error.textContent = "";
      try {
        const body = new FormData();
        body.set("csrfmiddlewaretoken", field.form.querySelector("[name=csrfmiddlewaretoken]").value);
        body.set("credential", await get(await ask(field.dataset.passkey)));
        const response = await fetch(field.dataset.passkey, { method: "POST", body, credentials: "same-origin" });
        if (!response.ok) throw new Error("This passkey was not accepted. Try again, or enter the password.");
        const done = document.createElement("p");
        done.className = "field-help";
        done.setAttribute("role", "status");
        done.textContent = "Confirmed with a passkey.";
        const form = field.form;
        box.replaceWith(done);
        form.querySelector("button[type=submit]")?.focus();
      } catch (failure) {
        error.textContent = reason(failure);
        button.disabled = false;
      }
    });
  };

  document.addEventListener("htmx:afterSettle", uncover);
  uncover();
})();
