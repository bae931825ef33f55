// Asks the shop how the payment stands, and shows what changed in place, so that screen readers hear it.
"use strict";
const longestPause = 10000;
let pause = 500;

async function look() {
  try {
    const status = document.getElementById("status");
    const { standing } = await (await fetch(status.dataset.ask)).json();
    if (standing !== status.dataset.standing) {
      await show();
    }
    if (["thanks", "reserved", "refunded", "not_paid", "flagged"].includes(standing)) {
      return;
    }
  } catch {
    // The network is away for a moment: ask again.
  }
  pause = Math.min(pause * 1.3, longestPause);
  setTimeout(look, pause);
}

async function show() {
  const answer = await (await fetch(location.href)).text();
  const page = new DOMParser().parseFromString(answer, "text/html");
  document.title = page.title;
  for (const id of ["status", "receipt"]) {
    const shown = document.getElementById(id);
    const fresh = page.getElementById(id);
    shown.replaceChildren(...fresh.childNodes);
    Object.assign(shown.dataset, fresh.dataset);
  }
}

setTimeout(look, pause);
