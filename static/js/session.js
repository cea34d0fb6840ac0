// A form with data-draft is not lost with the session or the CSRF cookie: before it is sent, the server is asked about
// both. A person whose session has ended signs in again in a dialog over the page, and the form is then sent.
(() => {
  "use strict";

  const form = document.querySelector("form[data-draft]");
  if (!form) return;
  const dialog = document.getElementById("dialog");
  const content = document.getElementById("dialog-content");
  const template = document.getElementById("sign-in-again");

  const ask = async () => {
    const response = await fetch(form.dataset.session, { cache: "no-store", credentials: "same-origin" });
    if (!response.ok) throw new Error(String(response.status));
    const session = await response.json();
    for (const input of document.querySelectorAll("input[name=csrfmiddlewaretoken]")) input.value = session.csrf;
    return session;
  };

  let pending = false;
  let asked = false;
  let submitter = null;

  const send = () => {
    asked = true;
    form.requestSubmit(submitter);
    asked = false;
  };

  const openSignIn = () => {
    content.replaceChildren(template.content.cloneNode(true));
    dialog.showModal();
    content.querySelector("form").addEventListener("submit", signIn);
  };

  const signIn = async (event) => {
    event.preventDefault();
    const entered = event.currentTarget;
    const button = entered.querySelector("button");
    const error = document.getElementById("dialog-error");
    button.disabled = true;
    try {
      await ask(); // a session that ended took its CSRF token along
      const response = await fetch(entered.action, { method: "POST", body: new FormData(entered), credentials: "same-origin" });
      if ((await ask()).signed_in) {
        dialog.close();
        send();
        return;
      }
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      const next = page.querySelector("form[data-second-step]");
      if (next && !entered.matches("form[data-second-step]")) {
        // The password was right. What is missing is the code of the second step, which is asked for here too.
        const step = document.importNode(next, true);
        entered.replaceWith(step);
        step.addEventListener("submit", signIn);
        step.querySelector("input[name=code]").focus();
        return;
      }
      const reason = page.querySelector(".error-summary, .field-error, #error-title");
      error.textContent = reason?.textContent.trim() || "Sign in in another tab, and then save again here.";
    } catch {
      error.textContent = "The server cannot be reached. Check your connection and try again.";
    } finally {
      button.disabled = false;
    }
  };

  form.addEventListener(
    "submit",
    async (event) => {
      if (asked) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      if (pending) return; // the second press of a double click
      pending = true;
      submitter = event.submitter;
      try {
        if ((await ask()).signed_in) send();
        else openSignIn();
      } catch {
        send(); // the browser's own error page says more
      } finally {
        pending = false;
      }
    },
    true,
  );
})();
