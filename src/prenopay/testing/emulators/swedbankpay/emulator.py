"""The emulated gateway as one object: handle a call, act as the payer, read the books, misbehave on request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace
from types import MappingProxyType
from typing import ClassVar, Final

from prenopay._arguments import check_arguments, refuse_misuse
from prenopay.testing.callbacks import Callback, CallbackAddresses
from prenopay.testing.clock import VirtualClock
from prenopay.testing.control import CONTROL_PREFIX
from prenopay.testing.emulators.control_page import Listed
from prenopay.testing.emulators.gateway import EmulatedGateway, told_preset
from prenopay.testing.emulators.swedbankpay.api import CALLS, Api, describe_call
from prenopay.testing.emulators.swedbankpay.behaviour import AWKWARD, LENIENCIES, LENIENT, Behaviour
from prenopay.testing.emulators.swedbankpay.cards import INSTRUMENTS
from prenopay.testing.emulators.swedbankpay.documents import Hosts, notify
from prenopay.testing.emulators.swedbankpay.orders import (
    DEFAULT_ACCESS_TOKEN,
    DEFAULT_PAYEE_ID,
    Merchant,
    Status,
    TokenRecord,
)
from prenopay.testing.emulators.swedbankpay.page import Pages
from prenopay.testing.emulators.swedbankpay.payer import Payer, PayerResult
from prenopay.testing.emulators.swedbankpay.register import (
    PAGE_PATH,
    ChargeRecord,
    OrderRecord,
    Register,
    Totals,
    charge_of,
    describe,
    listed,
    record_of,
)
from prenopay.testing.emulators.swedbankpay.tokens import TokenKeeper
from prenopay.testing.http import EmulatorAnswer, EmulatorRequest, JsonObject
from prenopay.testing.server import Served, serve, serve_until_interrupted

_WELCOME: Final = f"""\
An emulated Swedbank Pay answers at {{url}} until you press Ctrl-C. No money moves.

  base_url      {{url}}
  payee_id      {{payee_id}}
  access_token  {{access_token}}

{{takes}}

