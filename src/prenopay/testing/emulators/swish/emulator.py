"""The emulated Swish as one object: handle a call, act as the payer, read the books, misbehave on request.

::

    with serve_swish(emulator) as served:
        print(served.api.url, served.phone.url)  # https://127.0.0.1:49152 http://127.0.0.1:49153
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import ClassVar, Final, TypeVar

from prenopay._arguments import check_arguments, checked_fields, refuse_misuse
from prenopay.testing.callbacks import Callback, CallbackAddresses, CallbackQueue, Post, posting_without_name
from prenopay.testing.clock import VirtualClock
from prenopay.testing.control import CONTROL_PREFIX
from prenopay.testing.emulators.control_page import Listed
from prenopay.testing.emulators.gateway import EmulatedGateway, told_preset
from prenopay.testing.emulators.swish.api import CALLS, QR_PATH, Api, describe_call
from prenopay.testing.emulators.swish.authority import SwishAuthority
from prenopay.testing.emulators.swish.behaviour import AWKWARD, LENIENCIES, LENIENT, MSS, Behaviour
from prenopay.testing.emulators.swish.documents import notify
from prenopay.testing.emulators.swish.keeping import KEPT_IN, kept_authority
from prenopay.testing.emulators.swish.page import Pages
from prenopay.testing.emulators.swish.payer import Payer
from prenopay.testing.emulators.swish.register import (
    PHONE_PATH,
    ChargeRecord,
    ConsentRecord,
    PaymentRecord,
    PayoutRecord,
    RefundRecord,
    Register,
    SwishMerchant,
    SwishPayer,
    Totals,
    charge_record,
    consent_record,
    describe,
    listed,
    payment_record,
    payout_record,
    refund_record,
)
from prenopay.testing.http import Emulator, EmulatorAnswer, EmulatorRequest, JsonObject, Outcome, Refused
from prenopay.testing.server import Served, serve, serve_until_interrupted

KeptT = TypeVar("KeptT")
RecordT = TypeVar("RecordT")

API_HOSTS: Final = ("cpc.getswish.net", "mss.cpc.getswish.net", "staging.getswish.pub.tds.tieto.com")
QR_HOSTS: Final = ("mpc.getswish.net",)
"""The sandbox draws its codes on the host of its API."""
_OPEN: Final = (PHONE_PATH, QR_PATH, CONTROL_PREFIX.rstrip("/"))
_MISDIRECTED: Final = 421
_HOME: Final = EmulatorAnswer(status=303, headers=(("location", PHONE_PATH),))
_WELCOME: Final = """\
An emulated Swish answers until you press Ctrl-C. No money moves.

  merchants (mutual TLS)  {url}
  the payer's phone       {phone}

{takes}

The merchant's files are in {folder}: the next start here uses them again.
For a prenopay.toml:

  [accounts.swish]
  provider = "swish"
  environment = "test"
  number = "{number}"
  base_url = "{url}"
  certificate = "file:{certificate}"
  private_key = "file:{private_key}"
  trust = "file:{trust}"

Control it (payments, faults, clock, callbacks) at {control}"""


@check_arguments(refuse_misuse, any_text=True)
class Presenting:
    """Calls as if with the certificate of one Swish number, without TLS."""

    def __init__(self, emulator: Emulator, number: str) -> None:
        """Call ``emulator`` as ``number``; empty for a caller without a certificate."""
        self._emulator = emulator
        self._number = number
        self.clock: VirtualClock = emulator.clock
        self.callbacks: CallbackQueue = emulator.callbacks

    def handle(self, request: EmulatorRequest) -> Outcome:
        """Act on one call."""
        return self._emulator.handle(replace(request, client_name=self._number))

    def settle(self) -> None:
        """Do what is due by now."""
        self._emulator.settle()


@check_arguments(refuse_misuse, any_text=True)
class PhoneFace(Presenting):
    """What needs no certificate: the phone's pages, QR codes, and the control API."""

    def handle(self, request: EmulatorRequest) -> Outcome:
        """Act on one call; what needs a certificate is served on another port."""
        if request.path == "/":
            return _HOME
        return self._emulator.handle(request) if request.path.startswith(_OPEN) else EmulatorAnswer(status=_MISDIRECTED)


