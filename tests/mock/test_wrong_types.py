"""A wrong type is refused at the door, in both colours: the error names argument and fix, and nothing is done."""

from __future__ import annotations

import inspect
from datetime import UTC, date, datetime
from typing import Any, cast, get_type_hints

import pytest

from prenopay import (
    Accounts,
    AsyncAccounts,
    CallbackRequest,
    CaptureMode,
    OrderLine,
    Payer,
    PayoutOrder,
    Secret,
)
from prenopay.errors import ConfigurationError, Conflict, InvalidOrder, PrenopayError
from prenopay.mandates.use_cases import AsyncMandates
from prenopay.payments.use_cases import AsyncPayments
from prenopay.providers.swedbankpay import SwedbankPay
from prenopay.values.mandates import MandateKind, StoreMethod
from prenopay.web import asgi, wsgi
from tests.behaviour.shop import CONSENT, an_order, sek
from tests.mock.conftest import Shop

KEY = "a-key-for-the-tests-that-is-long-enough"


class _Other:
    """A value that no argument takes."""


def _arguments() -> list[Any]:
    found = []
    for owner in (AsyncPayments, AsyncMandates):
        for name, member in vars(owner).items():
            if name.startswith("_") or not inspect.iscoroutinefunction(member):
                continue
            given = [each for each in inspect.signature(member).parameters if each != "self"]
            found += [pytest.param(owner, name, each, id=f"{name}-{each}") for each in given]
    return found


@pytest.mark.parametrize(("owner", "name", "argument"), _arguments())
def test_every_argument_of_every_use_case_is_checked(owner: type, name: str, argument: str) -> None:
    """A use case that reads no account yet cannot have done anything: there is none."""
    member, use_cases = getattr(owner, name), cast("Any", object.__new__(owner))
    signature = inspect.signature(member)
    fits = {"str": "text-1", "Money": sek(100)}
    hints = get_type_hints(member)
    given = {
        each: _a_value(hints[each], fits)
        for each, stated in signature.parameters.items()
        if each != "self" and stated.default is inspect.Parameter.empty
    }
    with pytest.raises(InvalidOrder, match=rf"^{argument}: must be .*[,;] not _Other") as caught:
        member(use_cases, **(given | {argument: _Other()})).send(None)
    assert caught.value.field == argument


def _a_value(kind: Any, fits: dict[str, Any]) -> Any:
    if getattr(kind, "__name__", "") == "Order":
        return an_order()
    if getattr(kind, "__name__", "") == "PayoutOrder":
        return PayoutOrder(amount=sek(100), payee_phone="46700000000", reference="P1")
    return fits.get(getattr(kind, "__name__", ""), "text-1")


def test_a_number_is_no_amount(shop: Shop) -> None:
    paid = shop.paid()

    with pytest.raises(InvalidOrder, match=r"^amount: must be Money in minor units, such as Money\(14900.*int"):
        shop.payments.refund(paid.payment_id, 5000, operation_id="refund:1")
    assert not shop.payments.get(paid.payment_id).refunded


def test_a_payment_where_its_id_is_wanted_says_so(shop: Shop) -> None:
    paid = shop.paid()

    with pytest.raises(InvalidOrder, match=r"^payment_id: must be a text .*, not Payment: pass its \.payment_id$"):
        shop.payments.observe(paid)


def test_what_means_one_thing_is_taken(shop: Shop) -> None:
    payment = shop.payments.create(
        an_order(capture="automatic", lines=[OrderLine(name="A", amount=sek(11900), vat_percent=6)]), operation_id="o:1"
    )

    assert shop.payments.order(payment.payment_id).capture is CaptureMode.AUTOMATIC
    assert isinstance(shop.payments.order(payment.payment_id).lines, tuple)
    assert [each.payment_id for each in shop.payments.find(state="pending")] == [payment.payment_id]
    with pytest.raises(InvalidOrder, match=r"^state: must be PaymentState: one of .*captured.*; not 'paid'"):
        shop.payments.find(state="paid")


def test_a_period_that_is_a_date_is_refused_without_a_word_of_sql(shop: Shop) -> None:
    with pytest.raises(InvalidOrder, match=r"^period: must be a text \(str\), not date$"):
        shop.payments.charge("man_1", sek(100), operation_id="c:1", description="x", period=date(2026, 11, 1))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("lines", OrderLine(name="A", amount=sek(11900), vat_percent=6)),
        ("lines", "a line"),
        ("capture", "later"),
        ("payer", {"reference": "R-1"}),
        ("payer", "R-1"),
        ("store", CONSENT),
        ("valid_for", 3600),
        ("return_url", None),
        ("paid_by_staff", "no"),
        ("instruments", "card"),
        ("metadata", [("a", 1)]),
        ("age_limit", True),
        ("vat", 100),
    ],
)
def test_a_field_of_an_order_of_another_type_is_refused(field: str, value: object) -> None:
    with pytest.raises(InvalidOrder, match=rf"^{field}: must be ") as caught:
        an_order(**{field: value})
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("kind", "given", "field"),
    [
        (Payer, {"reference": 7}, "payer.reference"),
        (Payer, {"billing_address": "Storgatan 1"}, "payer.billing_address"),
        (PayoutOrder, {"amount": 100, "payee_phone": "46700000000", "reference": "P1"}, "amount"),
        (PayoutOrder, {"amount": sek(100), "payee_phone": 46700000000, "reference": "P1"}, "payee_phone"),
        (StoreMethod, {"consent": "yes"}, "store.consent"),
        (StoreMethod, {"consent": CONSENT, "kinds": "unscheduled"}, "store.kinds"),
        (CallbackRequest, {"path": "/c", "body": "text"}, "body"),
    ],
)
def test_a_field_of_another_value_is_refused(kind: Any, given: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidOrder, match=rf"^{field}: must be ") as caught:
        kind(**given)
    assert caught.value.field == field


