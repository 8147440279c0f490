"""``conformance``: test every component of a plugin against every property of its kind."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Mapping, Sequence
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
from ganblocks.testing.checks import CASES, PROPERTIES
from ganblocks.testing.expect import ConformanceError, NotApplicable, NotChecked
from ganblocks.testing.properties import Property
from ganblocks.testing.settings import scaled

F = TypeVar("F", bound=Callable[..., Any])
KEPT, BROKEN, NOT_CHECKED = "kept", "broken", "not checked"
_HERE = str(Path(__file__).parent)


@frozen
class Verdict:
    """The result of testing one property of one component."""

    kind: str
    component: str
    property: str
    statement: str
    status: str
    """``kept``, ``broken`` or ``not checked``."""
    observed: str = ""
    """What was observed instead, or why nothing was checked."""
    example: str = ""
    """The smallest failing example."""
    loaded: bool = True
    """False where the component cannot be loaded, so that none of its properties can be tested."""

    def details(self, indent: str = "  ") -> list[str]:
        """Return lines on the property (if it is broken), what was observed, and the example."""
        texts = {"property": self.statement * (self.status == BROKEN), "observed": self.observed, "example": self.example}
        return [f"{indent}{label}: {text}" for label, text in texts.items() if text]

    def __str__(self) -> str:
        return "\n".join([f"{self.kind} {self.component}: {self.property} is {self.status}", *self.details()])


@frozen
class Check:
    """One property of one component. Calling it raises ConformanceError if the component lacks the property."""

    offer: Offer
    tested: Property
    registry: Registry = field(repr=False)
    given: Sequence[Any] = ()
    excuse: str = ""
    """Why the author excludes it."""

    @property
    def name(self) -> str:
        """``kind-component-property``."""
        return f"{self.offer.kind}-{self.component}-{self.tested.name}"

    @property
    def component(self) -> str:
        """The component's name, with its owner if several plugins use the name."""
        return self.registry.short_name(self.offer)

    def __call__(self) -> None:
        __tracebackhide__ = True
        verdict = self.verdict()
        if verdict.status == NOT_CHECKED:
            import pytest

            pytest.skip(verdict.observed)
        if verdict.status == BROKEN:
            raise ConformanceError(str(verdict))

    def verdict(self, examples: int | None = None) -> Verdict:
        """Test the property on ``examples`` examples; the verdict holds the smallest failing one."""
        if self.excuse:
            return self._verdict(NOT_CHECKED, self.excuse)
        try:
            cls = self.offer.resolve()
        except BrokenPlugin as error:
            return self._not_loaded(error)
        trial = _Trial(self.tested.check)
        try:
            self._search(cls, trial, examples)
        except NotChecked as reason:
            return self._verdict(NOT_CHECKED, str(reason), reason.detail)
        except ConformanceError as error:
            return self._verdict(BROKEN, str(error), trial.example)
        except Unsatisfiable:
            return self._verdict(BROKEN, "no options and no site were found with which it can be built", trial.example)
        except FlakyFailure:
            return self._verdict(BROKEN, f"behaves differently on the same example: {trial.failure}", trial.example)
        except Exception as error:  # a plugin's component may raise anything
            return self._verdict(BROKEN, f"raises {_described(error)}", trial.example)
        return self._verdict(KEPT) if trial.applied else self._verdict(NOT_CHECKED, trial.inapplicable)

    def _search(self, cls: type, trial: _Trial, examples: int | None) -> None:
        cases = (self.tested.cases or CASES[self.offer.kind])(cls, self.registry, self.given)
        chosen = _settings(examples or scaled(self.tested.examples), self.tested.shrinks)
        hypothesis.seed(seed_of(self.name))(chosen(given(cases)(trial.attempt)))()  # the same examples on every machine

    def _not_loaded(self, error: BrokenPlugin) -> Verdict:
        """Return broken for the first property of the component, and not checked for all others."""
        if self.tested == PROPERTIES[self.offer.kind][0]:
            return self._verdict(BROKEN, str(error), f"{self.offer.target}", loaded=False)
        return self._verdict(NOT_CHECKED, "the component cannot be loaded", loaded=False)

    def _verdict(self, status: str, observed: str = "", example: str = "", loaded: bool = True) -> Verdict:
        tested = self.tested
        return Verdict(self.offer.kind, self.component, tested.name, tested.statement, status, observed, example, loaded)


