"""The ``from-code`` directive: tables of the documentation that are made from the code at build time.

The code has the names, and the page has a text for each: one ``name: text`` a line, in the directive's
body. A name without a text, or a text without a name, stops the build.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from sphinx.util.docutils import SphinxDirective

from from_code import command_line, database, emulators, knobs, mandates, settings_keys, swedbankpay, swish
from from_code.markdown import Texts

if TYPE_CHECKING:
    from docutils.nodes import Node  # type: ignore[import-untyped]  # docutils has no types
    from sphinx.application import Sphinx

__all__ = ["setup"]

_MAKERS: Final[Mapping[str, Callable[[Texts], str]]] = {
    "accounts-keys": settings_keys.top_keys,
    "card-ceilings": mandates.ceilings,
    "command-line": command_line.commands,
    "database-tables": database.tables,
    **knobs.MAKERS,
    "mandate-states": mandates.states,
    "swedbankpay-capabilities": swedbankpay.capabilities,
    "swedbankpay-instruments": swedbankpay.instruments,
    "swedbankpay-keys": settings_keys.swedbankpay_keys,
    "swedbankpay-looks": swedbankpay.looks,
    "swedbankpay-magic-amounts": emulators.magic_amounts,
    "swedbankpay-problems": swedbankpay.problems,
    "swedbankpay-references": swedbankpay.references,
    "swedbankpay-test-cards": emulators.published_cards,
    "swish-capabilities": swish.capabilities,
    "swish-keys": settings_keys.swish_keys,
    "swish-looks": swish.looks,
    "swish-problems": swish.problems,
    "token-columns": mandates.columns,
}


class FromCode(SphinxDirective):
    """``{from-code} NAME``: the table that the maker of this name makes from the code and the texts in the body."""

    required_arguments = 1
    has_content = True

    def run(self) -> Sequence[Node]:
        """Return the parsed tables."""
        name = self.arguments[0]
        make = _MAKERS.get(name)
        if make is None:
            message = f"from-code: there is no {name!r}; there are: {', '.join(_MAKERS)}"
            raise self.error(message)
        texts = Texts(self.content)
        try:
            made = make(texts)
            texts.require_all_used()
        except LookupError as error:
            message = f"from-code {name}: {error.args[0]}"
            raise self.error(message) from error
        return self.parse_text_to_nodes(made, allow_section_headings=True)


def _plain_signature(
    _app: object,
    _what: str,
    _name: str,
    documented: object,
    _options: object,
    signature: str | None,
    returned: str | None,
) -> tuple[str | None, str | None]:
    """Hide the constructor of enums, and show ``...`` for a default factory (``<factory>`` is not Python)."""
    if isinstance(documented, type) and issubclass(documented, Enum):
        return "", None
    return None if signature is None else signature.replace("<factory>", "..."), returned


def _leave_comments_out(_app: object, doctree: Any) -> None:
    """Remove comments (``<!-- … -->``) from the built pages: only the tests read them."""
    for node in list(doctree.findall()):
        if node.tagname == "comment" or (node.tagname == "raw" and node.astext().lstrip().startswith("<!--")):
            node.parent.remove(node)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("from-code", FromCode)
    app.connect("autodoc-process-signature", _plain_signature)
    app.connect("doctree-read", _leave_comments_out)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
