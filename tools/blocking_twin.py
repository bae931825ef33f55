"""Write ``prenopay/blocking.py`` from the async classes: ``poe twin``, or ``python -m tools.blocking_twin``.

Every public method, property and attribute of an async class gets its blocking twin: the same parameters, defaults
and result, and the first paragraph of the docstring.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TypeAlias

SOURCES: Final = Path(__file__).parents[1] / "src"
TWIN: Final = SOURCES / "prenopay" / "blocking.py"

CLASSES: Final = {
    "AsyncMandates": "prenopay.mandates.use_cases",
    "AsyncPayments": "prenopay.payments.use_cases",
    "AsyncAccounts": "prenopay.accounts.accounts",
}
"""The async classes, in the order of their twins, and the modules that define them."""

OTHER_NAMES: Final = {"aclose": "close"}
SPECIAL: Final = frozenset({"__init__", "__contains__", "__getitem__", "__iter__"})
"""The special methods that there is a rule for."""

HEAD: Final = '''
"""The use cases for code without an event loop, over blocking ports. Safe to share between threads.

Generated from the async classes by ``tools/blocking_twin.py``: change those, then run ``poe twin``.
"""

from __future__ import annotations

from prenopay._blocking import run_blocking
from prenopay._hidden import HiddenText
from prenopay._system import BlockingClock, SideBySideThreads, SystemEntropy
from prenopay._transport import BlockingSender
from prenopay.delivery import called
from prenopay.books.engine import BlockingLedger
from prenopay.books.upgrade import open_migrated
from prenopay.books.vault import Vault
from prenopay.values.callbacks import CallbackUrls
'''

BODIES: Final = {
    "open": """
        database = HiddenText(database)  # it may hold a password, and error trackers show the variables of this frame
        try:
            urls, vault = CallbackUrls(callback_url, callback_keys), Vault(token_keys)
        finally:
            del callback_keys, token_keys
        on_hear = None if on_event is None else called(on_event)
        ledger = BlockingLedger(open_migrated(database))
        accounts = AsyncAccounts(
            ledger=ledger,
            sender=sender,
            connect=BlockingSender,
            clock=clock or ledger.timed(BlockingClock()),
            entropy=entropy or SystemEntropy(),
            callback_urls=urls,
            on_event=on_hear,
            vault=vault,
            closing=[ledger.aclose],
            together=SideBySideThreads(),
        )
        return cls(accounts)
    """,
    "take_over": """
        text = HiddenText(text)  # it holds tokens in clear
        return run_blocking(self._mandates.take_over(text, dry_run=dry_run, check=check, actor=actor))
    """,
}
"""The bodies that cannot be derived: class methods choose the ports, and some hide an argument first."""

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


def generate(sources: Path = SOURCES, head: str = HEAD) -> str:
    """Return the text of the twin, formatted. Ruff removes the imports that only the async classes need."""
    imports, variables, classes = list[str](), dict[str, str](), list[str]()
    for name, module in CLASSES.items():
        tree = ast.parse(sources.joinpath(*module.split(".")).with_suffix(".py").read_text(encoding="utf-8"))
        imports += [f"from {module} import {name}", *_imports(module, tree)]
        variables |= {text: text for text in map(ast.unparse, tree.body) if " = TypeVar(" in text}
        classes += [_class(each) for each in tree.body if isinstance(each, ast.ClassDef) and each.name == name]
    listed = f"__all__ = {sorted(map(_blocking, CLASSES))}"
    text = "\n".join([head.strip(), "from typing import TypeVar", *imports, listed, *variables, *classes])
    for command in ("check --fix --select F401", "check --fix --select I", "format"):
        ruff = [sys.executable, "-m", "ruff", *command.split(), "--quiet", "--stdin-filename", str(TWIN), "-"]
        text = subprocess.run(ruff, input=text, capture_output=True, text=True, check=True).stdout
    return text


def _blocking(text: str) -> str:
    """Return ``text`` with the names of the async classes, and of their event handlers, in blocking form."""
    return re.sub(rf"\b(?:{'|'.join(CLASSES)}|AsyncEventHandler)\b", lambda name: name[0].removeprefix("Async"), text)


def _imports(module: str, tree: ast.Module) -> Iterator[str]:
    """Yield an import for every name that the module imports or defines, one a line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module != "__future__":
            names = (ast.unparse(alias) for alias in node.names if alias.name not in CLASSES)
            yield from (f"from {node.module} import {_blocking(name)}" for name in names)
    defined = (each.name for each in tree.body if isinstance(each, ast.ClassDef) and each.name not in CLASSES)
    yield from (f"from {module} import {name}" for name in defined)


