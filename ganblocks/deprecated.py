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
RENAMED_IN_TESTING = {"BrokenPromise": "ConformanceError"}
"""The same of ``ganblocks.testing``."""


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