@check_arguments(refuse_misuse, any_text=True)
class SwishEmulator(Payer, EmulatedGateway[Behaviour]):
    """Swish Handel: payment requests, refunds, payouts, QR codes, and recurring payments as an experiment.

    One synchronous, thread-safe object. Payments are named by their id, their token, the merchant's
    reference, or the address of their page on the phone.
    """

    presets: ClassVar[Mapping[str, Behaviour]] = MappingProxyType(
        {"strict": Behaviour(), "lenient": LENIENT, "mss": MSS, "awkward": AWKWARD}
    )
    """Behaviours that have a name on the command line."""

    def __init__(
        self,
        *,
        merchants: Iterable[SwishMerchant] = (),
        payers: Iterable[SwishPayer] = (),
        authority: SwishAuthority | None = None,
        clock: VirtualClock | None = None,
        seed: int | None = None,
        behaviour: Behaviour | None = None,
    ) -> None:
        """Serve the merchants, or one of its own; ``seed`` makes every reference and token the same again."""
        self.merchants: tuple[SwishMerchant, ...] = tuple(merchants) or (SwishMerchant(),)
        self._authority = authority
        behaviour = behaviour or Behaviour()
        self._register = Register(clock=clock, merchants=self.merchants, payers=payers, behaviour=behaviour, seed=seed)
        self._api = Api(self._register, lambda: self.authority)
        self._pages = Pages(self._register, self)
        super().__init__(self._register, calls=CALLS)

    @classmethod
    def serve_forever(
        cls, *, port: int, preset: str = "strict", seed: int | None = None, as_json: bool = False
    ) -> None:
        """Serve one merchant in real time until Ctrl-C; says on standard output how to reach it.

        ``preset`` is one of ``presets``: how it behaves. Callbacks may go to plain http on this machine.
        Certificate, key and trust stay in ``KEPT_IN``, so that a shop's settings fit the next start, too. Payments
        are not kept; without a ``seed`` their ids are others at every start. The phone is at the port after ``port``.
        """
        behaviour = replace(cls.presets[preset], callback_addresses=CallbackAddresses.LOCAL)
        how = {"preset": preset, "takes": told_preset(preset, behaviour.takes, LENIENCIES)}
        number = SwishMerchant().number
        authority, files = kept_authority(KEPT_IN, number)
        emulator = cls(authority=authority, clock=VirtualClock(real_time=True), behaviour=behaviour, seed=seed)

        def tell(served: ServedSwish) -> dict[str, str]:
            phone = served.phone.url
            where = {"url": served.api.url, "phone": f"{phone}{PHONE_PATH}", "control": f"{phone}{CONTROL_PREFIX}"}
            return {**where, "number": number, "folder": str(KEPT_IN.absolute()), **files, **how}

        serving = serve_swish(emulator, port=port, phone_port=port + 1 if port else 0)
        serve_until_interrupted(serving, tell, _WELCOME, as_json=as_json)

    @property
    def authority(self) -> SwishAuthority:
        """The authority whose certificates are accepted here; made when it is first needed."""
        with self._register.lock:
            if self._authority is None:
                self._authority = SwishAuthority()
            return self._authority

    @property
    def mounts(self) -> dict[str, Emulator]:
        """The hosts it answers for, as ``EmulatorSender`` wants them; the first merchant calls."""
        return self.mounts_for(self.merchants[0].number)

    def mounts_for(self, number: str) -> dict[str, Emulator]:
        """Return the hosts, with calls as if they presented the certificate of ``number``; empty for none."""
        return dict.fromkeys((*API_HOSTS, *QR_HOSTS), Presenting(self, number))

    @property
    def phone(self) -> PhoneFace:
        """Its pages, QR codes and control API alone: what is served without client certificates."""
        return PhoneFace(self, "")

    # What banks and Swish's people do

    def fail_next_charge(self, code: str = "RF07") -> None:
        """End the next charge on a consent with ``code``, once."""
        self._register.next_charge_code = code

    def enrol(self, *members: SwishMerchant | SwishPayer) -> None:
        """Add merchants and payers, or change what is known of them."""
        with self._register.lock:
            for member in members:
                if isinstance(member, SwishMerchant):
                    self._register.merchants[member.number] = member
                else:
                    self._register.payers[member.msisdn] = member

    def hand_on(self, msisdn: str) -> None:
        """Give a phone number to somebody else: older payments cannot be refunded to it (RF06)."""
        self._register.handed_on[msisdn] = self.clock.now()

    # What tests read

    @property
    def payments(self) -> tuple[PaymentRecord, ...]:
        """Every payment request as it is now, in the order of creation."""
        return self._records(payment_record, self._register.payments)

    @property
    def refunds(self) -> tuple[RefundRecord, ...]:
        """Every refund."""
        return self._records(refund_record, self._register.refunds)

    @property
    def payouts(self) -> tuple[PayoutRecord, ...]:
        """Every payout."""
        return self._records(payout_record, self._register.payouts)

    @property
    def consents(self) -> tuple[ConsentRecord, ...]:
        """Every standing consent."""
        return self._records(consent_record, self._register.consents)

    @property
    def charges(self) -> tuple[ChargeRecord, ...]:
        """Every charge on a consent; one that is paid is among ``payments`` too, and is refunded there."""
        return self._records(charge_record, self._register.charges)

    def payment(self, payment: str) -> PaymentRecord:
        """Return one payment request as it is now."""
        with self._register.lock:
            return payment_record(self._register.find(payment))

    def books(self) -> dict[str, Totals]:
        """Return what each payment comes to, by id."""
        return {record.id: record.totals for record in self.payments}

    def _records(self, record: Callable[[KeptT], RecordT], kept: Mapping[str, KeptT]) -> tuple[RecordT, ...]:
        with self._register.lock:
            self._register.settle()
            return tuple(map(record, kept.values()))

    # What every emulator has

    @property
    def title(self) -> str:
        """The gateway's name."""
        return "Swish"

    def listed(self) -> list[Listed]:
        """Return every payment request for the control page."""
        return [listed(record) for record in self.payments]

    def describe_orders(self) -> list[JsonObject]:
        """Return every payment request as JSON, for the control API."""
        return [describe(record) for record in self.payments]

    def describe_order(self, order: str) -> JsonObject:
        """Return one payment request as JSON, for the control API."""
        return describe(self.payment(order))

    def payer_actions(self) -> Mapping[str, Callable[..., object]]:
        """Return what a payer can do through the control API."""
        consents = (self.sign_consent, self.refuse_consent, self.revoke_consent)
        return {act.__name__: act for act in (self.scan, self.approve, self.decline, self.fail, *consents)}

    def _named(self, request: EmulatorRequest) -> tuple[str, str]:
        return describe_call(request)

    def _kept_out(self, request: EmulatorRequest) -> Outcome | None:
        """Refuse the connection of a caller without a certificate."""
        is_let_in = request.client_name or request.path.startswith((PHONE_PATH, QR_PATH))
        return None if is_let_in else Refused()

    def _answer(self, request: EmulatorRequest) -> EmulatorAnswer:
        side = self._pages if request.path.startswith(PHONE_PATH) else self._api
        return side.answer(request)

    def _forged(self, order: str, naming: str) -> Callback | None:
        return notify(self._register, self._register.find_any(order), naming=naming)

    def _shown(self, order: str, result: object) -> JsonObject:
        if isinstance(result, PaymentRecord):
            return describe(result)
        return {"failed": order} if result is None else {"status": result}


