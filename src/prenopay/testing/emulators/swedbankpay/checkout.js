// The seamless view: puts the payment page into a frame on the merchant's own page and passes its events on.
// A handler that the merchant sets replaces what would happen by default.
function offerCheckout(settings) {
  "use strict";

  const defaults = {
    onPaid: (event) => window.location.assign(event.redirectUrl),
    onAborted: (event) => window.location.assign(event.redirectUrl),
    onTermsOfServiceRequested: (event) => window.open(event.termsOfServiceUrl, "_blank", "noopener"),
  };

  function checkout(configuration) {
    let frame = null;
    let culture = configuration.culture || settings.culture;

    function notify(event) {
      const handler = "on" + event.event.slice(2);
      const act = configuration[handler] || defaults[handler];
      if (configuration.onEventNotification) {
        configuration.onEventNotification({
          event: "OnEventNotification",
          paymentOrder: event.paymentOrder,
          sourceEvent: event.event,
        });
      }
      if (act) {
        act(event);
      }
    }

    function fail(details) {
      console.error("payment page: " + details);
      notify({ event: "OnError", paymentOrder: { id: settings.paymentOrder }, details });
    }

    function hear(message) {
      if (!frame || message.source !== frame.contentWindow || message.origin !== settings.origin) {
        return;
      }
      const { payment, ...event } = message.data || {};
      if (!payment) {
        return;
      }
      if (event.bodyHeight) {
        frame.style.height = event.bodyHeight + "px";
      }
      notify(event);
    }

    function address() {
      const query = new URLSearchParams({ culture, host: window.location.origin });
      return settings.page + "?" + query;
    }

    const view = {
      open() {
        const container = configuration.container;
        const place = document.getElementById((container && container.checkout) || container);
        if (frame) {
          fail("open() may be called once only");
        } else if (!place) {
          fail("there is no element for container.checkout");
        } else if (!settings.hosts.includes(window.location.origin)) {
          fail(window.location.origin + " is not among the order's hostUrls");
        } else {
          frame = document.createElement("iframe");
          frame.title = culture.startsWith("sv") ? "Betalning" : "Payment";
          frame.style.cssText = "width:100%;height:30rem;border:0;display:block";
          frame.src = address();
          window.addEventListener("message", hear);
          place.appendChild(frame);
        }
        return view;
      },
      close() {
        if (frame) {
          window.removeEventListener("message", hear);
          frame.remove();
          frame = null;
        }
        return view;
      },
      refresh() {
        if (frame) {
          frame.src = address();
        }
        return view;
      },
      update(changes) {
        culture = (changes && changes.culture) || culture;
        return view.refresh();
      },
    };
    return view;
  }

  window.payex = window.payex || {};
  window.payex.hostedView = window.payex.hostedView || {};
  window.payex.hostedView.checkout = checkout;
}
