// Runs inside the frame: tells the framing page what happens on the payment page.
(function () {
  "use strict";
  const page = document.body;
  const paymentOrder = { id: page.dataset.order };
  const tell = (event, extra) =>
    window.parent.postMessage({ payment: true, event, paymentOrder, ...extra }, page.dataset.host);
  const height = () => ({ bodyHeight: Math.ceil(page.getBoundingClientRect().height) });

  tell("OnCheckoutLoaded", height());
  for (const { event, ...extra } of JSON.parse(page.dataset.events)) {
    tell(event, extra);
  }
  new ResizeObserver(() => tell("OnCheckoutResized", height())).observe(page);

  for (const method of document.querySelectorAll("details[data-instrument]")) {
    method.querySelector("summary").addEventListener("click", () => {
      if (!method.open) {
        tell("OnInstrumentSelected", { instrument: method.dataset.instrument });
      }
    });
  }
  for (const link of document.querySelectorAll("a.terms")) {
    link.addEventListener("click", (click) => {
      click.preventDefault();
      tell("OnTermsOfServiceRequested", { termsOfServiceUrl: link.href });
    });
  }
})();
