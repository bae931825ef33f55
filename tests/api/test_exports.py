"""What can be imported from where: the names a host needs, each module's own list, and what importing costs."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import pkgutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import prenopay

SOURCE = Path(prenopay.__file__).parent

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages([str(SOURCE)], "prenopay.")
    if not any(part.startswith("_") for part in module.name.split(".")) and ".migrations." not in module.name
)


def top_level(module: str) -> ast.Module:
    found = importlib.import_module(module)
    return ast.parse(Path(str(found.__file__)).read_text(encoding="utf-8"))


# Names


def test_the_hosts_names_are_listed_once_and_in_order() -> None:
    assert sorted(set(prenopay.__all__)) == prenopay.__all__
    assert prenopay.__all__ == dir(prenopay)


@pytest.mark.parametrize("name", prenopay.__all__)
def test_every_name_can_be_had(name: str) -> None:
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


@pytest.mark.parametrize("module", MODULES)
def test_a_module_lists_what_it_makes_public(module: str) -> None:
    tree = top_level(module)
    made = [
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_")
    ]
    listed = list(getattr(importlib.import_module(module), "__all__", []))
    assert made == [] or listed
    assert all(hasattr(importlib.import_module(module), name) for name in listed)
    assert [name for name in made if name not in listed] == []


@pytest.mark.parametrize("module", MODULES)
def test_everything_public_says_what_it_is(module: str) -> None:
    found = importlib.import_module(module)
    silent = []
    for name in getattr(found, "__all__", []):
        value = getattr(found, name)
        if getattr(value, "__module__", "") != module or not (inspect.isclass(value) or inspect.isfunction(value)):
            continue
        said = value.__doc__ or f"{name}("  # what a dataclass makes up when nobody says anything
        silent += [name] if said.startswith(f"{name}(") else []
        for inner, member in vars(value).items() if inspect.isclass(value) else ():
            is_code = inspect.isfunction(member) or isinstance(member, property | classmethod)
            if is_code and not inner.startswith("_") and not inspect.getdoc(getattr(value, inner)):
                silent.append(f"{name}.{inner}")
    assert silent == []


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


def loaded_by(code: str) -> set[str]:
    """Return which top-level modules ``code`` loads in a new interpreter."""
    report = "import json, sys; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules} - before)))"
    start = "import sys; before = {name.partition('.')[0] for name in sys.modules}"
    run = subprocess.run(
        [sys.executable, "-I", "-c", f"{start}\n{code}\n{report}"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(run.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "module",
    [
        "prenopay",
        "prenopay.errors",
        "prenopay.values.payments",
        "prenopay.ports",
        "prenopay.provider",
        "prenopay.testing",
    ],
)
def test_values_and_protocols_load_nothing_but_the_standard_library(module: str) -> None:
    loaded = loaded_by(f"import {module}")
    assert loaded - sys.stdlib_module_names == {"prenopay"}
    assert loaded & SLOW == set()


@pytest.mark.parametrize(
    ("code", "not_loaded"),
    [
        ("from prenopay import load_settings", SLOW - {"email", "socket"}),
        ("from prenopay import Environment", SLOW),
        ("from prenopay import AsyncPayments", {"alembic", "httpx", "psycopg", "pydantic", "tenacity"}),
        ("from prenopay import Accounts", {"alembic", "psycopg", "pydantic"}),
        ("from prenopay import AsyncAccounts, upgrade_database", {"alembic", "psycopg", "pydantic"}),
        ("import prenopay.web.asgi", {"alembic", "psycopg", "pydantic", "starlette"}),
        ("import prenopay.web.wsgi", {"alembic", "psycopg", "pydantic", "flask"}),
        ("import prenopay.cli", {"alembic", "psycopg", "pydantic"}),
        ("import prenopay.providers.swedbankpay", {"alembic", "httpx", "psycopg", "sqlalchemy"}),
    ],
)
def test_what_a_host_does_not_use_is_not_loaded(code: str, not_loaded: set[str]) -> None:
    loaded = loaded_by(code)
    assert "prenopay" in loaded
    assert loaded & not_loaded == set()


def test_what_is_loaded_when_named_is_not_loaded_before() -> None:
    heavy = {"sqlalchemy", "httpx"}
    assert heavy <= loaded_by("import prenopay; prenopay.Accounts")
    assert heavy & loaded_by("import prenopay; dir(prenopay); prenopay.Money") == set()


WARM = """
import prenopay
from prenopay import Accounts, Environment, Money, Order, Secret, upgrade_database
from prenopay.providers.swedbankpay import SwedbankPay
from prenopay.testing.emulators.sender import EmulatorSender
from prenopay.testing.emulators.swedbankpay import DEFAULT_ACCESS_TOKEN, DEFAULT_PAYEE_ID, SwedbankPayEmulator
import tempfile
folder = tempfile.TemporaryDirectory()
database = f"sqlite:///{folder.name}/shop.db"
upgrade_database(database)
emulator = SwedbankPayEmulator()
accounts = Accounts.open(
    database, callback_url="https://shop.example", callback_keys=["k" * 32], sender=EmulatorSender(emulator.mounts)
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


def test_after_opening_a_payment_loads_nothing_more() -> None:
    assert loaded_by(WARM) - {"encodings", "stringprep"} == set()
