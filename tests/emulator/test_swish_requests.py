"""What Swish refuses, and with which code: every field, every call, every switch that changes it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from prenopay.testing.callbacks import CallbackAddresses
from prenopay.testing.emulators.swish import (
    MSS,
    Behaviour,
    Leniency,
    MessageSigns,
    ReferenceSigns,
    SwishEmulator,
    SwishMerchant,
    SwishPayer,
)
from prenopay.testing.http import Refused

from .addresses import PRIVATE
from .swish_calling import IDENTIFIER, PAYER, Shop

CHILD = "46701740607"
SUPPLIER = "9870000011"


def _shop(**behaviour: object) -> Shop:
    return Shop(SwishEmulator(behaviour=replace(Behaviour(), **behaviour)))  # type: ignore[arg-type]  # checked by the dataclass


def test_fields() -> None:
    cases: list[tuple[dict[str, object], str]] = [
        ({"amount": "100"}, ""),
        ({"amount": 100}, ""),
        ({"amount": 149.5}, ""),
        ({"amount": "0.01"}, ""),
        ({"amount": "999999999999.99"}, ""),
        ({"amount": "12,09"}, "PA02"),
        ({"amount": "100.777"}, "PA02"),
        ({"amount": "12.5"}, "PA02"),
        ({"amount": "-1.00"}, "PA02"),
        ({"amount": True}, "PA02"),
        ({"amount": "1e2"}, "PA02"),
        ({"amount": None}, "PA02"),
        ({"amount": "0.00"}, "AM06"),
        ({"amount": "1000000000000"}, "AM02"),
        ({"currency": "EUR"}, "AM03"),
        ({"currency": None}, "AM03"),
        ({"callbackUrl": None}, "RP03"),
        ({"callbackUrl": "http://shop.example/x"}, "RP03"),
        ({"callbackUrl": "https://"}, "RP03"),
        ({"callbackUrl": "https://shop.example:8443/x"}, "RP03"),
        ({"payeeAlias": None}, "RP01"),
        ({"payerAlias": PAYER}, ""),
        ({"payerAlias": "4670174060"}, ""),
        ({"payerAlias": "1234567"}, "BE18"),
        ({"payerAlias": "1234567890123456"}, "BE18"),
        ({"payerAlias": "+46701740606"}, "BE18"),
        ({"payerAlias": "0701740606"}, "BE18"),
        ({"payerAlias": ""}, "BE18"),
        ({"payeePaymentReference": "A" * 35}, ""),
        ({"payeePaymentReference": "A" * 36}, "FF08"),
        ({"payeePaymentReference": "a_b"}, "FF08"),
        ({"payeePaymentReference": None}, ""),
        ({"message": "x" * 50}, ""),
        ({"message": "x" * 51}, "RP02"),
        ({"message": "Åäö (1), 2: 3; 4. 5! 6?"}, ""),
        ({"message": "emoji \N{GRINNING FACE}"}, "RP02"),
        ({"message": None}, ""),
        ({"message": 5}, "RP02"),
        ({"ageLimit": "1"}, ""),
        ({"ageLimit": "99"}, ""),
        ({"ageLimit": "0"}, "PA01"),
        ({"ageLimit": "100"}, "PA01"),
        ({"payerSSN": "190001010000"}, ""),
        ({"payerSSN": "190001610000"}, ""),
        ({"payerSSN": "0001010000"}, "PA01"),
        ({"payerSSN": "190013010000"}, "PA01"),
        ({"callbackIdentifier": IDENTIFIER}, ""),
        ({"callbackIdentifier": "0123456-0123456-0123456-0123456-1234"}, ""),
        ({"callbackIdentifier": "short"}, "PA01"),
        ({"callbackIdentifier": None}, ""),
    ]
    for changes, code in cases:
        answer = Shop().create(**changes)
        if code:
            assert (answer.status, answer.codes) == (422, [code])
            assert set(answer.body[0]) == {"errorCode", "errorMessage", "additionalInformation"}
        else:
            assert answer.status == 201, answer


def test_an_answer_names_all_that_is_wrong_or_the_first() -> None:
    wrong = {"amount": "1,00", "currency": "EUR", "message": "x" * 51}
    assert Shop().create(**wrong).codes == ["PA02", "RP02", "AM03"]
    assert _shop(errors_listed="first").create(**wrong).codes == ["PA02"]


def test_switches_of_fields() -> None:
    local = CallbackAddresses.LOCAL
    cases: list[tuple[dict[str, object], dict[str, object], str]] = [
        ({"minimum_amount": Decimal(1)}, {"amount": "0.5"}, "AM06"),
        ({"minimum_amount": Decimal(1)}, {"amount": "0.99"}, "AM06"),
        ({"message_signs": MessageSigns.NARROW}, {"message": "10 % & 2 = 12 @ Å"}, "RP02"),
        ({"message_signs": MessageSigns.WIDE}, {"message": "10 % & 2 = 12 @ Å"}, ""),
        ({"message_signs": MessageSigns.NARROW}, {"message": "a-b"}, ""),
        ({"reference_signs": ReferenceSigns.DEVELOPER_SITE}, {"payeePaymentReference": "a_b.c+d*e/f"}, ""),
        ({"reference_signs": ReferenceSigns.DEVELOPER_SITE}, {"payeePaymentReference": "A" * 36}, ""),
        ({"reference_signs": ReferenceSigns.DEVELOPER_SITE}, {"payeePaymentReference": "A" * 37}, "FF08"),
        ({}, {"callbackUrl": "https://shop.example:8443/"}, "RP03"),
        ({}, {"callbackUrl": "https://shop.example:443/"}, ""),
        ({"callback_addresses": local}, {"callbackUrl": "http://127.0.0.1:8000/x"}, ""),
        ({"callback_addresses": local}, {"callbackUrl": "http://shop.example/x"}, "RP03"),
        ({"field_error_code": "VR01"}, {"ageLimit": "0"}, "VR01"),
        ({"takes": frozenset({Leniency.UNKNOWN_MEMBERS})}, {"payerSsn": "190001010000"}, ""),
    ]
    for url in PRIVATE:
        cases += [({}, {"callbackUrl": url}, "RP03"), ({"callback_addresses": local}, {"callbackUrl": url}, "")]
    for behaviour, changes, code in cases:
        answer = _shop(**behaviour).create(**changes)
        assert (answer.codes == [code]) if code else (answer.status == 201)


def test_a_refund_may_have_no_hyphen_where_the_guide_is_followed() -> None:
    shop = _shop(message_signs=MessageSigns.NARROW)
    assert shop.refund(shop.paid(), message="a-b").codes == ["RP02"]


def test_a_member_that_nobody_knows_is_refused_and_null_is_nothing() -> None:
    answer = Shop().create(payerSsn="190001010000")
    assert (answer.status, "payerSsn" in answer.body[0]["errorMessage"]) == (400, True)
    shop = Shop()
    body = {**shop.request(), "payerAlias": None, "whatever": None}
    assert shop.call("PUT", f"/swish-cpcapi/api/v2/paymentrequests/{shop.new_id()}", body).status == 201


def test_another_number_than_the_certificates_is_forbidden() -> None:
    cases: list[str] = ["9991181189", "1230000025", "123000001", "abc"]
    for number in cases:
        answer = Shop().create(payeeAlias=number)
        assert (answer.status, answer.codes) == (403, ["PA01"])
        assert answer.body[0]["additionalInformation"] == ""


def test_the_simulator_takes_any_good_number() -> None:
    shop = Shop(SwishEmulator(behaviour=MSS))
    assert shop.create(payeeAlias="1230000025").status == 201
    assert shop.create(payeeAlias="9991181189").status == 403


def test_a_malformed_body_is_400() -> None:
    cases: list[bytes] = [b"", b"{", b"[]", b'"x"', b"\xff", b'{"amount": NaN}', b"[" * 100_000]
    for body in cases:
        shop = Shop()
        assert shop.call("PUT", f"/swish-cpcapi/api/v2/paymentrequests/{shop.new_id()}", body).status == 400


def test_another_media_type_is_415_without_a_body() -> None:
    shop = Shop()
    path = f"/swish-cpcapi/api/v2/paymentrequests/{shop.new_id()}"
    answer = shop.call("PUT", path, shop.request(), media="text/plain")
    assert (answer.status, answer.body) == (415, b"")
    assert shop.call("PUT", path, shop.request(), media="application/json; charset=utf-8").status == 201
    assert shop.cancel(shop.created(), media="application/json").status == 415


def test_ids_are_upper_case() -> None:
    lower = "0123456789abcdef0123456789abcdef"
    assert Shop().create(lower).status == 400
    assert Shop().create("X" * 32).status == 400
    assert _shop(lower_case_ids=True).create(lower).status == 201


def test_an_id_is_taken_once() -> None:
    shop = Shop()
    first, again, other = shop.create("A" * 32), shop.create("A" * 32), shop.create("A" * 32, amount="5")
    assert (first.status, again.codes, other.codes) == (201, ["RP09"], ["RP09"])
    kind = _shop(identical_repeat="replay")
    assert kind.create("A" * 32) == kind.create("A" * 32)
    assert kind.create("A" * 32, amount="5").codes == ["RP09"]
    assert len(kind.emulator.payments) == 1


def test_a_refused_id_can_be_used_again() -> None:
    shop = Shop()
    assert shop.create("A" * 32, amount="x").status == 422
    assert shop.create("A" * 32).status == 201


def test_what_is_not_there_is_404() -> None:
    cases: list[tuple[str, str]] = [
        ("POST", "/swish-cpcapi/api/v1/paymentrequests"),
        ("PUT", "/swish-cpcapi/api/v1/refunds/A"),
        ("GET", "/swish-cpcapi/api/v2/paymentrequests/A"),
        ("GET", "/recurring/merchant/v1/nothing"),
        ("GET", "/qrg-swish/api/v1/commerce"),
    ]
    for method, path in cases:
        assert Shop().call(method, path).status == 404


def test_what_nobody_made_is_404_with_a_body_or_without() -> None:
    cases: list[str] = ["paymentrequests", "refunds", "payouts"]
    for kind in cases:
        answer = Shop().call("GET", f"/swish-cpcapi/api/v1/{kind}/{'A' * 32}")
        assert (answer.status, answer.codes) == (404, ["RP04"])
        empty = _shop(not_found_body=False).call("GET", f"/swish-cpcapi/api/v1/{kind}/{'A' * 32}")
        assert (empty.status, empty.body) == (404, b"")


def test_what_another_merchant_made_does_not_exist() -> None:
    emulator = SwishEmulator(merchants=[SwishMerchant(), SwishMerchant(number="1230000025")])
    mine, other = Shop(emulator), Shop(emulator, number="1230000025")
    payment = mine.created()
    assert other.call("GET", f"/swish-cpcapi/api/v1/paymentrequests/{payment}").status == 404
    assert other.cancel(payment).status == 404
    emulator.behaviour = MSS
    assert other.get(payment)["id"] == payment


def test_without_certificate_nothing_arrives_and_a_stranger_is_401() -> None:
    emulator = SwishEmulator()
    assert Shop(emulator, number="").send("GET", "/swish-cpcapi/api/v1/paymentrequests/A") == Refused()
    answer = Shop(emulator, number="1239999999").create()
    assert (answer.status, answer.body) == (401, b"")
    assert [seen.outcome for seen in emulator.transcript.seen] == ["refused", "401"]


def test_a_supplier_acts_for_those_who_named_it() -> None:
    supplier = SwishMerchant(number=SUPPLIER, acts_for=frozenset({"1230000017"}))
    emulator = SwishEmulator(merchants=[SwishMerchant(), SwishMerchant(number="1230000025"), supplier])
    shop = Shop(emulator, number=SUPPLIER)
    payment = shop.created(payeeAlias="1230000017")
    assert shop.get(payment)["payeeAlias"] == "1230000017"
    assert shop.create(payeeAlias="1230000025").status == 403
    emulator.enrol(replace(supplier, is_active=False))
    assert shop.create(payeeAlias="1230000017").codes == ["UNKW"]
    emulator.enrol(supplier, SwishMerchant(is_active=False))
    assert shop.create(payeeAlias="1230000017").codes == ["ACMT01"]
    assert Shop(emulator).create("A" * 32).codes == ["ACMT01"]


def test_payers_that_are_known() -> None:
    payers = [
        SwishPayer(msisdn=PAYER, ssn="190001010000"),
        SwishPayer(msisdn=CHILD, ssn="202001010000"),
        SwishPayer(msisdn="46701740608", is_enrolled=False),
    ]
    shop = Shop(SwishEmulator(payers=payers))
    assert shop.create(payerAlias="46701740608").codes == ["ACMT03"]
    assert shop.create(payerAlias=PAYER, payerSSN="190101010000").codes == ["VR02"]
    assert shop.create(payerAlias=CHILD, ageLimit="15").codes == ["VR01"]
    assert shop.create(payerAlias=PAYER, payerSSN="190001010000", ageLimit="18").status == 201
    late = shop.created(ageLimit="15")
    assert shop.emulator.approve(late, msisdn=CHILD).error_code == "VR01"
    late = shop.created(payerSSN="190101010000")
    assert shop.emulator.approve(late, msisdn=PAYER).error_code == "VR02"
    assert shop.emulator.approve(shop.created(), msisdn="46701740608").error_code == "ACMT03"


def test_one_open_request_per_payer() -> None:
    shop = Shop()
    first = shop.created(payerAlias=PAYER)
    assert shop.create(payerAlias=PAYER).codes == ["RP06"]
    assert shop.create().status == 201
    shop.cancel(first)
    assert shop.create(payerAlias=PAYER).status == 201
    simulator = Shop(SwishEmulator(behaviour=MSS))
    assert [simulator.create(payerAlias=PAYER).status for _ in range(2)] == [201, 201]


def test_any_other_patch_is_refused() -> None:
    cases: list[object] = [
        [{"op": "replace", "path": "/status", "value": "CANCELLED"}],
        [{"op": "replace", "path": "/amount", "value": "1"}],
        [],
        {"op": "replace", "path": "/status", "value": "cancelled"},
    ]
    for patch in cases:
        shop = Shop()
        payment = shop.created()
        answer = shop.cancel(payment, patch)
        assert (answer.status, answer.codes) == (422, ["PA01"])
        assert shop.get(payment)["status"] == "CREATED"


AT_ONCE = "FF08 RP03 BE18 RP01 PA02 AM06 AM02 AM03 RP02 RP04 RP09 ACMT03 ACMT01 ACMT07 UNKW".split()  # noqa: SIM905
REFUNDS = (
    "FF08 RP03 PA02 AM06 AM04 RF08 AM03 RP01 RP02 ACMT07 ACMT01 RF02 RF03 RF04 RF06 RF09 RP09 BE18 UNKW".split()  # noqa: SIM905
)


def test_messages_provoke_refusals_of_named_payers() -> None:
    cases: list[str] = [*AT_ONCE, "RP06", "VR01", "VR02"]
    for code in cases:
        answer = Shop().create(message=code, payerAlias=PAYER)
        assert (answer.status, answer.codes) == (422, [code])


def test_messages_provoke_refusals_of_requests_by_token() -> None:
    for code in AT_ONCE:
        assert Shop().create(message=code).codes == [code]


def test_messages_provoke_refusals_of_refunds() -> None:
    for code in REFUNDS:
        shop = Shop(SwishEmulator(behaviour=MSS))
        assert shop.refund("A" * 32, message=code).codes == [code]
        assert shop.refund("A" * 32, message="PA01").status == 403


def test_pa01_by_message_is_403_and_only_the_exact_code_counts() -> None:
    assert Shop().create(message="PA01").status == 403
    for message in ("RP02 order", "rp02", " RP02", "RF07", "AM21"):
        assert Shop().create(message=message).status == 201
    assert _shop(message_codes=False).create(message="RP02").status == 201
