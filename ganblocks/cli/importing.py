"""Importing without garbage collection."""

from __future__ import annotations

import gc
import sys
from importlib import import_module
from typing import Any


def import_once(module: str) -> Any:
    """Import and return the module of a command.

    Modules are no garbage, and looking for some among the objects of torch, each time a few thousand more are there, takes a
    fifth of its import, and as much again when Python ends. So they are excluded from all later collections.
    """
    if "torch" in sys.modules or not gc.isenabled():
        return import_module(module)
    gc.disable()
    try:
        return import_module(module)
    finally:
        gc.freeze()
        gc.enable()
