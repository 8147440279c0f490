"""Options of a component: strict reading of plain values into frozen classes, and the way back."""

from __future__ import annotations

from ganblocks.options.reader import Resolve, structure
from ganblocks.options.write import NameOf, unstructure

__all__ = ["NameOf", "Resolve", "structure", "unstructure"]
