"""The fields of a class that a recipe may fill, and what each may hold."""

from __future__ import annotations

import typing
from functools import lru_cache
from types import NoneType
from typing import Any

import attrs

from ganblocks.errors import BrokenPlugin
from ganblocks.options.limits import limits_of
from ganblocks.options.types import Component, OptionType, option_type

KIND = "ganblocks.socket"
"""Metadata key: the kind of component that a socket takes."""
DEFAULT = "ganblocks.default"
"""Metadata key: the name of the component that fills an empty socket; None: it must be filled."""
PLUGIN_DEFAULT = "default"
"""A name that means the first component of a kind in the plugins' ``GANBLOCKS_DEFAULTS``."""
INLINE = "ganblocks.inline"
"""Metadata key: the options of the component in this socket stand among the keys of the section that holds the socket."""


def options_of(cls: type) -> dict[str, attrs.Attribute[Any]]:
    """Return the options of a component or section: name in TOML -> field."""
    return {key_of(attribute): attribute for attribute in attrs.fields(cls) if attribute.init}


def key_of(attribute: attrs.Attribute[Any]) -> str:
    """Return the name of a field in TOML, which is also its name in the class's constructor."""
    return attribute.alias or attribute.name


def default_of(attribute: attrs.Attribute[Any], instance: Any = None) -> Any:
    """Return what a field holds where nothing is given; NOTHING if it must be given, or follows from an instance not given."""
    default: Any = attribute.default
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]  # a class, whatever its stub says
        arguments = [instance] * default.takes_self
        return attrs.NOTHING if arguments == [None] else default.factory(*arguments)
    return default


def socket_kind(attribute: attrs.Attribute[Any]) -> str | None:
    """Return the kind of component that a field takes, or None if it is an ordinary option."""
    return attribute.metadata.get(KIND)


def inline_of(cls: type) -> attrs.Attribute[Any] | None:
    """Return the section's inline socket, if it has one."""
    return next((attribute for attribute in attrs.fields(cls) if attribute.metadata.get(INLINE)), None)


@lru_cache(maxsize=1024)
def hints_of(cls: type) -> dict[str, Any]:
    """Return the types of a class's fields by field name. Raise BrokenPlugin if one cannot be read at run time."""
    try:
        return typing.get_type_hints(cls)
    except (NameError, TypeError) as error:
        rule = f"{cls.__module__}.{cls.__qualname__}: the types of its options cannot be read: {error}"
        raise BrokenPlugin(rule, "import the types of options at module level, not under TYPE_CHECKING") from error


@lru_cache(maxsize=1024)
def types_of(cls: type) -> dict[str, OptionType]:
    """Return what each option may hold, by field name. Raise BrokenPlugin as :func:`hints_of` does."""
    return {attribute.name: _type_of(attribute, hints_of(cls)[attribute.name]) for attribute in options_of(cls).values()}


def _type_of(attribute: attrs.Attribute[Any], hint: Any) -> OptionType:
    if kind := socket_kind(attribute):
        return Component(kind=kind, usual=attribute.metadata[DEFAULT], or_none=NoneType in typing.get_args(hint))
    return option_type(hint, limits_of(attribute))
