"""What can be imported from where: the names a host needs, each module's own list, and what importing costs."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import prenopay

from .doors import DOORS, doors, function_of, kinds_met, members_of, names_of

ROOT = Path(__file__).resolve().parents[2]


def top_level(module: str) -> ast.Module:
    found = importlib.import_module(module)
    return ast.parse(Path(str(found.__file__)).read_text(encoding="utf-8"))


# Names


def test_the_hosts_names_are_listed_once_and_in_order() -> None:
    assert sorted(set(prenopay.__all__)) == prenopay.__all__
    assert prenopay.__all__ == dir(prenopay)


def test_every_name_can_be_had() -> None:
    for name in prenopay.__all__:
        found = getattr(prenopay, name)
        assert found.__name__ == name
        assert name in sys.modules[found.__module__].__dict__


def test_what_is_loaded_when_named_is_what_type_checkers_are_told() -> None:
    told: dict[str, str] = {}
    for node in top_level("prenopay").body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for inner in node.body:
                assert isinstance(inner, ast.ImportFrom)
                told |= {alias.name: str(inner.module) for alias in inner.names}
    assert told == prenopay._LOADED_WHEN_NAMED
    assert told.keys() < set(prenopay.__all__)


def test_a_name_that_does_not_exist_is_refused_like_any_other() -> None:
    with pytest.raises(AttributeError, match="module 'prenopay' has no attribute 'Acounts'"):
        importlib.import_module("prenopay").Acounts()


def test_a_star_brings_every_name() -> None:
    names: dict[str, object] = {}
    exec("from prenopay import *", names)  # noqa: S102 - the only way to write it in a function
    assert set(prenopay.__all__) <= names.keys()


def test_a_door_lists_what_it_makes_public() -> None:
    for door in doors():
        made = [
            node.name
            for node in top_level(door.__name__).body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_")
        ]
        assert set(made) <= names_of(door).keys(), door.__name__


def test_a_provider_author_needs_one_door_for_values() -> None:
    """Whatever the verbs take and return, at any depth, is imported from ``prenopay.provider``."""
    door = importlib.import_module("prenopay.provider")
    needed = {kind.__name__ for kind in kinds_met(door) if kind.__module__.startswith("prenopay.values.")}
    assert needed - names_of(door).keys() == set()


@pytest.mark.parametrize("file", sorted((ROOT / "examples/own_provider").glob("*.py")), ids=lambda file: file.name)
def test_the_example_provider_uses_the_doors_of_an_author(file: Path) -> None:
    allowed = ("prenopay.provider", "prenopay.errors", "prenopay.testing", "examples.own_provider")
    imported = {
        str(node.module)
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and not node.level and "prenopay" in str(node.module)
    }
    assert [name for name in imported if not name.startswith(allowed)] == []


def test_the_reference_names_every_door() -> None:
    page = (ROOT / "docs/reference/index.md").read_text(encoding="utf-8")
    table = page.partition("| You write | Import from |")[2].partition("\n\n")[0]
    named = set(re.findall(r"`(prenopay[\w.]*)", table)) - {"prenopay.testing."}
    assert named == {door for door in DOORS if not door.startswith("prenopay.testing")}


def test_a_name_behind_two_doors_is_one_thing() -> None:
    door = importlib.import_module("prenopay.provider")
    both = set(prenopay.__all__) & names_of(door).keys()
    assert "Money" in both
    assert [name for name in both if getattr(prenopay, name) is not getattr(door, name)] == []


def test_everything_behind_a_door_says_what_it_is() -> None:
    silent = []
    for door in doors():
        for name, value in names_of(door).items():
            if not (inspect.isclass(value) or inspect.isfunction(value)):
                continue
            said = value.__doc__ or f"{name}("  # what a dataclass makes up when nobody says anything
            silent += [f"{door.__name__}.{name}"] if said.startswith(f"{name}(") else []
            members = members_of(value) if inspect.isclass(value) else {}
            silent += [
                f"{door.__name__}.{name}.{inner}" for inner in members if not inspect.getdoc(getattr(value, inner))
            ]
    assert silent == []


def test_everything_behind_a_door_says_what_it_takes_and_returns() -> None:
    untyped = []
    for door in doors():
        for name, value in names_of(door).items():
            members = (
                members_of(value) if inspect.isclass(value) else {name: value} if inspect.isfunction(value) else {}
            )
            for inner, member in members.items():
                signature = inspect.signature(function_of(member))
                parameters = [each for each in signature.parameters.values() if each.name not in {"self", "cls"}]
                annotations = [signature.return_annotation, *(each.annotation for each in parameters)]
                if inspect.Signature.empty in annotations:
                    untyped.append(f"{door.__name__}.{name}.{inner}")
    assert untyped == []


FACADE: list[type] = [getattr(prenopay, name) for name in prenopay.__all__ if inspect.isclass(getattr(prenopay, name))]


def takes_money(code: Callable[..., object]) -> bool:
    return any("Money" in str(each.annotation) for each in inspect.signature(code).parameters.values())


def test_who_takes_money_says_whether_vat_is_in_it_and_what_can_go_wrong() -> None:
    methods = {
        f"{kind.__name__}.{name}": inspect.getdoc(member) or ""
        for kind in FACADE
        for name, member in vars(kind).items()
        if inspect.isfunction(member) and not name.startswith("_") and takes_money(member)
    }
    assert {"AsyncPayments.capture", "AsyncPayments.refund", "AsyncPayments.update"} <= methods.keys()
    assert [name for name, said in methods.items() if "VAT" not in said] == []
    # The blocking twin names the awaiting one, which says the rest.
    assert [name for name, said in methods.items() if name.startswith("Async") and "Raises ``" not in said] == []
    assert "AsyncPayments" in (prenopay.Payments.__doc__ or "")


def test_values_that_hold_money_say_whether_vat_is_in_it() -> None:
    holders = [kind for kind in FACADE if hasattr(kind, "__dataclass_fields__") and takes_money(kind)]
    assert {kind.__name__ for kind in holders} == {
        "Consent",
        "Event",
        "Operation",
        "Order",
        "OrderLine",
        "Payment",
        "Payout",
        "PayoutOrder",
        "Unserved",
        "TimelineEntry",
    }
    assert [kind.__name__ for kind in holders if "VAT" not in (kind.__doc__ or "")] == []


def test_money_says_its_unit_and_what_it_refuses() -> None:
    said = prenopay.Money.__doc__ or ""
    assert "minor units" in said
    assert "Raises ``TypeError``" in said
    assert "major units" in (prenopay.Money.from_decimal.__doc__ or "")
    assert "major units" in (prenopay.Money.to_decimal.__doc__ or "")


# What importing costs

SLOW = {"alembic", "anyio", "asyncio", "cryptography", "email", "httpx", "logging", "psycopg", "pydantic", "socket"}
SLOW |= {"sqlalchemy", "ssl", "tenacity"}


STANDARD_LIBRARY_ONLY = (
    "prenopay",
    "prenopay.errors",
    "prenopay.ports",
    "prenopay.provider",
    "prenopay.testing",
    "prenopay.values.payments",
)
NOT_LOADED_BY = {
    "from prenopay import load_settings": SLOW - {"email", "socket"},
    "from prenopay import Environment": SLOW,
    "from prenopay import AsyncPayments": {"alembic", "httpx", "psycopg", "pydantic", "tenacity"},
    "from prenopay import Accounts": {"alembic", "psycopg", "pydantic"},
    "from prenopay import AsyncAccounts, upgrade_database": {"alembic", "psycopg", "pydantic"},
    "import prenopay.web.asgi": {"alembic", "psycopg", "pydantic", "starlette"},
    "import prenopay.web.wsgi": {"alembic", "psycopg", "pydantic", "flask"},
    "import prenopay.cli": {"alembic", "psycopg", "pydantic"},
    "import prenopay.providers.swedbankpay": {"alembic", "httpx", "psycopg", "sqlalchemy"},
    "import prenopay; dir(prenopay); prenopay.Money": {"httpx", "sqlalchemy"},
}
NAMED = "import prenopay; prenopay.Accounts"

WARM = """
import prenopay
from prenopay import Accounts, Environment, Money, Order, Secret, upgrade_database
from prenopay.providers.swedbankpay import SwedbankPay
from prenopay.testing.http import EmulatorSender
from prenopay.testing.emulators.swedbankpay import DEFAULT_ACCESS_TOKEN, DEFAULT_PAYEE_ID, SwedbankPayEmulator
import tempfile
folder = tempfile.TemporaryDirectory()
database = f"sqlite:///{folder.name}/shop.db"
upgrade_database(database)
emulator = SwedbankPayEmulator()
accounts = Accounts.open(
    database,
    callback_url="https://shop.example",
    callback_keys=["a-key-for-the-tests-that-is-long-enough"],
    sender=EmulatorSender(emulator.mounts),
)
cards = accounts.add(
    SwedbankPay(
        account="cards",
        environment=Environment.TEST,
        payee_id=DEFAULT_PAYEE_ID,
        access_token=Secret(DEFAULT_ACCESS_TOKEN),
    )
)
before = {name.partition(".")[0] for name in sys.modules}
order = Order(amount=Money(100, "SEK"), description="x", return_url="https://shop.example/", cancel_url="https://shop.example/")
payment = cards.create(order, operation_id="order:1")
assert payment.redirect_url
accounts.close()
"""


FORKING = """
import json, os, sys
cases = json.load(sys.stdin)
for case in cases:
    reads, writes = os.pipe()
    if not os.fork():
        before = {name.partition(".")[0] for name in sys.modules}
        space = {"before": before, "sys": sys}
        exec(case, space)
        loaded = {name.partition(".")[0] for name in sys.modules} - space["before"]
        os.write(writes, json.dumps(sorted(loaded)).encode())
        os._exit(0)
    os.close(writes)
    with open(reads) as answer:
        print(answer.read() or sys.exit(f"this does not run: {case}"), flush=True)
    os.wait()
