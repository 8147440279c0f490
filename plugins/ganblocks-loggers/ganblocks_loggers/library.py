"""Import a logger's library when it is needed, say what to install where it is missing, and check names for all stores."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any

import attrs

import ganblocks

PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,99}")


def library(name: str, extra: str) -> Any:
    """Return a module. Raise ImportError, naming the extra of ganblocks to install, if it cannot be imported."""
    try:
        return import_module(name)
    except ImportError as error:
        raise ImportError(f"{error}: pip install 'ganblocks[{extra}]'", name=error.name) from error


def plain_name(instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    """Refuse the name of a project that a store may not accept."""
    if not PLAIN.fullmatch(value):
        raise ganblocks.OptionError("must be a name of at most 100 letters, digits, spaces, and . _ -")
