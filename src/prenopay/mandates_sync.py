"""A payer's stored methods without an event loop: one line each, over ``AsyncMandates``."""

from __future__ import annotations

from prenopay._blocking import run_blocking
from prenopay.ledger.mandates import HOST
from prenopay.mandates import ImportReport, Mandate, MandateChange, MandateState
from prenopay.stored_methods import AsyncMandates

__all__ = ["Mandates"]


class Mandates:
    """The mandates of one account, in blocking code; see ``AsyncMandates`` for what each call does."""

    def __init__(self, mandates: AsyncMandates) -> None:
        """Drive ``mandates``, whose ports must be blocking ones."""
        self._mandates = mandates

    def get(self, mandate_id: str) -> Mandate:
        """Return the mandate as the books have it; raises ``NotFound``."""
        return run_blocking(self._mandates.get(mandate_id))

    def of_payer(self, payer_reference: str) -> tuple[Mandate, ...]:
        """Return a payer's mandates, newest first, ended ones included."""
        return run_blocking(self._mandates.of_payer(payer_reference))

    def to_offer(self, payer_reference: str) -> tuple[Mandate, ...]:
        """Return the payer's ``ONE_CLICK`` methods that a new order may offer (``Order.pay_with``), newest first."""
        return run_blocking(self._mandates.to_offer(payer_reference))

    def find(
        self,
        *,
        state: MandateState | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> tuple[Mandate, ...]:
        """Return mandates, newest first; ``after`` is the last mandate id of the page before."""
        return run_blocking(self._mandates.find(state=state, after=after, limit=limit))

    def history(self, mandate_id: str) -> tuple[MandateChange, ...]:
        """Return every change of a mandate, oldest first."""
        return run_blocking(self._mandates.history(mandate_id))

    def refresh(self, payer_reference: str) -> tuple[Mandate, ...]:
        """Ask the gateway how the payer's methods look now, write that down, and return them."""
        return run_blocking(self._mandates.refresh(payer_reference))

    def remove(self, mandate_id: str, *, reason: str, actor: str = HOST) -> Mandate:
        """End a mandate, and remove its token at the gateway; ``actor`` and ``reason`` stay in its history."""
        return run_blocking(self._mandates.remove(mandate_id, reason=reason, actor=actor))

    def remove_all(
        self,
        payer_reference: str,
        *,
        reason: str,
        confirm: str,
        actor: str = HOST,
    ) -> tuple[Mandate, ...]:
        """End every mandate of a payer; at the gateway all go at once, those of other systems included."""
        use_case = self._mandates.remove_all(payer_reference, reason=reason, confirm=confirm, actor=actor)
        return run_blocking(use_case)

    def take_over(
        self,
        text: str,
        *,
        dry_run: bool = False,
        check: bool = True,
        actor: str = HOST,
    ) -> ImportReport:
        """Take over tokens that another system stored, from CSV (see ``prenopay.token_file``): all lines, or none."""
        return run_blocking(self._mandates.take_over(text, dry_run=dry_run, check=check, actor=actor))

    def finish_removals(self, *, limit: int = 200) -> int:
        """Remove at the gateway what was to be removed and was not yet; return how many there were."""
        return run_blocking(self._mandates.finish_removals(limit=limit))

    def age(self, *, limit: int = 200) -> int:
        """Move on the mandates that time has moved (cards run out, waits are over); return how many."""
        return run_blocking(self._mandates.age(limit=limit))

    def reseal(self) -> int:
        """Seal every token under the newest key; return how many."""
        return run_blocking(self._mandates.reseal())

    def require(self) -> None:
        """Raise unless methods can be stored: the provider must be able to, and there must be a key to seal with."""
        self._mandates.require()
