// What the console does by itself: pages that read themselves again, orders that go on, and a count of what is ticked.
// Everything works without it. It writes no markup of its own but one button, and never text into markup.
"use strict";

(() => {
  const clock = () => new Date().toISOString().slice(11, 19);

  // -- a page that reads itself again --------------------------------------------------------------------------------
  const marker = document.querySelector("[data-refresh-seconds]");
  const freshness = document.querySelector("[data-freshness]");

  const isBusy = (part) =>
    part.contains(document.activeElement) ||
    part.querySelector("input:checked, details[open]") !== null ||
    !document.getSelection().isCollapsed;

  const replaceParts = (fresh) => {
    for (const part of document.querySelectorAll("[data-live]")) {
      const other = fresh.getElementById(part.id);
      if (other !== null && !isBusy(part) && other.innerHTML !== part.innerHTML) {
        part.replaceChildren(...document.adoptNode(other).childNodes);
      }
    }
  };

  if (marker !== null && freshness !== null) {
    let seconds = Number(marker.dataset.refreshSeconds);
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
          const answer = await fetch(location.href, { headers: { "X-Console-Refresh": "1" }, redirect: "manual" });
          if (answer.type === "opaqueredirect") {
            words.textContent = "Your session has ended: load the page again to sign in.";
            button.remove();
            return;
          }
          if (answer.ok) {
            replaceParts(new DOMParser().parseFromString(await answer.text(), "text/html"));
            if (!paused) words.textContent = `Updated ${clock()}.`;
            seconds = Number(marker.dataset.refreshSeconds);
          }
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

    const count = () => {
      const ticked = boxes().filter((box) => box.checked).length;
      all.checked = ticked > 0 && ticked === boxes().length;
      all.indeterminate = ticked > 0 && !all.checked;
      said.textContent = ticked === 0 ? hint : `${ticked} selected`;
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

  const here = document.querySelector(".rooms [aria-current]");
  const rooms = document.querySelector(".rooms");
  if (here !== null && rooms.scrollWidth > rooms.clientWidth) rooms.scrollLeft = here.offsetLeft - rooms.clientWidth / 3;
})();
