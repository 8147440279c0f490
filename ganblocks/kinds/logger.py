"""Logger: shows a run elsewhere while it trains, such as in TensorBoard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ganblocks.values import LoggedRun


class LoggerSession(Protocol):
    """Receives what a run logs, in order. All of its methods run in one thread, which is not that of the training.

    Whatever a method raises ends the session with one warning; the run goes on without it.
    """

    def log(self, numbers: Mapping[str, float], images_seen: int) -> None:
        """Log finite numbers by name, such as ``generator/loss``, after so many images."""
        ...

    def images(self, name: str, grid: NDArray[np.uint8], images_seen: int) -> None:
        """Log a grid of images, uint8 RGB [H, W, 3], after so many images."""
        ...

    def rewind(self, images_seen: int) -> None:
        """Prepare for what comes after so many images once more: the run was resumed, or rolled back to a checkpoint.

        No moment may appear twice. A logger that can delete drops what it has of later moments, of earlier sessions too;
        any other one keeps it, and leaves those moments out when they come again.
        """
        ...

    def finish(self, complete: bool) -> None:
        """Store all that was logged, and end the session; ``complete``: the run has reached its length."""
        ...


class Logger(Protocol):
    """Sends the numbers and sample grids of a run to another program. It reads nothing but what it is given."""

    def start(self, run: LoggedRun) -> LoggerSession:
        """Begin to log a run, or continue with one that was logged into the same folder before.

        Import the library here and not earlier, so that a run without this logger does not need it. Keep files in
        ``run.folder``; ask for no input.

        Raises ``ImportError``, whose message says what to install, where the library is missing.
        """
        ...
