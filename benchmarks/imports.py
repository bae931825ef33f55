"""What a fresh interpreter spends on prenopay, compared with one that imports httpx: user and system CPU together."""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from benchmarks import gateway
from benchmarks.measuring import Ratio, compare

COMMAND_GOAL: Final = 2.5
ROUNDS: Final = 15


def measure() -> Iterator[Ratio]:
    """Measure the bare import, everything a shop imports, and two commands that must start fast."""
    shop = "from prenopay import Accounts; import prenopay.providers.swedbankpay"
    with tempfile.TemporaryDirectory() as folder:
        body = Path(folder) / "order.json"
        body.write_bytes(gateway.body(paid=True))
        program = (sys.executable, "-c", "import sys; from prenopay.cli import main; sys.exit(main(sys.argv[1:]))")
        for name, command, goal in (
            ("import prenopay", (sys.executable, "-c", "import prenopay"), None),
            ("all a shop imports", (sys.executable, "-c", shop), None),
            ("prenopay --help", (*program, "--help"), COMMAND_GOAL),
            ("prenopay inspect swedbankpay", (*program, "inspect", "swedbankpay", str(body)), COMMAND_GOAL),
        ):
            yield compare(
                name,
                _process(command),
                _process((sys.executable, "-c", "import httpx")),
                baseline_name="import httpx",
                calls=1,
                rounds=ROUNDS,
                clock=_children_cpu,
                goal=goal,
            )


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _process(command: tuple[str, ...]) -> Callable[[], object]:
    return lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
