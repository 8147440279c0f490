"""Former public names. Each still works for one version, with a DeprecationWarning that names the new one."""

from __future__ import annotations

import warnings

RENAMED = {"Linear": "LinearSchedule", "Maintained": "HasEstimates", "Misfit": "PlacementError"}
"""Former name in ``ganblocks`` -> its name now."""


def warn_renamed(old: str, new: str, stacklevel: int = 3) -> None:
    """Warn that ``old`` is a former name of ``new``."""
    warnings.warn(f"{old} is deprecated and goes in the next version: use {new}", DeprecationWarning, stacklevel=stacklevel)
