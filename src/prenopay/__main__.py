"""``python -m prenopay`` is the command ``prenopay``."""

from __future__ import annotations

import sys

from prenopay.cli import main

if __name__ == "__main__":
    sys.exit(main())
