"""Sockets: fields of a component that hold another component.

``norm: Norm = socket("norm", default="batch")`` says: here goes a component of kind *norm*. A recipe fills it with a string
(``norm = "batch"``) or a table (``norm = { use = "group", groups = 8 }``); in Python it holds the component itself.
"""

from __future__ import annotations

from typing import Any

import attrs
from attrs import field

KIND = "ganblocks.socket"
"""Metadata key: the kind that the socket takes."""
DEFAULT = "ganblocks.default"
"""Metadata key: the name of the component that fills the socket where the recipe says nothing; None: it must be filled."""


def socket(kind: str, default: str | None = None, *, optional: bool = False) -> Any:
    """Declare an attrs field that holds a component of ``kind``.

    Args:
        kind: name of the kind, such as ``"norm"``.
        default: name of the component to use where nothing is said, resolved by the registry when the owner is created from a
            recipe or by ``registry.create``. Without a default the socket must be filled.
        optional: it may stay empty, and does where nothing is said, or ``"none"`` in a recipe. The field, of a type such as
            ``Norm | None``, is then None.

    """
    metadata = {KIND: kind, DEFAULT: default}
    return field(default=None if optional else attrs.NOTHING, metadata=metadata, kw_only=True)


def socket_kind(attribute: attrs.Attribute[Any]) -> str | None:
    """The kind that a field takes, or None if it is an ordinary option."""
    return attribute.metadata.get(KIND)
