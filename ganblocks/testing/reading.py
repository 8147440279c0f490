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
"""How the file names of methods begin that attrs writes: comparisons, repr, and the validation of an option by itself."""
_LIBRARIES = {"attr", "attrs", "ganblocks", "hypothesis", "numpy", "pytest", "torch", ""}
"""Packages that read no option of a plugin's component by name."""
_COPYING = ("ganblocks.schedules", "ganblocks.options", "ganblocks.testing", "ganblocks.origins")
"""Who reads every option without using any."""


def spied(component: Any, read: set[str]) -> Any:
    """The same component, of a class that adds the name of every option that the plugin's code reads to ``read``.

    Raises TypeError where its class does not allow a subclass.
    """
    cls = type(component)
    names = {attribute.name for attribute in options_of(cls).values()}
    read_as_ever: Any = cls.__getattribute__

    def look(self: Any, name: str) -> Any:
        if name in names and name not in read and _by_the_plugin(sys._getframe(1)):
            read.add(name)
        return read_as_ever(self, name)

    body = {"__slots__": (), "__getattribute__": look, "__module__": cls.__module__, "__qualname__": cls.__qualname__}
    make: Any = type(cls)  # its metaclass
    twin = make(cls.__name__, (cls,), body)
    return twin(**{key: getattr(component, attribute.name) for key, attribute in options_of(cls).items()})


def _by_the_plugin(frame: FrameType | None) -> bool:
    """Whether the reader is neither generated nor a copier; ``attrs.asdict`` and its like read for whoever calls them."""
    while frame is not None and str(frame.f_globals.get("__name__", "")).split(".")[0] in ("attr", "attrs"):
        frame = frame.f_back
    if frame is None or frame.f_code.co_filename.startswith(_GENERATED):
        return False
    return not str(frame.f_globals.get("__name__", "")).startswith(_COPYING)


def mentioned(cls: type, names: Collection[str]) -> set[str]:
    """Those that the class's package, or one that it uses, reads as an attribute of anything, or has as a name in quotes."""
    packages = _used_by({cls.__module__.partition(".")[0]})
    text = "\n".join(_source(module) for name, module in [*sys.modules.items()] if name.partition(".")[0] in packages)
    return {name for name in names if re.search(rf"\.{name}\b|[\"']{name}[\"']", text)}


def _used_by(packages: set[str]) -> set[str]:
    """The packages and all plugins from which their modules take names."""
    modules = [module for name, module in [*sys.modules.items()] if name.partition(".")[0] in packages]
    origins = {getattr(value, "__module__", None) or "" for module in modules for value in [*vars(module).values()]}
    used = {str(origin).partition(".")[0] for origin in origins} - _LIBRARIES - sys.stdlib_module_names
    return packages if used <= packages else _used_by(packages | used)


def _source(module: ModuleType) -> str:
    try:
        return inspect.getsource(module)
    except (OSError, TypeError):  # it has none, or none that can be found
        return ""


def readable(cls: type, facts: Collection[str]) -> set[str]:
    """The names of the options that a component itself must read: all but those that the core reads as facts of the kind."""
    return {attribute.name for attribute in options_of(cls).values()} - set(facts)
