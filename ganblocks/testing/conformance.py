"""``conformance``: every component of a plugin against every promise of its kind."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import hypothesis
from attrs import field, frozen
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import FlakyFailure, Unsatisfiable

from ganblocks.errors import BrokenPlugin, UnknownComponent
from ganblocks.plugins import discover, examine
from ganblocks.registry import Offer, Registry
from ganblocks.seeding import seed_of
from ganblocks.testing import checks
from ganblocks.testing.promises import CASES, PROMISES, BrokenPromise, Inapplicable, NotChecked, Promise
from ganblocks.testing.settings import scaled

F = TypeVar("F", bound=Callable[..., Any])
KEPT, BROKEN, NOT_CHECKED = "kept", "broken", "not checked"
_HERE = str(Path(__file__).parent)

assert checks, "imported for what it fills"


@frozen
class Verdict:
    """What became of one promise of one component."""

    kind: str
    component: str
    promise: str
    words: str
    status: str
    """``kept``, ``broken`` or ``not checked``."""
    found: str = ""
    """What was seen instead, or why nothing was checked."""
    example: str = ""
    """The smallest example that shows it."""

    def __str__(self) -> str:
        lines = [f"{self.kind} {self.component}: {self.promise} is {self.status}", f"  promise: {self.words}"]
        lines += [f"  found:   {self.found}"] if self.found else []
        return "\n".join(lines + ([f"  example: {self.example}"] if self.example else []))


@frozen
class Check:
    """One promise of one component. Calling it raises BrokenPromise, or does nothing."""

    offer: Offer
    promise: Promise
    registry: Registry = field(repr=False)
    given: Sequence[Any] = ()
    excused: str = ""
    """Why the author does not want it checked."""

    @property
    def name(self) -> str:
        return f"{self.offer.kind}-{self.component}-{self.promise.name}"

    @property
    def component(self) -> str:
        return self.registry.short_name(self.offer)

    def __call__(self) -> None:
        __tracebackhide__ = True
        verdict = self.verdict()
        if verdict.status == NOT_CHECKED:
            import pytest

            pytest.skip(verdict.found)
        if verdict.status == BROKEN:
            raise BrokenPromise(str(verdict))

    def verdict(self, examples: int | None = None) -> Verdict:
        """Try the promise on so many examples, and shrink the first that breaks it."""
        if self.excused:
            return self._verdict(NOT_CHECKED, self.excused)
        trial = _Trial(self.promise.check)
        try:
            cls = self.offer.resolve()
            cases = (self.promise.cases or CASES[self.offer.kind])(cls, self.registry, self.given)
            chosen = _settings(examples or scaled(self.promise.examples), self.promise.shrinks)
            trying = chosen(given(cases)(trial.attempt))
            hypothesis.seed(seed_of(self.name))(trying)()  # the same examples on every machine
        except NotChecked as reason:
            return self._verdict(NOT_CHECKED, str(reason), reason.detail)
        except BrokenPromise as broken:
            return self._verdict(BROKEN, str(broken), trial.example)
        except Unsatisfiable:
            return self._verdict(BROKEN, "no options and no place could be found in which it can be built", trial.example)
        except FlakyFailure:
            return self._verdict(BROKEN, f"does not behave the same twice on the same example: {trial.failure}", trial.example)
        except Exception as error:  # a stranger's component may raise anything
            return self._verdict(BROKEN, f"raises {_told(error)}", trial.example)
        return self._verdict(KEPT) if trial.applied else self._verdict(NOT_CHECKED, trial.inapplicable)

    def _verdict(self, status: str, found: str = "", example: str = "") -> Verdict:
        return Verdict(self.offer.kind, self.component, self.promise.name, self.promise.words, status, found, example)


class _Trial:
    """Remembers the last case: when hypothesis gives up, that is the smallest that fails."""

    def __init__(self, check: Callable[[Any], None]) -> None:
        self.check, self.example, self.failure = check, "", ""
        self.applied, self.inapplicable = 0, ""

    def attempt(self, case: Any) -> None:
        self.example = str(case)
        try:
            self.check(case)
            self.applied += 1
        except Inapplicable as reason:
            self.inapplicable = str(reason)
        except Exception as error:
            self.failure = _told(error)
            raise


def conformance(
    plugin: ModuleType | str,
    *,
    examples: Mapping[str, Sequence[Any]] | None = None,
    except_for: Mapping[str, str] | None = None,
) -> Callable[[F], F]:
    """Run a test once for every component that a plugin offers and every promise of its kind.

    ::

        @conformance(my_plugin)
        def test_conformance(check):
            check()

    Args:
        plugin: the module that holds the hooks; or the name of an installed plugin, distribution or module.
        examples: ``"kind/name"`` -> components to try instead of drawn ones: for options that no random value can fill, such
            as the path of a data set.
        except_for: name of a promise, or ``"kind/name/promise"`` -> why it is not checked. It is shown as skipped.

    """
    import pytest

    found = checks_of(plugin, examples=examples, except_for=except_for)
    return pytest.mark.parametrize("check", [pytest.param(check, id=check.name) for check in found])


def checks_of(
    plugin: ModuleType | str,
    registry: Registry | None = None,
    examples: Mapping[str, Sequence[Any]] | None = None,
    except_for: Mapping[str, str] | None = None,
) -> list[Check]:
    """Every promise of every component of a plugin.

    Raises:
        UnknownComponent: no plugin, distribution or module is called so.
        BrokenPlugin: it cannot be loaded, or offers nothing.

    """
    offers, registry = _offered(plugin, registry or discover())
    given, excuses = examples or {}, dict(except_for or {})
    found = []
    for offer in offers:
        place = f"{offer.kind}/{offer.name}"
        for each in PROMISES[offer.kind]:
            excused = excuses.get(each.name, excuses.get(f"{place}/{each.name}", ""))
            found.append(Check(offer, each, registry, given.get(place, ()), excused))
    return found


def _offered(plugin: ModuleType | str, registry: Registry) -> tuple[Sequence[Offer], Registry]:
    """What a plugin offers, and a registry that holds it."""
    if isinstance(plugin, str):
        if offers := [
            offer for offer in registry.offers() if _plain(plugin) in (_plain(offer.owner), _plain(offer.distribution))
        ]:
            return offers, registry
        plugin = _imported(plugin, registry)
    fact, offers = examine(plugin)
    if fact.faulty or not offers:
        raise BrokenPlugin(f"{plugin.__name__}: {fact.reason or '; '.join(fact.warnings)}")
    targets = {(offer.kind, offer.name, offer.target) for offer in offers}
    installed = [offer for offer in registry.offers() if (offer.kind, offer.name, offer.target) in targets]
    return (installed, registry) if len(installed) == len(offers) else (offers, registry.with_(Registry(offers)))


def _imported(name: str, registry: Registry) -> ModuleType:
    for fact in registry.plugins:
        if _plain(name) in (_plain(fact.name), _plain(fact.distribution)) and fact.reason:
            raise BrokenPlugin(f"{name}: {fact.reason}")
    try:
        return import_module(name)
    except (ImportError, ValueError) as error:
        known = sorted({fact.name for fact in registry.plugins})
        rule = f"no plugin, distribution or module is called {name!r} ({type(error).__name__}: {error})"
        raise UnknownComponent(f"{rule}; installed plugins: {', '.join(known)}") from error


def _plain(name: str) -> str:
    """A distribution's name as pip compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def verdicts(found: Iterable[Check], examples: int | None = None) -> Iterable[Verdict]:
    """Run checks one by one."""
    return (check.verdict(examples) for check in found)


def _settings(examples: int, shrinks: bool) -> settings:
    return settings(
        max_examples=examples,
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        print_blob=False,
        verbosity=hypothesis.Verbosity.quiet,
        phases=(Phase.generate, Phase.shrink) if shrinks else (Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )


def _told(error: BaseException) -> str:
    """An error in words: what, and the last place outside the kit."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(_HERE)]
    ours = [frame for frame in frames if "hypothesis" not in frame.filename and "/torch/" not in frame.filename]
    place = f" ({Path(ours[-1].filename).name}:{ours[-1].lineno})" if ours else ""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:300]}{place}"
