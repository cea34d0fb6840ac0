// The one-time reveal. The secret is taken out of the reply before the reply becomes part of the page, is held in
// this closure alone, and is in the page only while the eye is open.
(() => {
  "use strict";

  let secret = null;
  let step = null;
  let configuration = null; // as the page has it, with the mask where the secret belongs

  const part = (name) => step.querySelector(`[data-${name}]`);

  const say = (button, text, failed = false) => {
    const status = button.parentElement.querySelector("[data-copy-status]");
    status.textContent = text;
    status.classList.toggle("failed", failed);
  };

  const mask = () => part("secret-field").defaultValue;
  const configured = () => configuration.replace(mask(), () => secret);
  // The word for the secret, such as "token". The mask is the field's value in the page that was sent.
  const noun = () => step.dataset.noun;

  const show = (visible) => {
    if (!step) return;
    const eye = part("eye");
    const field = part("secret-field");
    field.value = visible && secret ? secret : field.defaultValue;
    if (configuration) part("configuration").textContent = visible && secret ? configured() : configuration;
    eye.setAttribute("aria-pressed", String(Boolean(visible && secret)));
    eye.setAttribute("aria-label", `${visible && secret ? "Hide" : "Show"} ${noun()}`);
  };

  const wipe = () => {
    if (!step) return;
    show(false);
    secret = null;
    part("eye").disabled = true;
    part("copy-secret").disabled = true;
    if (configuration) part("copy-configuration").disabled = true;
    step = configuration = null;
  };

  const copy = async ({ currentTarget: button }) => {
    const whole = button === part("copy-configuration");
    try {
      await navigator.clipboard.writeText(whole ? configured() : secret);
      say(button, "Copied");
    } catch {
      show(true);
      if (whole) getSelection().selectAllChildren(part("configuration"));
      else part("secret-field").select();
      const what = whole ? "configuration" : noun();
      say(button, `Copying was not possible. The ${what} is selected: copy it with your keyboard.`, true);
    }
  };

  const askToLeave = () => {
    const question = part("leave");
    question.hidden = !question.hidden;
    (question.hidden ? part("copy-secret") : part("stay")).focus();
  };

  const start = (root, value) => {
    step = root;
    secret = value;
    configuration = part("configuration")?.textContent ?? null;
    const acknowledged = part("acknowledge");
    const next = part("next");
    const follow = () => (next.disabled = !acknowledged.checked);
    follow();
    show(false);
    acknowledged.addEventListener("change", follow);
    part("eye").addEventListener("click", () => show(part("eye").getAttribute("aria-pressed") === "false"));
    part("copy-secret").addEventListener("click", copy);
    part("copy-configuration")?.addEventListener("click", copy);
    part("stay").addEventListener("click", askToLeave);
    part("leave-now").addEventListener("click", () => root.closest("dialog")?.close());
    root.addEventListener("dialog-leave", askToLeave);
  };

  // A reply to htmx: the secret leaves the text before the text is parsed into the page.
  let arrived = null;
  document.addEventListener("htmx:beforeSwap", (event) => {
    const found = /data-secret="([^"]+)"/.exec(event.detail.serverResponse);
    if (!found) return;
    arrived = found[1];
    event.detail.serverResponse = event.detail.serverResponse.replace(found[0], "");
  });
  document.addEventListener("htmx:afterSwap", () => {
    if (step && !step.isConnected) wipe();
    const root = document.querySelector("[data-reveal-step]");
    if (!root || !arrived) return;
    start(root, arrived);
    arrived = null;
  });

  // A whole page: the parts that work without this script make way for those that work with it.
  const plain = document.querySelector("[data-secret-plain]");
  if (plain) {
    const root = plain.closest("[data-reveal-step]");
    const value = plain.querySelector("code").textContent;
    for (const each of root.querySelectorAll("[data-secret-plain]")) each.remove();
    for (const each of root.querySelectorAll("[data-secret-js]")) each.hidden = false;
    start(root, value);
  }

  document.getElementById("dialog").addEventListener("close", wipe);
  addEventListener("pagehide", wipe);
  addEventListener("blur", () => show(false));
  document.addEventListener("visibilitychange", () => document.hidden && show(false));
})();
