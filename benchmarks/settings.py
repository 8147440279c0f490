"""What the command line says about a benchmark."""

from __future__ import annotations

from pathlib import Path

from attrs import frozen


@frozen
class Settings:
    """How a benchmark runs."""

    threads: int = 1
    """Threads of torch."""
    toy: bool = False
    """Whether everything is tiny: to see that it runs. Its numbers mean nothing."""
    repetitions: int | None = None
    """Timed rounds; None for the benchmark's own number."""
    against: str | None = None
    """A commit of this repository to compare with."""
    seed: int = 0
    """Of training, where the result depends on it."""
    out: Path | None = None
    """The file that will be written; what a long benchmark has measured before is kept in it."""

    def rounds(self, usual: int, toy: int = 2) -> int:
        """Return how many rounds to time, where a benchmark has ``usual`` ones, and ``toy`` at toy size."""
        return self.repetitions or (toy if self.toy else usual)
