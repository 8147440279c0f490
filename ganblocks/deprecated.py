"""Former public names. Each still works for one version, with a DeprecationWarning that names the new one."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

RENAMED = {
    "ExaminesGenerator": "Diagnostic",
    "JudgesAlone": "ReferenceFree",
    "Linear": "LinearSchedule",
    "Maintained": "HasEstimates",
    "Misfit": "PlacementError",
}
"""Former name in ``ganblocks`` -> its name now."""


RENAMED_METHODS = {"Site.misfit": "error"}
"""Former name of a method of a class -> its name now."""


def former_method(instance: Any, name: str) -> Any:
    """Return the method that had this name, with a warning. Raise AttributeError if there was none."""
    old = f"{type(instance).__name__}.{name}"
    if old not in RENAMED_METHODS:
        raise AttributeError(f"{type(instance).__name__!r} object has no attribute {name!r}")
    warn_renamed(old, f"{type(instance).__name__}.{RENAMED_METHODS[old]}", stacklevel=4)
    return getattr(instance, RENAMED_METHODS[old])


def warn_renamed(old: str, new: str, stacklevel: int = 3) -> None:
    """Warn that ``old`` is a former name of ``new``."""
    warnings.warn(f"{old} is deprecated and goes in the next version: use {new}", DeprecationWarning, stacklevel=stacklevel)


class ExaminesGenerator:
    """Former base of metrics that examine a generator; now a component of kind ``diagnostic``, which needs no base class."""

    reads: ClassVar[frozenset[str]] = frozenset()

    def score(self, real: Any, fake: Any, seed: int) -> dict[str, float]:
        """Raise NotImplementedError: the evaluation calls ``examine``."""
        raise NotImplementedError(f"{type(self).__name__} examines a generator, not samples: call examine")


def is_former_diagnostic(component: object) -> bool:
    """Return whether a component is a diagnostic that is offered as a metric, as in the previous version."""
    return isinstance(component, ExaminesGenerator)