def test_a_consent_ends_on_a_day_and_not_at_a_time() -> None:
    given: dict[str, Any] = {"text_version": "t", "agreed_at": datetime(2026, 1, 2, tzinfo=UTC), "channel": "web"}
    with pytest.raises(InvalidOrder, match=r"^consent\.until: must be a date"):
        type(CONSENT)(**given, until=datetime(2026, 2, 2, tzinfo=UTC))


def test_a_call_to_create_without_an_order_is_refused(shop: Shop) -> None:
    with pytest.raises(InvalidOrder, match=r"^order: must be Order, not dict"):
        shop.payments.create({"amount": 1}, operation_id="o:1")


def test_settings_of_another_type_are_refused(shop: Shop) -> None:
    with pytest.raises(ConfigurationError, match=r"^config: must be ProviderConfig, not dict"):
        shop.accounts.add({"account": "a"})
    with pytest.raises(ConfigurationError, match=r"^config: must be an instance, such as SwedbankPay\(\.\.\.\), not"):
        shop.accounts.add(SwedbankPay)
    with pytest.raises(ConfigurationError, match=r"^limit: must be a whole number"):
        shop.accounts.sweep(limit="all")


@pytest.mark.parametrize("opened", [Accounts, AsyncAccounts])
@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"callback_keys": [7]}, r"callback_keys: \[0\] must be Secret"),
        ({"callback_keys": [""]}, r"callback_keys: \[0\] must not be empty"),
        ({"callback_keys": None}, "callback_keys:? must "),
        ({"callback_keys": None}, "callback_keys: must be a tuple or list"),
        ({"callback_url": None}, r"callback_url: must be a text \(str\), not None"),
        ({"callback_url": b"https://shop.example"}, "callback_url: must be a text"),
        ({"callback_url": "https://shop.example/c?key=1"}, "callback_url: must have no query"),
        ({"callback_url": "http://shop.example/c"}, "callback_url: must use https"),
        ({"token_keys": [7]}, r"token_keys: \[0\] must be Secret"),
        ({"token_keys": {"a": "b"}}, "token_keys: must be a tuple or list"),
        ({"database": 7}, "database: (must be a text|this is not a database URL)"),
        ({"on_event": "print"}, "on_event: must be a function"),
    ],
)
def test_opening_with_a_setting_of_another_type_says_which(opened: Any, changes: dict[str, Any], why: str) -> None:
    given: dict[str, Any] = {"callback_url": "https://shop.example/c", "callback_keys": [Secret(KEY)]}
    database = changes.get("database", "sqlite://")
    with pytest.raises(ConfigurationError, match=why):
        opened.open(database, **(given | {key: changes[key] for key in changes if key != "database"}))


def test_one_value_where_several_are_wanted_says_what_each_is_and_what_to_write() -> None:
    with pytest.raises(InvalidOrder, match=r"^instruments: must be a tuple or list: put the one there is into"):
        an_order(instruments="swish")
    with pytest.raises(
        InvalidOrder, match=r"^instruments: must be a tuple or list, each Instrument or a text \(str\), n"
    ):
        an_order(instruments=7)
    with pytest.raises(
        InvalidOrder, match=r"kinds: must be a tuple or list: put the one there is into a tuple, \(x,\)"
    ):
        StoreMethod(consent=CONSENT, kinds=MandateKind.ONE_CLICK)  # type: ignore[arg-type]  # what this is about


# The wrong colour


def _plain(_event: object) -> None: ...


async def _async(_event: object) -> None: ...


class _Methods:
    def plain(self, _event: object) -> None: ...


@pytest.mark.parametrize("handler", [_plain, _Methods().plain, [].append])
def test_async_accounts_refuse_a_plain_handler_at_once(handler: Any) -> None:
    with pytest.raises(ConfigurationError, match="on_event is a plain function"):
        AsyncAccounts.open("sqlite://", callback_url="https://shop.example/c", callback_keys=[KEY], on_event=handler)


def test_blocking_accounts_refuse_an_async_handler_at_once() -> None:
    handler: Any = _async
    with pytest.raises(ConfigurationError, match="on_event is async"):
        Accounts.open("sqlite://", callback_url="https://shop.example/c", callback_keys=[KEY], on_event=handler)


def test_a_callback_app_refuses_accounts_of_the_other_colour(shop: Shop) -> None:
    accounts = shop.accounts.target
    wrong, right = (wsgi, asgi) if isinstance(accounts, AsyncAccounts) else (asgi, wsgi)

    right.CallbackApp(accounts)
    with pytest.raises(ConfigurationError, match=r"^pass the .*app serves .*; prenopay.web.[aw]sgi has the app for"):
        wrong.CallbackApp(accounts)


@pytest.mark.parametrize("app", [wsgi.CallbackApp, asgi.CallbackApp])
def test_a_callback_app_refuses_what_is_no_accounts(app: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^pass the .*, not str; "):
        app("sqlite:///shop.db")


# What the errors know


def test_the_errors_of_a_call_know_what_it_named(shop: Shop) -> None:
    payment = shop.payments.create(an_order(), operation_id="o:1")

    for call in (shop.payments.refund, shop.payments.capture):
        with pytest.raises(PrenopayError) as caught:
            call(payment.payment_id, operation_id="x:1")
        assert isinstance(caught.value, Conflict)
        assert (caught.value.operation_id, caught.value.payment_id) == ("x:1", payment.payment_id)
