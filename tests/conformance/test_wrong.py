"""Every rule of the suite can fail: for each there is a provider that breaks it, and the rule sees that."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from prenopay.errors import Conflict
from prenopay.testing.conformance import ProviderSuite
from prenopay.testing.databases import empty_sqlite
from prenopay.testing.emulators.swedbankpay.gateway import SwedbankPayGateway
from prenopay.testing.faults import FaultKind
from prenopay.testing.mock import MockGateway
from prenopay.testing.mock.provider import _reply
from tests.conformance.wrong import changing, foreign, taking, telling
from tests.conformance.wrong.building import MakeGateway, at_mock, at_swedbankpay, at_swish, with_config, with_core

LOST = {"fault": FaultKind.DROP_AFTER}
NEVER = {"fault": FaultKind.DROP_BEFORE}
BELIEVING = with_core("prenopay.testing.mock.provider._is_foreign", lambda *_: False)
TAKING_A_STATUS_FOR_PROOF = with_core("prenopay.books.outcomes._is_stated", lambda _: True)


@dataclass(frozen=True)
class Wrong:
    """A gateway with something wrong in it; ``sees`` is what the failing rule raises."""

    gateway: MakeGateway
    named: dict[str, Any] = field(default_factory=dict)
    sees: type[Exception] = AssertionError


WRONG: dict[str, Wrong] = {
    # Taking
    "test_an_order_becomes_payable_and_is_paid": Wrong(at_mock(taking.SeesNoMoney)),
    "test_every_currency_that_is_declared_is_taken": Wrong(at_mock(taking.SeesOnlyKronor)),
    "test_what_cannot_be_expressed_is_refused_before_anything_is_sent": Wrong(at_mock(taking.ChecksNothing)),
    "test_a_name_that_is_taken_comes_back_as_it_was_sent": Wrong(
        with_core("prenopay.values.orders.name_flaw", lambda _: "")
    ),
    "test_the_same_operation_id_is_one_payment": Wrong(at_mock(taking.MakesTwo)),
    "test_two_operation_ids_are_two_payments": Wrong(at_mock(taking.SeesTheFirstAlways)),
    "test_the_same_id_for_another_order_is_refused": Wrong(
        with_core("prenopay.books.codec.digest", lambda *_: "always the same")
    ),
    "test_references_are_what_the_account_declares": Wrong(at_mock(taking.SeesAnotherReference)),
    "test_an_observation_adds_up": Wrong(at_mock(taking.SeesEachTimeSomethingElse)),
    "test_an_observation_keeps_the_answer": Wrong(at_mock(taking.KeepsNoAnswer)),
    "test_a_decline_is_a_result_with_advice": Wrong(at_mock(taking.SeesNoDeclines)),
    "test_a_payment_that_nobody_pays_ends": Wrong(at_mock(taking.NeverCloses)),
    "test_the_sweep_schedule_is_sane": Wrong(at_mock(taking.NeverLooksAgain)),
    # Changing
    "test_a_capture_takes_all_that_is_reserved": Wrong(at_mock(changing.ClaimsAll)),
    "test_captures_in_parts_add_up": Wrong(at_mock(changing.TakesAndGivesAll)),
    "test_the_same_capture_is_made_once": Wrong(at_mock(changing.DoesTwice)),
    "test_a_refund_gives_all_back": Wrong(at_mock(changing.GivesHalf)),
    "test_refunds_in_parts_add_up": Wrong(at_mock(changing.GivesHalf)),
    "test_no_more_is_given_back_than_was_taken": Wrong(at_mock(changing.TakesAndGivesAll)),
    "test_the_same_refund_is_made_once": Wrong(at_mock(changing.DoesTwice)),
    "test_a_cancelled_page_cannot_be_paid": Wrong(at_mock(changing.ClaimsAll)),
    "test_a_cancel_that_comes_too_late_is_no_success": Wrong(at_swish(changing.CancelsWhatIsPaid)),
    "test_what_was_taken_cannot_be_cancelled": Wrong(at_swedbankpay(changing.CancelsWhatIsTaken)),
    "test_a_cancel_releases_what_is_reserved": Wrong(at_mock(changing.ClaimsAll)),
    "test_an_update_changes_what_is_paid": Wrong(at_mock(changing.ClaimsAll)),
    "test_what_cannot_be_done_says_what_to_do_instead": Wrong(at_swish(changing.SaysNothingInstead)),
    # The portal
    "test_money_given_back_in_the_portal_is_found": Wrong(
        with_core("prenopay.payments.observing.next_look", changing.never_again)
    ),
    "test_a_refund_after_one_in_the_portal_is_asked_for_again": Wrong(
        with_core("prenopay.payments.changing._look_first", changing.gives_back_unseen)
    ),
    "test_a_lost_refund_that_staff_made_instead_is_not_sent_again": Wrong(
        with_core("prenopay.payments.changing._look_first", changing.gives_back_unseen)
    ),
    "test_money_taken_or_released_in_the_portal_is_found": Wrong(
        with_core("prenopay.payments.observing.next_look", changing.never_again)
    ),
    "test_money_that_stays_reserved_is_flagged_once": Wrong(
        with_core("prenopay.payments.observing.left_since", changing.never_again)
    ),
    # Lost answers
    "test_a_create_without_an_answer_ends_in_one_payment": Wrong(at_mock(changing.CallsItRefused), LOST),
    "test_a_capture_without_an_answer_takes_the_money_once": Wrong(at_mock(changing.ForgetsItsReference), LOST),
    "test_a_refund_without_an_answer_gives_back_once": Wrong(
        at_mock(changing.ForgetsItsReference), LOST, sees=Conflict
    ),
    "test_a_cancel_without_an_answer_is_found_out": Wrong(at_mock(changing.CallsItRefused), LOST),
    "test_resolve_finds_out": Wrong(at_mock(changing.NeverLooks), NEVER),
    "test_the_sweep_finds_out": Wrong(at_mock(changing.NeverLooks), NEVER),
    "test_while_nothing_can_be_seen_nothing_is_called_settled": Wrong(
        with_core("prenopay.books.outcomes.leaves_open", changing.proves_all)
    ),
    "test_what_did_not_leave_is_not_attempted": Wrong(at_mock(changing.TakesItForARefusal)),
    "test_a_refund_that_a_person_freed_is_made_once": Wrong(at_mock(changing.ForgetsItsReference), LOST, sees=Conflict),
    "test_a_declined_charge_that_a_person_freed_does_not_stay_unknown": Wrong(at_mock(changing.IsNeverSure), NEVER),
    "test_a_payout_that_a_person_freed_is_sent_once": Wrong(at_mock(changing.ForgetsItsReference), LOST),
    "test_the_deadline_is_kept": Wrong(at_swedbankpay(changing.TakesTimeForNothing)),
    # Callbacks
    "test_a_callback_alone_is_enough": Wrong(at_mock(telling.GivesNoAddress)),
    "test_a_callback_that_comes_again_changes_nothing": Wrong(at_mock(taking.SeesAFeeThatGrows)),
    "test_a_callback_that_comes_early_changes_nothing": Wrong(at_mock(telling.BelievesCallbacks)),
    "test_a_callback_that_comes_late_changes_nothing": Wrong(at_mock(telling.HearsOnce)),
    "test_a_forged_address_is_refused_before_any_work": Wrong(
        with_core("prenopay.values.callbacks.CallbackUrls.verify", telling.takes_any_address)
    ),
    "test_a_callback_of_another_account_touches_nothing": Wrong(
        with_core("prenopay.values.callbacks.CallbackUrls.verify", telling.takes_any_account)
    ),
    "test_nonsense_in_a_body_harms_nothing": Wrong(at_mock(telling.ReadsWithoutCare), sees=ValueError),
    "test_a_callback_that_names_another_payment_changes_neither": Wrong(at_mock(telling.HearsNoNames)),
    "test_the_sweep_finds_what_no_callback_told": Wrong(at_mock(taking.NeverLooksAgain)),
    "test_everything_is_told_once_and_in_order": Wrong(at_mock(taking.SeesAFeeThatGrows)),
    # Stored methods and payouts
    "test_a_method_is_stored": Wrong(at_mock(taking.SeesNoMethods)),
    "test_a_consent_to_the_last_day_of_the_calendar_keeps_no_money_back": Wrong(
        with_core("prenopay.mandates.aging.end_of", lambda day, _zone: day + timedelta(days=1)), sees=OverflowError
    ),
    "test_a_charge_takes_the_money_once": Wrong(at_mock(changing.DoesTwice)),
    "test_a_charge_without_an_answer_is_one_movement_at_most": Wrong(at_mock(changing.ForgetsItsReference), LOST),
    "test_a_declined_charge_is_a_result_with_advice": Wrong(at_mock(changing.DeclinesWithoutAWord)),
    "test_a_removed_method_is_gone_at_the_gateway_too": Wrong(at_mock(changing.KeepsMethods)),
    "test_a_payout_is_sent_once": Wrong(at_mock(changing.DoesTwice)),
    "test_a_payout_without_an_answer_is_sent_once": Wrong(at_mock(changing.ForgetsItsReference), LOST),
    # What is not ours, and who did not say it
    "test_a_payment_of_another_system_is_not_ours": Wrong(BELIEVING, {"fault": FaultKind.REFUSE, "less": 0}),
    "test_a_refund_of_another_system_is_not_ours": Wrong(
        at_mock(foreign.TakesAnyRefundForOurs), {"fault": FaultKind.REFUSE, "of_ours": True}
    ),
    "test_a_payout_of_another_system_is_not_ours": Wrong(
        with_core("prenopay.testing.mock.provider._paid_out", lambda made, *_, **__: _reply(made)),
        {"fault": FaultKind.REFUSE, "more": 0},
    ),
    "test_a_charge_of_another_system_is_not_ours": Wrong(
        at_mock(foreign.TakesAnyChargeForOurs), {"fault": FaultKind.REFUSE}
    ),
    "test_an_answer_about_another_payment_changes_nothing": Wrong(
        with_core("prenopay.payments.observing.why_foreign", lambda *_, **__: "")
    ),
    "test_a_change_is_not_made_to_another_payment": Wrong(at_swedbankpay(foreign.ActsOnWhatComes)),
    "test_a_page_elsewhere_is_not_offered": Wrong(with_core("prenopay.payments.creating.strange_page", lambda *_: "")),
    "test_a_status_alone_proves_nothing_about_a_refund": Wrong(TAKING_A_STATUS_FOR_PROOF),
    "test_a_status_alone_proves_nothing_about_a_capture": Wrong(TAKING_A_STATUS_FOR_PROOF),
    "test_a_status_alone_proves_nothing_about_a_create": Wrong(TAKING_A_STATUS_FOR_PROOF),
    "test_a_status_alone_proves_nothing_about_a_charge": Wrong(at_mock(foreign.GivesChargesUp)),
    "test_a_status_alone_proves_nothing_about_a_payout": Wrong(at_mock(foreign.TakesAnyRefusalForADecline)),
    "test_a_look_that_fails_proves_nothing_about_a_refund": Wrong(at_swedbankpay(foreign.TakesAnyLookForAStatement)),
    # Secrets
    "test_logs_show_nothing_secret": Wrong(at_swedbankpay(telling.TalksOfItsToken)),
    "test_values_and_events_show_nothing_secret": Wrong(at_swedbankpay(telling.ShowsItsToken)),
    "test_each_text_may_hold_anything": Wrong(with_core("prenopay._redaction._secrets", lambda _: iter(()))),
    "test_errors_show_nothing_secret": Wrong(at_swedbankpay(telling.ComplainsWithItsToken)),
    "test_frames_of_errors_show_nothing_secret": Wrong(at_swedbankpay(telling.KeepsAnAddressInSight)),
    "test_frames_of_use_cases_show_nothing_secret": Wrong(at_swedbankpay(telling.KeepsAnAddressInSight)),
    "test_the_database_holds_no_credentials": Wrong(at_swedbankpay(telling.KeepsItsToken)),
    "test_the_database_holds_no_token": Wrong(at_mock(telling.NamesMethodsByToken)),
    "test_an_erased_payer_is_gone": Wrong(at_mock(taking.ShowsTheEmail)),
    # Values
    "test_values_can_be_pickled": Wrong(at_mock(taking.SeesWhatIsNotEvenItself)),
    "test_the_config_is_a_value": Wrong(with_config(__eq__=telling.equals_nothing, __hash__=None)),
    "test_the_provider_says_who_it_is": Wrong(at_mock(taking.HasACapitalName)),
    "test_requests_go_to_the_declared_hosts_only": Wrong(at_swedbankpay(telling.HasNoLabels)),
    "test_a_probe_finds_all_well_and_changes_nothing": Wrong(at_mock(taking.ProbesNothing)),
    "test_a_probe_finds_what_is_wrong": Wrong(at_swedbankpay(telling.FindsAllWell)),
    # Answers
    "test_members_that_nobody_knows_are_let_be": Wrong(at_swedbankpay(telling.MindsWhatIsNew)),
    "test_a_status_that_nobody_knows_ends_nothing": Wrong(at_swedbankpay(telling.EndsWhatItDoesNotKnow)),
    "test_a_code_that_nobody_knows_settles_nothing": Wrong(at_swish(foreign.TakesAnyCodeForADecline)),
    "test_a_charge_refused_with_a_code_that_nobody_knows_stays_open": Wrong(
        at_mock(foreign.TakesWhatItCannotReadForADecline)
    ),
    "test_an_answer_that_cannot_be_read_is_not_believed": Wrong(at_swedbankpay(telling.RemembersInstead)),
    "test_an_answer_nested_to_any_depth_is_read_or_refused": Wrong(
        at_swedbankpay(telling.ReadsToAnyDepth), sees=RecursionError
    ),
    "test_a_refusal_is_an_error_and_a_failure_leaves_it_open": Wrong(at_swedbankpay(telling.TakesFailureForRefusal)),
    "test_a_request_that_is_wrong_is_rejected": Wrong(at_swedbankpay(telling.TakesAMistakeForFailure)),
    "test_credentials_that_are_refused_are_unauthenticated": Wrong(
        at_swedbankpay(telling.TakesBadCredentialsForFailure)
    ),
    "test_a_conflict_is_told_as_one": Wrong(at_swedbankpay(telling.TakesConflictForAMistake)),
    "test_too_many_requests_say_how_long_to_wait": Wrong(at_swedbankpay(telling.DoesNotSayHowLong)),
    "test_inspect_makes_up_no_reading": Wrong(with_config(inspect=staticmethod(telling.reads_anything))),
    "test_inspect_reads_what_observe_reads": Wrong(
        with_config(SwedbankPayGateway, inspect=staticmethod(telling.reads_anything))
    ),
}
ABOUT_THE_SUITE = "test_what_does_not_apply_is_listed"


def suite_in(make: MakeGateway) -> ProviderSuite:
    suite: type[ProviderSuite] = type("Suite", (ProviderSuite,), {"gateway": staticmethod(make)})
    return suite()


@pytest.mark.wrong_on_purpose
@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_provider_is_seen(name: str) -> None:
    wrong = WRONG[name]
    suite = suite_in(wrong.gateway)
    rule = getattr(suite, name)
    try:
        with (
            empty_sqlite() as database,
            suite.staged_for(rule, database=database) as stage,
            pytest.raises(wrong.sees),
        ):
            rule(stage, **wrong.named)
    except pytest.skip.Exception as skipped:
        pytest.fail(f"the rule does not apply to the wrong provider: {skipped}")


def test_every_rule_has_a_wrong_provider() -> None:
    rules = {name for name in dir(ProviderSuite) if name.startswith("test_")}
    assert rules - {ABOUT_THE_SUITE} == WRONG.keys()


def test_a_rule_that_says_nothing_is_seen() -> None:
    class Silent(ProviderSuite):
        gateway = MockGateway

        def test_something(self) -> None:
            pass

    with pytest.raises(AssertionError):
        getattr(Silent(), ABOUT_THE_SUITE)()
