// What all pages share: when live parts are read again, keys, times on the reader's clock.
// Every page works without it.
"use strict";

(() => {
  const offline = document.getElementById("offline");

  // --- live parts: not where nobody looks, and not under the reader's hands ------------

  const rests = () => document.hidden || !window.getSelection().isCollapsed;

  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.target.hasAttribute("data-live") && rests()) event.preventDefault();
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    for (const live of document.querySelectorAll("[data-live]")) htmx.trigger(live, "refresh");
  });

  const fail = (event) => {
    if (!event.target.hasAttribute("data-live")) return;
    if (offline.hidden) {
      const clock = new Date().toLocaleTimeString();
      offline.textContent = `The service has not answered since ${clock}: what is below is old.`;
      offline.hidden = false;
    }
  };
  document.addEventListener("htmx:sendError", fail);
  document.addEventListener("htmx:responseError", fail);
  document.addEventListener("htmx:afterOnLoad", () => {
    offline.hidden = true;
  });

  // --- times ---------------------------------------------------------------------------

  const localize = (root) => {
    for (const time of root.querySelectorAll("time[datetime]")) {
      const at = new Date(time.dateTime);
      if (!Number.isNaN(at.valueOf())) time.title = at.toLocaleString();
    }
  };
  document.addEventListener("htmx:afterSettle", (event) => localize(event.target));
  localize(document);

  // --- keys ----------------------------------------------------------------------------

  const keys = document.getElementById("keys");
  const button = document.getElementById("show-keys");
  button.hidden = false;
  button.addEventListener("click", () => keys.showModal());

  const typing = (element) =>
    element.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(element.tagName);

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (typing(event.target) || keys.open) return;
    if (event.key === "/") {
      event.preventDefault();
      document.getElementById("search").focus();
    } else if (event.key === "?") {
      event.preventDefault();
      keys.showModal();
    }
  });

  // --- boxes of a list -----------------------------------------------------------------

  for (const all of document.querySelectorAll("[data-select-all]")) {
    const boxes = [...all.form.querySelectorAll('input[type="checkbox"][name="id"]')];
    all.hidden = false;
    all.addEventListener("click", () => {
      const some = boxes.some((box) => !box.checked);
      for (const box of boxes) box.checked = some;
    });
  }

  // --- what was done is told once, and not again when the page is read again -----------

  const address = new URL(window.location.href);
  if (address.searchParams.has("did")) {
    address.searchParams.delete("did");
    address.searchParams.delete("count");
    window.history.replaceState(null, "", address);
  }
})();
