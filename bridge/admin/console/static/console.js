// What the console does by itself: pages that read themselves again, orders that go on, a count of what is ticked, a key
// for the search. Everything works without it. It writes no markup of its own but a few words and buttons, and never
// text into markup.
"use strict";

(() => {
  // -- a page that reads itself again --------------------------------------------------------------------------------
  const marker = document.querySelector("[data-refresh-seconds]");
  const freshness = document.querySelector("[data-freshness]");

  const keyOf = (node) => (node.nodeType === Node.ELEMENT_NODE ? node.id || node.dataset?.key || "" : "");
  const alike = (one, other) => one.nodeName === other.nodeName && keyOf(one) === keyOf(other);

  // A person opens and closes; ticks and what is typed are no attributes.
  const isTheirs = (node, name) => node.nodeName === "DETAILS" && name === "open";

  const copyAttributes = (old, fresh) => {
    for (const { name } of [...old.attributes]) {
      if (!fresh.hasAttribute(name) && !isTheirs(old, name)) old.removeAttribute(name);
    }
    for (const { name, value } of fresh.attributes) {
      if (!isTheirs(old, name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
  };

  // Changes only what differs, so that nothing flickers, and focus, selection and scrolling stay where they are.
  const become = (old, fresh) => {
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.data !== fresh.data) old.data = fresh.data;
      return;
    }
    if (old.isEqualNode(fresh) || old.hasAttribute("data-own")) return;
    copyAttributes(old, fresh);
    let at = old.firstChild;
    for (const child of [...fresh.childNodes]) {
      let match = at;
      if (keyOf(child)) while (match && !alike(match, child)) match = match.nextSibling;
      if (match && alike(match, child)) {
        if (match === at) at = at.nextSibling;
        else old.insertBefore(match, at);
        become(match, child);
      } else {
        old.insertBefore(document.adoptNode(child), at);
      }
    }
    while (at) {
      const next = at.nextSibling;
      at.remove();
      at = next;
    }
  };

  const isRead = (part) => {
    const chosen = document.getSelection();
    return !chosen.isCollapsed && part.contains(chosen.anchorNode);
  };

  let count = null; // set below, where there is something to tick

  const replaceParts = (fresh) => {
    for (const part of document.querySelectorAll("[data-live]")) {
      const other = fresh.getElementById(part.id);
      if (other !== null && !isRead(part)) become(part, other);
    }
    document.title = fresh.title;
    count?.();
  };

  const clock = () => new Date().toISOString().slice(11, 19);

  const leadToSignIn = () => {
    const notice = document.createElement("div");
    notice.className = "notice tone-warn session-over";
    notice.setAttribute("role", "alert");
    const link = document.createElement("a");
    const here = location.pathname + location.search;
    link.href = `${marker.dataset.signIn}&next=${encodeURIComponent(marker.dataset.refreshFrom || here)}`;
    link.textContent = "Sign in to go on here";
    notice.append("Your session has ended, and this page no longer updates itself. ", link);
    document.querySelector("main").prepend(notice);
    freshness.replaceChildren();
  };

  if (marker !== null && freshness !== null) {
    const usual = Number(marker.dataset.refreshSeconds);
    let seconds = usual;
    let paused = false;
    const words = document.createElement("span");
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet";
    button.textContent = "Pause updates";
    button.addEventListener("click", () => {
      paused = !paused;
      button.textContent = paused ? "Go on updating" : "Pause updates";
      words.textContent = paused ? "It does not update itself now." : "";
    });
    freshness.append(words, button);

    const refresh = async () => {
      if (!paused && !document.hidden) {
        try {
          const from = marker.dataset.refreshFrom || location.href;
          const answer = await fetch(from, { headers: { "X-Console-Refresh": "1" }, redirect: "manual" });
          if (answer.type === "opaqueredirect") {
            leadToSignIn();
            return;
          }
          if (!answer.ok) throw new Error(answer.statusText);
          const text = await answer.text();
          if (!paused) {
            replaceParts(new DOMParser().parseFromString(text, "text/html"));
            words.textContent = `Updated ${clock()}.`;
          }
          seconds = usual;
        } catch {
          words.textContent = `The bridge did not answer at ${clock()}; trying again.`;
          seconds = Math.min(seconds * 2, 120);
        }
      }
      setTimeout(refresh, seconds * 1000);
    };
    setTimeout(refresh, seconds * 1000);
  }

  // -- a selection ---------------------------------------------------------------------------------------------------
  const form = document.querySelector("[data-selection]");
  const head = form === null ? null : form.querySelector("th.tick");
  if (head !== null) {
    const said = form.querySelector("[data-selected]");
    const hint = said.textContent;
    const boxes = () => [...form.querySelectorAll("td.tick input")];
    const all = document.createElement("input");
    all.type = "checkbox";
    all.setAttribute("aria-label", "Select every delivery on this page");
    head.replaceChildren(all);
    head.dataset.own = "";

    count = () => {
      const ticked = boxes().filter((box) => box.checked).length;
      all.checked = ticked > 0 && ticked === boxes().length;
      all.indeterminate = ticked > 0 && !all.checked;
      const words = ticked === 0 ? hint : `${ticked} selected`;
      if (said.textContent !== words) said.textContent = words;
      for (const button of form.querySelectorAll("button[name=action]")) button.disabled = ticked === 0;
    };
    form.addEventListener("change", (change) => {
      if (change.target === all) for (const box of boxes()) box.checked = all.checked;
      count();
    });
    addEventListener("pageshow", count); // the browser brings ticks back after `back`
    count();
  }

  // -- an order that is carried out step by step ---------------------------------------------------------------------
  const goesOn = document.querySelector("[data-goes-on]");
  if (goesOn !== null) {
    const timer = setTimeout(() => goesOn.submit(), 400); // long enough to stop it
    addEventListener("pagehide", () => clearTimeout(timer));
    goesOn.addEventListener("submit", () => clearTimeout(timer));
  }
  // -- the search ----------------------------------------------------------------------------------------------------
  const search = document.querySelector("[data-find]");
  addEventListener("keydown", (pressed) => {
    if (pressed.key !== "/" || pressed.ctrlKey || pressed.metaKey || pressed.altKey || search === null) return;
    if (pressed.target.closest("input, textarea, select, [contenteditable]")) return;
    pressed.preventDefault();
    search.focus();
    search.select();
  });

  const here = document.querySelector(".rooms [aria-current]");
  const rooms = document.querySelector(".rooms");
  if (here !== null && rooms.scrollWidth > rooms.clientWidth) rooms.scrollLeft = here.offsetLeft - rooms.clientWidth / 3;
})();