def _class(node: ast.ClassDef) -> str:
    twin, name = _blocking(node.name), _blocking(node.name).lower()
    bases = ", ".join(map(ast.unparse, node.bases))
    functions = {each.name: each for each in node.body if isinstance(each, Function)}
    public = [each for name, each in functions.items() if name in SPECIAL or not name.startswith("_")]
    if unknown := {name for name in functions if name.startswith("__")} - SPECIAL:
        message = f"{node.name}.{min(unknown)}: there is no rule for this special method"
        raise NotImplementedError(message)
    lines = [
        f"class {twin}{f'({bases})' if bases else ''}:",
        f'    """{_said(node)}\n\n    ``{node.name}`` says more about each method.\n    """\n',
        f"    def __init__(self, {name}: {node.name}{bases.removeprefix('Generic')}) -> None:",
        f'        """Drive ``{name}``, whose ports must be blocking ones."""',
        f"        self._{name} = {name}",
        *(f"        self.{each} = {name}.{each.partition(':')[0]}" for each in _attributes(functions["__init__"])),
        *("\n" + textwrap.indent(_method(each, name), "    ") for each in public if each.name != "__init__"),
    ]
    return "\n".join(lines)


def _attributes(start: Function) -> Iterator[str]:
    """Yield the public attributes that ``__init__`` sets, with their types: their own, or those of parameters."""
    parameters = {each.arg: each.annotation for each in (*start.args.args, *start.args.kwonlyargs)}
    for node in start.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Attribute) and not target.attr.startswith("_"):
            value = ast.unparse(getattr(node, "value", target))
            kind = node.annotation if isinstance(node, ast.AnnAssign) else parameters.get(value)
            if kind is None:
                message = f"self.{target.attr} needs a type"
                raise NotImplementedError(message)
            yield f"{target.attr}: {ast.unparse(kind)}"


def _method(function: Function, owner: str) -> str:
    if function.args.posonlyargs or function.args.vararg or function.args.kwarg:
        message = f"{function.name}: there is no rule for positional-only parameters, *args and **kwargs"
        raise NotImplementedError(message)
    decorators = [ast.unparse(each) for each in function.decorator_list]
    parameters, returns = ast.unparse(function.args), ast.unparse(function.returns or ast.Constant(None))
    given = [each.arg for each in function.args.args[1:]]
    given += [f"{each.arg}={each.arg}" for each in function.args.kwonlyargs]
    call = f"self._{owner}.{function.name}" + ("" if "property" in decorators else f"({', '.join(given)})")
    if returns.partition("[")[0] in CLASSES:
        call = f"{_blocking(returns.partition('[')[0])}({call})"
    body = call if returns == "None" else f"return {call}"
    if isinstance(function, ast.AsyncFunctionDef):
        body = f"return run_blocking({call})"
    elif "classmethod" in decorators:
        body = BODIES[function.name]
    head = f"def {OTHER_NAMES.get(function.name, function.name)}({_blocking(parameters)}) -> {_blocking(returns)}:"
    inside = f'"""{_said(function)}"""\n{textwrap.dedent(body).strip()}'
    return "\n".join([*(f"@{each}" for each in decorators), head, textwrap.indent(inside, "    ")])


def _said(node: ast.ClassDef | Function) -> str:
    return re.sub(r"``Async(?=[A-Z])", "``", (ast.get_docstring(node) or "").partition("\n\n")[0])


if __name__ == "__main__":
    TWIN.write_text(generate(), encoding="utf-8")
