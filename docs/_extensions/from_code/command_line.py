"""The command line, from its own argument parser."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Callable, Container, Iterator

from from_code.markdown import Texts, code, table
from prenopay import cli

__all__ = ["commands"]


def commands(texts: Texts) -> str:
    """Return the arguments that every command takes, and a section for each command with its own."""
    leaves = list(_leaves(cli._parser(), ""))  # noqa: SLF001 - the parser is what is documented
    shared = set.intersection(*({action.dest for action in parser._actions} for parser, _said in leaves))  # noqa: SLF001
    everywhere = f"## Every command\n\n{_arguments(leaves[0][0], lambda dest: dest in shared)}"
    own = [_section(parser, said, texts, shared) for parser, said in leaves]
    return "\n".join([everywhere, *own])


def _leaves(parser: argparse.ArgumentParser, said: str) -> Iterator[tuple[argparse.ArgumentParser, str]]:
    below = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]  # noqa: SLF001
    if not below:
        yield parser, said
    for action in below:
        helps = {choice.dest: choice.help or "" for choice in action._choices_actions}  # noqa: SLF001
        for name, sub_parser in action.choices.items():
            yield from _leaves(sub_parser, helps.get(name, ""))


def _section(parser: argparse.ArgumentParser, said: str, texts: Texts, shared: Container[str]) -> str:
    sentence = f"{said[:1].upper()}{said[1:]}."
    more = texts[parser.prog.removeprefix("prenopay ")]
    words = " ".join(parser.format_usage().removeprefix("usage: ").split()).replace("[-h] ", "")
    usage = "\n".join(textwrap.wrap(words, width=80, subsequent_indent="    ", break_on_hyphens=False))
    own = _arguments(parser, lambda dest: dest not in shared)
    return f"## {parser.prog}\n\n{sentence} {more}\n\n```text\n{usage}\n```\n\n{own}"


def _arguments(parser: argparse.ArgumentParser, wanted: Callable[[str], bool]) -> str:
    rows = [
        (code(_name(action)), (action.help or "") + (f": {', '.join(action.choices)}" if action.choices else ""))
        for action in parser._actions  # noqa: SLF001
        if wanted(action.dest)
    ]
    return table(("Argument", "Meaning"), rows) if rows else ""


def _name(action: argparse.Action) -> str:
    name = ", ".join(action.option_strings) or str(action.metavar or action.dest)
    takes = action.metavar if action.option_strings and action.nargs != 0 else None
    return f"{name} {takes}" if takes else name
