"""A frozen class -> plain values that read back as an equal one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

import attrs

from ganblocks.options.fields import INLINE, options_of, socket_kind
from ganblocks.schedules import SCHEDULES, Constant

NameOf = Callable[[str, object], str]
"""(kind, component) -> the name under which a recipe finds it."""


def unstructure(component: object, name_of: NameOf) -> dict[str, Any]:
    """The options of a component (or the keys of a section) as plain values, complete: defaults are written out.

    What is None is left out, because TOML has no word for it. Constant schedules become bare numbers; a filled socket becomes
    ``{"use": name, …}``, or the bare name where the component has no options.
    """
    table: dict[str, Any] = {}
    for key, attribute in options_of(type(component)).items():
        value, kind = getattr(component, attribute.name), socket_kind(attribute)
        if kind and attribute.metadata.get(INLINE):
            table = {"use": name_of(kind, value), **unstructure(value, name_of), **table}
        elif value is not None:
            table[key] = _socket(kind, value, name_of) if kind else plain(value, name_of)
    return table


def _socket(kind: str, component: object, name_of: NameOf) -> Any:
    options, name = unstructure(component, name_of), name_of(kind, component)
    return {"use": name, **options} if options else name


def plain(value: Any, name_of: NameOf = lambda kind, component: type(component).__name__) -> Any:
    """The value of an option as TOML can hold it."""
    match value:
        case Constant():
            return value.value
        case Enum():
            return value.value
        case Path():
            return str(value)
        case Mapping():
            return {key: plain(item, name_of) for key, item in value.items()}
        case list() | tuple():
            return [plain(item, name_of) for item in value]
    if not attrs.has(type(value)):
        return value
    use = next(({"use": name} for name, cls in SCHEDULES.items() if type(value) is cls), {})
    return {**use, **unstructure(value, name_of)}
