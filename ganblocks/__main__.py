"""``python -m ganblocks``."""

from __future__ import annotations

import sys

from ganblocks.cli import main

sys.exit(main())