@dataclass(frozen=True, slots=True, kw_only=True)
@checked_fields
class ServedSwish:
    """Where merchants call, and where the phone's pages, QR codes and the control API are."""

    api: Served
    phone: Served


@check_arguments(refuse_misuse, any_text=True)
@contextmanager
def serve_swish(
    emulator: SwishEmulator,
    *,
    port: int = 0,
    phone_port: int = 0,
    host: str = "127.0.0.1",
    deliver_callbacks: bool = True,
    callback_trust: ssl.SSLContext | None = None,
    most: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2,
) -> Generator[ServedSwish, None, None]:
    """Serve mutual TLS for merchants and a plain port for the payer's phone, until the block ends.

    Callbacks go out over https without a server name, as Swish's do, to hosts that ``callback_trust``
    trusts (by default, the well-known authorities).
    """
    tls = emulator.authority.server_tls(hosts=sorted({host, "localhost", "127.0.0.1"}), most=most)
    post: Post = posting_without_name(callback_trust or ssl.create_default_context())
    with (
        serve(emulator, port=port, host=host, tls=tls, deliver_callbacks=deliver_callbacks, post=post) as api,
        serve(emulator.phone, port=phone_port, host=host, deliver_callbacks=False) as phone,
    ):
        yield ServedSwish(api=api, phone=phone)
