"""Every error that prenopay raises, in one tree. Each says what happened and what to do next.

::

    PrenopayError                     .account .provider .operation_id .payment_id
    ├── UnsupportedOperation          .capability .reason
    ├── InvalidOrder (ValueError)     .field: refused here, before anything was recorded
    ├── MandateUnusable               ended, suspended, foreign, or more than the payer agreed to
    ├── CeilingReached                .not_before .rule: nothing was sent: another charge is forbidden
    ├── NotFound (LookupError)        no such payment or operation in this account
    ├── TransportError
    │   ├── NotSent                   nothing happened at the gateway: try again freely
    │   └── OutcomeUnknown            sent, but no readable answer: repeat with the same operation id
    ├── ProviderError                 .http_status .provider_code .problems .advice .stated
    │   ├── Rejected                  the request is wrong: nothing happened, fix it under a new operation id
    │   ├── Unauthenticated           credentials or agreement refused: nothing happened
    │   ├── Conflict                  not possible in the payment's present state: nothing happened
    │   │   └── DuplicateReference    the gateway has seen this reference before
    │   ├── RateLimited               .retry_after (seconds)
    │   ├── ProviderUnavailable       the gateway failed: the outcome is unknown
    │   └── UnexpectedAnswer          an answer that cannot be read: the outcome is unknown
    │       └── ForeignAnswer         an answer about something that is not ours: the outcome is unknown
    ├── CallbackError
    │   ├── Unverified                not a callback URL that prenopay made
    │   └── Malformed                 a callback whose body cannot be read
    └── LedgerError
        ├── IllegalTransition         the change would make the books contradict themselves
        ├── IdReused                  one operation id, two different sets of parameters
        ├── Quarantined               the payment does not match its order: a person must look at it
        └── LedgerUnavailable         the database is locked, gone or not migrated

    ConfigurationError (ValueError)   outside the tree, so that a handler for PrenopayError does not hide it

A *decline* (issuer, bank or payer said no) is a result, not an error.
An error removes secrets from its message when it is created, and what no terminal shows. It quotes at most a line.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, Self

from prenopay._redaction import SAID_MOST, scrub
from prenopay._text import QUOTED_MOST, shown

__all__ = [
    "CallbackError",
    "CeilingReached",
    "ConfigurationError",
    "Conflict",
    "DuplicateReference",
    "ForeignAnswer",
    "IdReused",
    "IllegalTransition",
    "InvalidOrder",
    "LedgerError",
    "LedgerUnavailable",
    "Malformed",
    "MandateUnusable",
    "NotFound",
    "NotSent",
    "OutcomeUnknown",
    "PrenopayError",
    "ProviderError",
    "ProviderUnavailable",
    "Quarantined",
    "RateLimited",
    "Rejected",
    "TransportError",
    "Unauthenticated",
    "UnexpectedAnswer",
    "UnsupportedOperation",
    "Unverified",
]


_NAME_MOST: Final = 100
"""No account and no operation has a longer name."""
_PROBLEMS_MOST: Final = 50
"""How many fields a gateway may complain about: an order has not many more."""


class PrenopayError(Exception):
    """The base class of every error that a use case raises."""

    account: str | None = None
    provider: str | None = None
    operation_id: str | None = None
    payment_id: str | None = None

    def __init__(self, message: str = "") -> None:
        super().__init__(scrub(message))

    def about(
        self,
        *,
        account: str | None = None,
        provider: str | None = None,
        operation_id: str | None = None,
        payment_id: str | None = None,
    ) -> Self:
        """Add where the error happened, as far as it is known, and return the error."""
        self.account = self.account or _named(account)
        self.provider = self.provider or _named(provider)
        self.operation_id = self.operation_id or _named(operation_id)
        self.payment_id = self.payment_id or _named(payment_id)
        return self


def _named(name: str | None) -> str | None:
    """Return the name of what an error is about; anybody may have made it up."""
    return None if name is None else shown(name[:_NAME_MOST])


class UnsupportedOperation(PrenopayError):
    """The provider cannot do this; ``reason`` says what to use instead."""

    def __init__(self, message: str = "", *, capability: str = "", reason: str = "") -> None:
        super().__init__(message)
        self.capability = capability
        self.reason = reason


class MandateUnusable(PrenopayError):
    """The mandate cannot be charged like this: ended, suspended, another payer's, or not for this amount."""


