"""Words and idioms that a reader of English stumbles over, each with what to write instead, and where they are.

``python -m tests.tidy.words`` shows every place and lowers ``words_left.json`` to what is left. That table is what
was there before the rule: a file may not gain any, and an empty table ends it.
"""

from __future__ import annotations

import io
import json
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from .sources import ROOT, files, text

__all__ = ["IDIOMS", "LEFT", "found_in", "idioms", "prose_files"]

LEFT: Final = Path(__file__).with_name("words_left.json")

IDIOMS: Final[dict[str, tuple[str, str]]] = {
    r"\bsigns\b(?! (?:the|an?|its?|in|with|what|each|every|once|payouts?|consents?|requests?|that the)\b)": (
        "characters",
        "at most 40 signs",
    ),
    r"\b(?:an?|any|each|every|first|last|no|one|same|single) sign\b(?! of\b)": ("character", "instead of a sign"),
    r"\bh[eo]ld(?:s|ing)? against\b": ("compare with", "held against the samples"),
    r"\bt[eo]ll?(?:d|s|ing)? of\b": ("report, notify", "the change they tell of"),
    r"\b(?:am|are|be|been|is|was|were) told\b": ("is notified, reports", "nobody is told"),
    r"\banew\b": ("again", "signed anew"),
    r"\bmend(?:s|ed|ing)?\b": ("fix", "books that mend themselves"),
    r"\bbesides\b": ("also", "an appended row besides"),
    r"\b(?:stands?|stood)\b(?! for\b)(?!-)": ("is, is in, is stored in", "the name stands in the table"),
    r"\bwhat is (?:its|our|their|your) own\b": ("its own …", "it keeps what is its own"),
    r"\bas in truth\b": ("as the real one does", "as in truth"),
    r"\bnobody that\b": ("say who does not", "nobody that pays"),
    r"\b(?:no \w+|none) that (?!can\b)": ("say what does not: not any …", "no charge that was taken"),
    r"\bwhoever\b": ("who, the caller", "whoever repeats it"),
    r"\blets? (?:be|go)\b": ("ignore, release", "what is new is let be"),
    r"\b(?:is|are) said\b|\bsaid so\b": ("report, say", "which rules apply is said"),
    r"\b(?:an?|one|that) of which\b": ("whose, that", "one of which nothing was attempted"),
    r"\bas long[.;,]": ("while it lasts", "in a folder of their own as long."),
    r"\bwithout end\b": ("without a limit, forever", "the balance is without end"),
    r"\bin the place of\b": ("instead of, replaces", "a card in the place of the old one"),
    r"\bfrom here on\b|\bhenceforth\b": ("from now on", "never charged from here on"),
    r"\bhappen(?:s|ed)? on the\b": ("used by chance", "someone happened on the same reference"),
    r"\bcomes? to nothing\b": ("has no effect", "the try comes to nothing"),
    r"\bis not its business\b|\bthe business of\b": ("say who does it", "the formatter is the business of ruff"),
}
"""The idiom as a pattern; what to write; a piece of text that has it."""

_PROSE: Final = {
    "markdown": ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "docs"),
    "python": ("src", "docs", "examples", "benchmarks", "tests"),
}
_NO_PROSE: Final = {Path("tests/tidy/words.py")}
_TEXT_TOKENS: Final = {"COMMENT", "STRING", "FSTRING_MIDDLE"}
_ANY: Final = re.compile("|".join(IDIOMS), re.IGNORECASE)
_CODE: Final = re.compile(r"``[^`]*``|`[^`\n]*`")


def prose_files() -> list[Path]:
    """Return every file with prose in it: Python code and Markdown pages."""
    return [
        file
        for file in files()
        if (file.suffix == ".py" and file.parts[0] in _PROSE["python"])
        or (file.suffix == ".md" and file.parts[0] in _PROSE["markdown"])
        if file not in _NO_PROSE
    ]


def found_in(file: Path) -> list[str]:
    """Return each idiom in a file: where it is, and what to write instead."""
    found: list[str] = []
    for line, said in _prose_of(file):
        found += [f"{file}:{line}: {idiom!r}: {instead}" for idiom, instead in idioms(said)]
    return found


def idioms(said: str) -> Iterator[tuple[str, str]]:
    """Return the idioms in a text, each with what to write instead; code between backticks is no prose."""
    plain = " ".join(_CODE.sub("…", said).split())
    if not _ANY.search(plain):  # nearly always: one look instead of one for each idiom
        return
    for pattern, (instead, _example) in IDIOMS.items():
        for match in re.finditer(pattern, plain, re.IGNORECASE):
            yield match[0], instead


def _prose_of(file: Path) -> Iterator[tuple[int, str]]:
    """Return the pieces of prose in a file: paragraphs, comments, docstrings, and texts of several words."""
    if file.suffix == ".md":
        line = 1
        for paragraph in text(file).split("\n\n"):
            yield line, paragraph
            line += paragraph.count("\n") + 2
        return
    for token in tokenize.generate_tokens(io.StringIO(text(file)).readline):
        if tokenize.tok_name[token.type] in _TEXT_TOKENS and " " in token.string:
            yield token.start[0], token.string


def main() -> int:
    """Show every place, and lower the table to what is left; a total that grew is an error."""
    before: dict[str, int] = json.loads(LEFT.read_text(encoding="utf-8")) if LEFT.exists() else {}
    found = {str(file): found_in(file) for file in prose_files()}
    for places in found.values():
        sys.stdout.writelines(f"{place}\n" for place in places)
    left = {file: len(places) for file, places in found.items() if places}
    total = sum(left.values())
    if before and total > sum(before.values()):
        sys.stdout.write(f"{total} places, and there were {sum(before.values())}: rewrite the new ones\n")
        return 1
    LEFT.write_text(json.dumps(left, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(f"{total} places in {len(left)} files; written to {LEFT.relative_to(ROOT)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
