"""What the command line says about a benchmark."""

from __future__ import annotations

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

    def rounds(self, usual: int) -> int:
        """Return how many rounds to time, where a benchmark has ``usual`` ones."""
        return self.repetitions or (2 if self.toy else usual)