class CeilingReached(PrenopayError):
    """Nothing was sent: the card schemes, or the last decline, forbid another charge of this card.

    ``not_before`` is the earliest time for the next charge (``None``: never on this method). ``rule`` names what
    forbids it.
    """

    def __init__(self, message: str = "", *, not_before: datetime | None = None, rule: str = "") -> None:
        super().__init__(message)
        self.not_before = not_before
        self.rule = rule


class InvalidOrder(PrenopayError, ValueError):
    """What was asked for cannot be expressed to the provider, or has another type; ``field`` names what is wrong."""

    def __init__(self, message: str = "", *, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class NotFound(PrenopayError, LookupError):
    """This account has no payment, operation or mandate with that id."""


class TransportError(PrenopayError):
    """The request or its answer was lost between prenopay and the gateway."""


class NotSent(TransportError):
    """The request never reached the gateway: nothing happened, try again freely."""


class OutcomeUnknown(TransportError):
    """The gateway may have acted on the request, but no answer came.

    Call the same use case again with the same operation id, or ``resolve(operation_id)``:
    prenopay looks up what happened before it sends anything again.
    """


class ProviderError(PrenopayError):
    """The gateway answered, but did not do what was asked for.

    ``stated``: the gateway itself says it, in words that its documentation has. Anything in front of a gateway can
    answer with a status: so only a statement proves anything about an earlier try.
    """

    def __init__(
        self,
        message: str = "",
        *,
        http_status: int | None = None,
        provider_code: str | None = None,
        problems: tuple[tuple[str, str], ...] = (),
        advice: str = "",
        stated: bool = False,
    ) -> None:
        super().__init__(message)
        self.http_status = http_status
        self.provider_code: str | None = None if provider_code is None else scrub(provider_code, most=QUOTED_MOST)
        self.problems: tuple[tuple[str, str], ...] = tuple(
            (scrub(name, most=QUOTED_MOST), scrub(text, most=SAID_MOST)) for name, text in problems[:_PROBLEMS_MOST]
        )
        self.advice: str = scrub(advice)
        self.stated = stated


class Rejected(ProviderError):
    """The gateway refused the request as wrong. Nothing happened; ``problems`` names the fields."""


class Unauthenticated(ProviderError):
    """The gateway refused the account's credentials or agreement. Nothing happened."""


class Conflict(ProviderError):
    """The payment's present state does not allow this. Nothing happened."""


class DuplicateReference(Conflict):
    """The gateway has already seen the reference of this request."""


class RateLimited(ProviderError):
    """There were too many requests. Nothing happened; ``retry_after`` is the number of seconds to wait."""

    def __init__(
        self,
        message: str = "",
        *,
        http_status: int | None = None,
        provider_code: str | None = None,
        problems: tuple[tuple[str, str], ...] = (),
        advice: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(
            message,
            http_status=http_status,
            provider_code=provider_code,
            problems=problems,
            advice=advice,
        )
        self.retry_after = retry_after


class ProviderUnavailable(ProviderError):
    """The gateway failed while it handled the request: what it did is unknown."""


class UnexpectedAnswer(ProviderError):
    """The gateway's answer cannot be read: what it did is unknown."""


class ForeignAnswer(UnexpectedAnswer):
    """The gateway answered with something that is not ours, under our name or another: it is not believed."""


class CallbackError(PrenopayError):
    """A callback that cannot be accepted."""


class Unverified(CallbackError):
    """prenopay did not make this callback path."""


class Malformed(CallbackError):
    """The body is too large, or the provider does not send such a body."""


class LedgerError(PrenopayError):
    """The ledger refused, or could not be used."""


class IllegalTransition(LedgerError):
    """The change would make the books contradict themselves."""


class IdReused(LedgerError):
    """The operation id was used before with other parameters."""


class Quarantined(LedgerError):
    """The gateway's payment does not match the order: a person must look at it before any change."""


class LedgerUnavailable(LedgerError):
    """The database is locked, gone, or has another schema version.

    ``repeatable``: the transaction lost against another one, or its connection; the same may succeed at once.
    """

    repeatable: bool = False


class ConfigurationError(ValueError):
    """A setting is missing or wrong; the message names the key and the fix."""

    def __init__(self, message: str = "") -> None:
        super().__init__(scrub(message))
