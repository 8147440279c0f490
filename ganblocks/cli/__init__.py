"""The command line: the only place that prints and exits. One file per command, imported when the command is used."""

from __future__ import annotations

from ganblocks.cli.app import main

__all__ = ["main"]
