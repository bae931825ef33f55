// Asks the shop for the order's standing, and updates the page in place, so that screen readers announce it.
"use strict";
const longestPause = 3000;
let pause = 500;

async function look() {
  try {
    const status = document.getElementById("status");
    const answer = await (await fetch(status.dataset.ask)).json();
    if (answer.standing !== status.dataset.standing) {
      await show();
    }
    if (!answer.may_change) {
      return;
    }
  } catch {
    // The network failed for a moment: ask again.
  }
  pause = Math.min(pause * 1.3, longestPause);
  setTimeout(look, pause);
}

async function show() {
  const answer = await (await fetch(location.href)).text();
  const page = new DOMParser().parseFromString(answer, "text/html");
  document.title = page.title;
  for (const shown of document.querySelectorAll("[data-live]")) {
    const fresh = page.getElementById(shown.id);
    shown.replaceChildren(...fresh.childNodes);
    shown.className = fresh.className;
    Object.assign(shown.dataset, fresh.dataset);
  }
}

setTimeout(look, pause);
