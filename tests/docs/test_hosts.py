"""The callback apps that ``docs/howto/hosts.md`` mounts answer as ``prenopay doctor`` expects."""

from __future__ import annotations

import ast
import asyncio
import io
from collections.abc import Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit
from wsgiref.util import setup_testing_defaults

import pytest

from prenopay import AsyncAccounts
from prenopay.accounts.reception import DOCTOR
from tests.conftest import real_part_is_missing
from tests.docs.conftest import CALLBACK_URL, KEY, installed
from tests.docs.reading import DOCS, ROOT, documents, python_blocks, run


@pytest.fixture
def page(stage: dict[str, Any]) -> dict[str, Any]:
    """Return the names of the page once its blocks have run."""
    run(DOCS / "howto" / "hosts.md", stage, exchange={})
    return stage


def own_path(page: dict[str, Any]) -> str:
    path: str = urlsplit(page["accounts"].callback_urls.url("kuriren-cards", DOCTOR)).path
    return path


@pytest.mark.parametrize(("framework", "app"), [("flask", "app"), ("django", "application")])
def test_a_wsgi_host_takes_callbacks_and_refuses_forged_paths(page: dict[str, Any], framework: str, app: str) -> None:
    if not installed(framework):
        real_part_is_missing(f"{framework} is not installed")
    path = own_path(page)
    assert [call_wsgi(page[app], each) for each in (path, path[:-1] + "!")] == ["204", "404"]


@pytest.mark.parametrize(
    ("framework", "build"),
    [("django", "with_callbacks"), ("fastapi", "mount_callbacks"), ("starlette", "build")],
)
def test_an_asgi_host_takes_callbacks(page: dict[str, Any], framework: str, build: str) -> None:
    if not installed(framework):
        real_part_is_missing(f"{framework} is not installed")
    assert asyncio.run(call_asgi(page[build], page["database"], page["config"], own_path(page))) == 204


def test_a_host_without_either_hands_the_callback_over(page: dict[str, Any]) -> None:
    assert page["take"](own_path(page), b"", {}, "127.0.0.1") == 204


def test_every_loop_that_sweeps_outlives_a_failure() -> None:
    texts = [text for page in documents() for text in python_blocks(page)]
    texts += [file.read_text(encoding="utf-8") for file in sorted((ROOT / "examples").rglob("*.py"))]
    loops = [
        loop
        for text in texts
        if ".sweep()" in text
        for loop in ast.walk(ast.parse(text))
        if isinstance(loop, ast.While) and ".sweep()" in ast.unparse(loop)
    ]
    assert len(loops) == 3
    for loop in loops:
        tries = [ast.unparse(each) for each in loop.body if isinstance(each, ast.Try)]
        assert [".sweep()" in each and "except Exception:" in each and ".exception(" in each for each in tries] == [
            True
        ]


def call_wsgi(app: Any, path: str) -> str:
    """Return the status with which a WSGI host answers a call to ``path``."""
    said: list[str] = []
    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    environ |= {"REQUEST_METHOD": "POST", "PATH_INFO": path, "wsgi.input": io.BytesIO()}
    answered = app(environ, lambda status, _headers, _exc=None: said.append(status[:3]))
    if hasattr(answered, "close"):  # a server calls it only where there is one (PEP 3333)
        answered.close()
    (status,) = said
    return status


async def call_asgi(build: Callable[[AsyncAccounts], Any], database: str, config: Any, path: str) -> int:
    """Return the status with which an ASGI host answers a call to ``path``."""
    said: list[MutableMapping[str, Any]] = []
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "headers": [],
        "query_string": b"",
        "scheme": "http",
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        said.append(message)

    accounts = AsyncAccounts.open(database, callback_url=CALLBACK_URL, callback_keys=[KEY])
    accounts.add(config)
    await build(accounts)(scope, receive, send)
    await accounts.aclose()
    status: int = said[0]["status"]
    return status
