"""The fields of a class that a recipe may fill."""

from __future__ import annotations

import typing
from functools import lru_cache
from typing import Any

import attrs

from ganblocks.errors import BrokenPlugin
from ganblocks.sockets import DEFAULT, KIND

INLINE = "ganblocks.inline"
"""Metadata key: the options of the component in this socket stand among the keys of the section that holds the socket."""


def inline_socket(kind: str) -> Any:
    """Declare the socket of a recipe's section whose component shares the section's table.

    Under ``[discriminator]`` stand ``use`` and the options of the network, and beside them ``augment``, which is the section's.
    """
    return attrs.field(metadata={KIND: kind, DEFAULT: None, INLINE: True})


def optional_socket(kind: str, validator: Any = None) -> Any:
    """Declare a socket that may stay empty (None): absent in a recipe, or ``"none"``."""
    return attrs.field(default=None, metadata={KIND: kind, DEFAULT: None}, validator=validator)


def options_of(cls: type) -> dict[str, attrs.Attribute[Any]]:
    """The options of a component or section: the name in TOML -> the field."""
    return {key_of(attribute): attribute for attribute in attrs.fields(cls) if attribute.init}


def key_of(attribute: attrs.Attribute[Any]) -> str:
    """The name of a field in TOML, which is also its name in the class's constructor."""
    return attribute.alias or attribute.name


def inline_of(cls: type) -> attrs.Attribute[Any] | None:
    """The section's inline socket, if it has one."""
    return next((attribute for attribute in attrs.fields(cls) if attribute.metadata.get(INLINE)), None)


@lru_cache(maxsize=1024)
def hints_of(cls: type) -> dict[str, Any]:
    """The types of a class's fields, by field name. Raises BrokenPlugin where one cannot be read at run time."""
    try:
        return typing.get_type_hints(cls)
    except (NameError, TypeError) as error:
        reason = f"{error}; import the types of options at module level, not under TYPE_CHECKING"
        raise BrokenPlugin(f"{cls.__module__}.{cls.__qualname__}: the types of its options cannot be read: {reason}") from error