Control it (orders, faults, clock, callbacks) at {{url}}{CONTROL_PREFIX}"""


@check_arguments(refuse_misuse, any_text=True)
class SwedbankPayEmulator(Payer, TokenKeeper, EmulatedGateway[Behaviour]):
    """Swedbank Pay's payment orders (Checkout v3, API 3.1, and what is needed of 3.0 and 2.0).

    One synchronous, thread-safe object. Orders are named by their id, by the address of their payment
    page, or by the ``payeeReference`` they were made with.
    """

    presets: ClassVar[Mapping[str, Behaviour]] = MappingProxyType(
        {"strict": Behaviour(), "lenient": LENIENT, "awkward": AWKWARD}
    )
    """Behaviours that have a name on the command line."""

    def __init__(
        self,
        *,
        payee_id: str = DEFAULT_PAYEE_ID,
        access_token: str = DEFAULT_ACCESS_TOKEN,
        merchants: Iterable[Merchant] = (),
        api_host: str = "api.externalintegration.payex.com",
        page_host: str = "ecom.externalintegration.payex.com",
        clock: VirtualClock | None = None,
        seed: int | None = None,
        behaviour: Behaviour | None = None,
    ) -> None:
        """Serve one merchant, or those in ``merchants`` instead; ``seed`` makes every id and number the same again."""
        one = Merchant(payee_id=payee_id, access_token=access_token)
        self.merchants: tuple[Merchant, ...] = tuple(merchants) or (one,)
        behaviour = behaviour or Behaviour()
        self._register = Register(clock=clock, merchants=self.merchants, behaviour=behaviour, seed=seed)
        self._hosts = Hosts(api=api_host, page=page_host)
        self._api = Api(self._register, self._hosts)
        self._pages = Pages(self._register, self)
        super().__init__(self._register, calls=CALLS)

    @classmethod
    def serve_forever(
        cls, *, port: int, preset: str = "strict", seed: int | None = None, as_json: bool = False
    ) -> None:
        """Serve one merchant in real time until Ctrl-C; says on standard output how to reach it.

        ``preset`` is one of ``presets``: how it behaves. It keeps nothing, and without a ``seed`` its ids are others
        at every start: a payment of an earlier start is not found.
        """
        behaviour = replace(cls.presets[preset], callback_addresses=CallbackAddresses.LOCAL)
        how = {"preset": preset, "takes": told_preset(preset, behaviour.takes, LENIENCIES)}

        def tell(served: Served) -> dict[str, str]:
            return {"url": served.url, "payee_id": DEFAULT_PAYEE_ID, "access_token": DEFAULT_ACCESS_TOKEN, **how}

        emulator = cls(clock=VirtualClock(real_time=True), behaviour=behaviour, seed=seed)
        serve_until_interrupted(serve(emulator, port=port), tell, _WELCOME, as_json=as_json)

    @property
    def mounts(self) -> dict[str, SwedbankPayEmulator]:
        """The hosts it answers for, as ``EmulatorSender`` wants them."""
        return dict.fromkeys(sorted(self._hosts.all()), self)

    def unlock(self, order: str) -> None:
        """Open an order that too many failures locked, as support would."""
        with self._register.lock:
            found = self._register.find(order)
            found.is_locked = False
            found.failures_in_a_row.clear()

    # What tests read

    @property
    def orders(self) -> tuple[OrderRecord, ...]:
        """Every order as it is now, in the order of creation."""
        with self._register.lock:
            self._register.settle()
            return tuple(record_of(self._register, order) for order in self._register.orders.values())

    def order(self, order: str) -> OrderRecord:
        """Return one order as it is now."""
        with self._register.lock:
            return record_of(self._register, self._register.find(order))

    def charges(self) -> tuple[ChargeRecord, ...]:
        """Return every charge of a token that was tried, declined ones too, in order."""
        with self._register.lock:
            self._register.settle()
            found = (charge_of(order) for order in self._register.orders.values())
            return tuple(charge for charge in found if charge is not None)

    def tokens(self, payer_reference: str = "") -> tuple[TokenRecord, ...]:
        """Return everything stored for a payer (for everybody, without one), ended tokens too, in order."""
        with self._register.lock:
            stored = self._register.vault
            return tuple(each for each in stored if payer_reference in {"", each.payer_reference})

    def books(self) -> dict[str, Totals]:
        """Return what each order's movements add up to, by order id."""
        return {record.id: record.totals for record in self.orders}

    # What every emulator has

    @property
    def title(self) -> str:
        """The gateway's name."""
        return "Swedbank Pay"

    def listed(self) -> list[Listed]:
        """Return every order for the control page."""
        return [listed(record) for record in self.orders]

    def describe_orders(self) -> list[JsonObject]:
        """Return every order as JSON, for the control API."""
        return [describe(record) for record in self.orders]

    def describe_order(self, order: str) -> JsonObject:
        """Return one order as JSON, for the control API."""
        return describe(self.order(order))

    def payer_actions(self) -> Mapping[str, Callable[..., object]]:
        """Return what a payer can do through the control API."""
        pays = (self.pay_by_card, self.pay_by_stored, self.pay_by_swish, self.pay_by)
        acts = (self.approve, self.decline, *pays, self.settle_trustly, self.answer, self.cancel, self.walk_away)
        return {act.__name__: act for act in acts}

    def _named(self, request: EmulatorRequest) -> tuple[str, str]:
        return describe_call(request)

    def _answer(self, request: EmulatorRequest) -> EmulatorAnswer:
        side = self._pages if request.path.startswith(PAGE_PATH) else self._api
        return side.answer(request)

    def _forged(self, order: str, naming: str) -> Callback | None:
        found, instrument = self._register.find(order), next(iter(INSTRUMENTS.values()))
        return notify(self._register, found, instrument, self._register.new_number(), naming=naming)

    def _shown(self, order: str, result: object) -> JsonObject:
        shown = asdict(result if isinstance(result, PayerResult) else PayerResult(status=Status(str(result))))
        return {**shown, "next": shown.pop("next_url")}
