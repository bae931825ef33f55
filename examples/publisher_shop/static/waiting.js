// Asks the shop whether the payment has been confirmed, and shows the page anew when it has.
const status = document.currentScript.dataset.status;
let pause = 1000;

async function look() {
  try {
    const answer = await (await fetch(status)).json();
    if (answer.access || !["created", "pending", "unknown"].includes(answer.state)) {
      location.reload();
      return;
    }
  } catch {
    // The network is away for a moment: ask again.
  }
  pause = Math.min(pause * 1.3, 10000);
  setTimeout(look, pause);
}

setTimeout(look, pause);
