"""Values: they can be pickled, shown and compared; a provider is what its config says."""

from __future__ import annotations

import pickle
from dataclasses import replace
from urllib.parse import urlsplit

from prenopay.errors import ConfigurationError
from prenopay.provider import PaymentProvider
from prenopay.testing.conformance.stage import Stage, answering

__all__ = ["Values"]


class Values:
    """What hosts keep, compare and hand to their workers."""

    def test_values_can_be_pickled(self, stage: Stage) -> None:
        """Payments, operations, orders, events and observations survive ``pickle`` and say what they are."""
        payment = stage.taken()
        values: list[object] = [
            payment,
            stage.operation("order:1"),
            stage.do(lambda payments: payments.order(payment.payment_id)),
            stage.provider.limits,
            stage.seen_at_gateway(payment),
            *stage.events,
        ]
        for value in values:
            again: object = pickle.loads(pickle.dumps(value))  # noqa: S301 - what was pickled one call before
            assert again == value
            assert repr(value).startswith(f"{type(value).__name__}(")

    def test_the_config_is_a_value(self, stage: Stage) -> None:
        """A config equals its copy, and builds a provider each time; bad account names are refused."""
        config = stage.config
        copy = replace(config)

        assert copy == config
        assert repr(config).startswith(type(config).__name__)
        assert isinstance(config.provider(), PaymentProvider)
        assert config.provider().limits == copy.provider().limits
        refused: list[str] = []
        for name in ("", "two words", "a/b", "å", "x" * 61):
            try:
                replace(config, account=name)
            except ConfigurationError:
                refused.append(name)
        assert refused == ["", "two words", "a/b", "å", "x" * 61], "does __post_init__ call ProviderConfig's?"

    def test_the_provider_says_who_it_is(self, stage: Stage) -> None:
        """A name for settings and tables, currencies in capitals, a reference with room to be unique."""
        provider = stage.provider
        assert provider.name == provider.name.lower() != ""
        assert all(len(each) == 3 and each.isupper() for each in provider.limits.currencies)  # noqa: PLR2004 - ISO 4217
        assert len(set(provider.limits.reference.alphabet.value)) ** provider.limits.reference.length >= 10**12

    def test_requests_go_to_the_declared_hosts_only(self, stage: Stage) -> None:
        """Every request goes to one of ``hosts``, has a label without secrets, and no credentials in its URL."""
        stage.taken()

        assert stage.wire.seen
        for request in stage.wire.seen:
            assert urlsplit(request.url).netloc in stage.provider.hosts
            assert request.label, "a label names the call in logs"
            assert not any(each in request.label or each in request.url for each in stage.gateway.secrets())

    def test_a_probe_finds_all_well_and_changes_nothing(self, stage: Stage) -> None:
        """``probe`` checks credentials and reachability without side effects."""
        payment = stage.bought()
        before = dict(stage.gateway.books())

        found = stage.do(lambda payments: payments.probe())

        assert found, "doctor has nothing to say"
        assert [each for each in found if not each.ok] == []
        assert dict(stage.gateway.books()) == before
        assert stage.observed(payment).is_open

    def test_a_probe_finds_what_is_wrong(self, stage: Stage) -> None:
        """Where the gateway refuses the credentials, or fails, ``probe`` says so and what to do."""
        for status in (401, 503):
            with stage.wire.answered(answering(status)):
                found = stage.do(lambda payments: payments.probe())

            wrong = [each for each in found if not each.ok]
            assert wrong, f"the gateway answers everything with {status}, and probe finds all well: {found}"
            assert all(each.fix for each in wrong), f"fix says what to do: {wrong}"
