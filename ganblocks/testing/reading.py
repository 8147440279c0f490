"""Which options of a component its own code reads."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Collection
from types import FrameType, ModuleType
from typing import Any

from ganblocks.options.fields import options_of

_GENERATED = "<attrs generated"
"""Start of the file names of methods that attrs generates: comparison, repr, and validation of an option by itself."""
_LIBRARIES = {"attr", "attrs", "ganblocks", "hypothesis", "numpy", "pytest", "torch", ""}
"""Packages that read no option of a plugin by name."""
_COPYING = ("ganblocks.schedules", "ganblocks.options", "ganblocks.testing", "ganblocks.origins")
"""Modules that read every option without using any."""


def spied(component: Any, read: set[str]) -> Any:
    """Return an equal component whose class adds the name of every option that the plugin's code reads to ``read``.

    Raise TypeError where its class does not allow a subclass.
    """
    cls = type(component)
    names = {attribute.name for attribute in options_of(cls).values()}
    original: Any = cls.__getattribute__

    def getattribute(self: Any, name: str) -> Any:
        if name in names and name not in read and _by_the_plugin(sys._getframe(1)):
            read.add(name)
        return original(self, name)

    body = {"__slots__": (), "__getattribute__": getattribute, "__module__": cls.__module__, "__qualname__": cls.__qualname__}
    metaclass: Any = type(cls)
    twin = metaclass(cls.__name__, (cls,), body)
    return twin(**{key: getattr(component, attribute.name) for key, attribute in options_of(cls).items()})


def _by_the_plugin(frame: FrameType | None) -> bool:
    """Return whether the reader is neither generated nor a copier; ``attrs.asdict`` and the like read for their caller."""
    while frame is not None and str(frame.f_globals.get("__name__", "")).split(".")[0] in ("attr", "attrs"):
        frame = frame.f_back
    if frame is None or frame.f_code.co_filename.startswith(_GENERATED):
        return False
    return not str(frame.f_globals.get("__name__", "")).startswith(_COPYING)


def mentioned(cls: type, names: Collection[str]) -> set[str]:
    """Return the names that the class's package, or one that it uses, reads as an attribute or contains in quotes."""
    packages = _used_by({cls.__module__.partition(".")[0]})
    text = "\n".join(_source(module) for name, module in [*sys.modules.items()] if name.partition(".")[0] in packages)
    return {name for name in names if re.search(rf"\.{name}\b|[\"']{name}[\"']", text)}


def _used_by(packages: set[str]) -> set[str]:
    """Return the packages and all plugins that their modules import names from."""
    modules = [module for name, module in [*sys.modules.items()] if name.partition(".")[0] in packages]
    origins = {getattr(value, "__module__", None) or "" for module in modules for value in [*vars(module).values()]}
    used = {str(origin).partition(".")[0] for origin in origins} - _LIBRARIES - sys.stdlib_module_names
    return packages if used <= packages else _used_by(packages | used)


def _source(module: ModuleType) -> str:
    try:
        return inspect.getsource(module)
    except (OSError, TypeError):  # it has no source file
        return ""


def readable(cls: type, facts: Collection[str]) -> set[str]:
    """Return the options that a component itself must read: all but those that the core reads as class facts of the kind."""
    return {attribute.name for attribute in options_of(cls).values()} - set(facts)
