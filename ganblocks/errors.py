"""Every error that a user can cause, by name; each knows the exit code of its command.

Exit codes: 1 a failure while training, 2 the user's input (recipe, option, unknown name), 3 data or checkpoint, 4 stopped by
the health rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from attrs import evolve, frozen


class GanblocksError(Exception):
    """An error that a user, a file or a plugin causes; printed without a traceback.

    ``rule`` says what is wrong or what must hold, ``hint`` the likely fix; the message has both.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, rule: str = "", hint: str = "") -> None:
        self.rule, self.hint = rule, hint
        super().__init__(f"{rule}; {hint}" if hint else rule)


@frozen
class Mistake:
    """One mistake in a recipe."""

    where: str
    """Dotted path of the value, such as ``generator.attention.reduction``."""
    arrived: str
    """The value as its author wrote it; empty: there was none."""
    rule: str
    """The rule that it breaks."""
    hint: str = ""
    """The likely fix, if there is one."""
    source: str = ""
    """File and line, such as ``recipes/sagan.toml:14``, if they are known."""

    def __str__(self) -> str:
        where = f"{self.where}: " if self.where else ""
        arrived = f" (got {self.arrived})" if self.arrived else ""
        hint = f"; {self.hint}" if self.hint else ""
        return f"{where}{self.rule}{arrived}{hint}"


class RecipeError(GanblocksError):
    """A recipe, or an option of a component, is wrong. Carries every mistake, not only the first."""

    exit_code = 2

    def __init__(self, mistakes: Iterable[Mistake], source: str = "") -> None:
        self.mistakes = tuple(mistakes)
        self.source = source
        super().__init__(str(self))

    def in_ablation(self, name: str) -> RecipeError:
        """Return the same mistakes, each with the name of the ablation."""
        words = f"(ablation {name})"
        named = [it if words in it.source else evolve(it, where=f"{it.where} {words}") for it in self.mistakes]
        return RecipeError(named, self.source)

    def __str__(self) -> str:
        sourced = ((mistake.source or self.source, mistake) for mistake in self.mistakes)
        return "\n".join(f"{source}: {mistake}" if source else str(mistake) for source, mistake in sourced)


class OptionError(GanblocksError, ValueError, TypeError):
    """An option has a wrong type or value. The validators of a component may raise it to give a hint."""

    exit_code = 2

    def __init__(self, rule: str, hint: str = "", option: str = "", arrived: str = "") -> None:
        super().__init__(rule, hint)
        self.option, self.arrived = option, arrived

    def __str__(self) -> str:
        return str(Mistake("", self.arrived, f"'{self.option}' {self.rule}" if self.option else self.rule, self.hint))


class UnknownComponent(GanblocksError):
    """No installed plugin offers a component of that name."""

    exit_code = 2


class AmbiguousComponent(GanblocksError):
    """Several plugins offer a component of that name; ``owner:name`` is unambiguous."""

    exit_code = 2


class BrokenPlugin(GanblocksError):
    """A plugin that was requested, or any under ``--strict-plugins``, cannot be used."""

    exit_code = 2


class PlacementError(GanblocksError):
    """A component cannot be built at its site (too few channels, an odd size, no classes, …)."""

    exit_code = 2

    def __init__(self, where: str, rule: str, hint: str = "") -> None:
        super().__init__(rule, hint)
        self.where = where

    def __str__(self) -> str:
        return str(Mistake(self.where, "", self.rule, self.hint))


class UnfitSize(PlacementError):
    """A network cannot process images of the data's size, whatever its other options."""

    def __init__(self, where: str, rule: str, hint: str, fits: Callable[[Any], bool]) -> None:
        self.fits = fits
        """Whether another size works."""
        super().__init__(where, rule, hint)


class UsageError(GanblocksError):
    """The command line is wrong (a folder in use, a class that does not exist)."""

    exit_code = 2


class DataError(GanblocksError):
    """Training data is missing, unreadable, or not as the recipe says."""

    exit_code = 3


class CheckpointError(GanblocksError):
    """A run folder or checkpoint is missing, incomplete, or of another run."""

    exit_code = 3


class OutOfMemory(GanblocksError):
    """A step needs more memory than the device has; the message says what to set."""


class Diverged(GanblocksError):
    """Training produced a value that is not finite, and stopped before saving it."""

    exit_code = 4


class Collapsed(GanblocksError):
    """The generator has collapsed or stopped learning, and the recipe says to stop then."""

    exit_code = 4