"""
"""An interpreter takes longer to start than to import: each case runs in a fork of one that has imported nothing."""


@pytest.fixture(scope="module")
def loaded() -> dict[str, set[str]]:
    """Return which top-level modules each of the cases loads."""
    cases = [*(f"import {module}" for module in STANDARD_LIBRARY_ONLY), *NOT_LOADED_BY, NAMED, WARM]
    run = subprocess.run(
        [sys.executable, "-P", "-c", FORKING],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return {case: set(json.loads(line)) for case, line in zip(cases, run.stdout.splitlines(), strict=True)}


def test_values_and_protocols_load_nothing_but_the_standard_library(loaded: dict[str, set[str]]) -> None:
    for module in STANDARD_LIBRARY_ONLY:
        assert loaded[f"import {module}"] - sys.stdlib_module_names == {"prenopay"}, module
        assert loaded[f"import {module}"] & SLOW == set(), module


def test_what_a_host_does_not_use_is_not_loaded(loaded: dict[str, set[str]]) -> None:
    for code, not_loaded in NOT_LOADED_BY.items():
        assert "prenopay" in loaded[code]
        assert loaded[code] & not_loaded == set(), code


def test_what_is_loaded_when_named_is_loaded_then(loaded: dict[str, set[str]]) -> None:
    assert {"sqlalchemy", "httpx"} <= loaded[NAMED]


def test_after_opening_a_payment_loads_nothing_more(loaded: dict[str, set[str]]) -> None:
    assert loaded[WARM] - {"encodings", "stringprep"} == set()