class _Trial:
    """Remembers the last case: when hypothesis gives up, that is the smallest failing one."""

    def __init__(self, check: Callable[[Any], None]) -> None:
        self.check, self.example, self.failure = check, "", ""
        self.applied, self.inapplicable = 0, ""

    def attempt(self, case: Any) -> None:
        self.example = str(case)
        try:
            self.check(case)
            self.applied += 1
        except NotApplicable as reason:
            self.inapplicable = str(reason)
        except Exception as error:
            self.failure = _described(error)
            raise


def conformance(
    plugin: ModuleType | str,
    *,
    examples: Mapping[str, Sequence[Any]] | None = None,
    except_for: Mapping[str, str] | None = None,
) -> Callable[[F], F]:
    """Run a test once for every component of a plugin and every property of its kind.

    ::

        @conformance(my_plugin)
        def test_conformance(check):
            check()

    Args:
        plugin: the module with the hooks; or the name of an installed plugin, distribution or module.
        examples: ``"kind/name"`` -> components to test instead of drawn ones: for options that cannot be drawn at random, such
            as the path of a data set.
        except_for: name of a property, or ``"kind/name/property"`` -> why it is not checked. It is shown as skipped.

    """
    import pytest

    checks = checks_of(plugin, examples=examples, except_for=except_for)
    return pytest.mark.parametrize("check", [pytest.param(check, id=check.name) for check in checks])


def checks_of(
    plugin: ModuleType | str,
    registry: Registry | None = None,
    examples: Mapping[str, Sequence[Any]] | None = None,
    except_for: Mapping[str, str] | None = None,
) -> list[Check]:
    """Return a check for every property of every component of a plugin.

    Raises:
        UnknownComponent: no plugin, distribution or module has this name.
        BrokenPlugin: it cannot be loaded, or offers nothing.

    """
    offers, registry = _offered(plugin, registry or discover())
    given, excuses = examples or {}, except_for or {}
    checks = []
    for offer in offers:
        path = f"{offer.kind}/{offer.name}"
        for item in PROPERTIES[offer.kind]:
            excuse = excuses.get(item.name, excuses.get(f"{path}/{item.name}", ""))
            checks.append(Check(offer, item, registry, given.get(path, ()), excuse))
    return checks


def _offered(plugin: ModuleType | str, registry: Registry) -> tuple[Sequence[Offer], Registry]:
    """Return what a plugin offers, and a registry that contains it."""
    if isinstance(plugin, str):
        name = _normalized(plugin)
        offers = [offer for offer in registry.offers() if name in (_normalized(offer.owner), _normalized(offer.distribution))]
        if offers:
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
        if _normalized(name) in (_normalized(fact.name), _normalized(fact.distribution)) and fact.reason:
            raise BrokenPlugin(f"{name}: {fact.reason}")
    try:
        return import_module(name)
    except (ImportError, ValueError) as error:
        known = sorted({fact.name for fact in registry.plugins})
        rule = f"no plugin, distribution or module is called {name!r} ({type(error).__name__}: {error})"
        raise UnknownComponent(f"{rule}; installed plugins: {', '.join(known)}") from error


def _normalized(name: str) -> str:
    """Return a distribution's name as pip compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


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


def _described(error: BaseException) -> str:
    """Return an error's type and message, and the last line outside the kit that it passed."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(_HERE)]
    frames = [frame for frame in frames if "hypothesis" not in frame.filename and "/torch/" not in frame.filename]
    line = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}{line}"
