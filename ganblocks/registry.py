"""(kind, name) -> component and owner. Immutable; there is no global one."""

from __future__ import annotations

import difflib
import inspect
from collections import defaultdict
from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any

import attrs
from attrs import field, frozen

from ganblocks.errors import AmbiguousComponent, BrokenPlugin, UnknownComponent
from ganblocks.kinds import KINDS, Kind
from ganblocks.options import structure


@frozen
class PluginFact:
    """What became of one plugin."""

    name: str
    distribution: str = ""
    version: str = ""
    status: str = "ok"
    """``ok``, ``broken`` (nothing of it can be used) or ``blocked`` (kept out on request, not imported)."""
    reason: str = ""
    warnings: tuple[str, ...] = ()
    components: int = 0
    record: str = ""
    """sha256 of the distribution's RECORD, which lists the hash of every installed file; empty where there is none."""

    @property
    def faulty(self) -> bool:
        return self.status == "broken" or bool(self.warnings)


@frozen
class Offer:
    """One component that a plugin offers under one name."""

    kind: str
    name: str
    owner: str
    target: type | str
    """The class, or ``"package.module:Class"``."""
    distribution: str = ""
    version: str = ""

    @property
    def full_name(self) -> str:
        return f"{self.owner}:{self.name}"

    def resolve(self) -> type:
        """The component class, checked. Raises BrokenPlugin with the reason where it cannot be had."""
        target = self.target
        if isinstance(target, str):
            module, _, name = target.partition(":")
            try:
                target = getattr(import_module(module), name)
            except Exception as error:  # a stranger's module may raise anything
                raise BrokenPlugin(
                    f"{self.kind} {self.full_name}: {self.target!r} cannot be imported: {named(error)}"
                ) from error
        if reason := flaw(KINDS[self.kind], target):
            raise BrokenPlugin(f"{self.kind} {self.full_name}: {reason}")
        return target


def named(error: BaseException) -> str:
    """An error in words, on one line: its type alone where it has no message."""
    return f"{type(error).__name__}: {str(error).strip()}".splitlines()[0].removesuffix(": ")


def flaw(kind: Kind, target: object) -> str:
    """Why ``target`` is no component of ``kind``; empty if it is one."""
    if not isinstance(target, type):
        return f"is {target!r}, not a class"
    if not attrs.has(target):
        return f"{target.__qualname__} is not an attrs class; decorate it with @attrs.frozen"
    if not attrs.inspect(target).is_frozen:
        return f"{target.__qualname__} is not frozen; decorate it with @attrs.frozen"
    missing = [name for name in (*kind.methods, *kind.facts) if not hasattr(target, name)]
    if missing:
        return f"{target.__qualname__} lacks {', '.join(missing)}, which every {kind.name} has"
    wrong = [name for name in kind.methods if not inspect.isfunction(inspect.getattr_static(target, name))]
    return f"{target.__qualname__}.{wrong[0]} is not a method" if wrong else ""


def _by_name(offers: Iterable[Offer]) -> dict[tuple[str, str], tuple[Offer, ...]]:
    found: dict[tuple[str, str], list[Offer]] = defaultdict(list)
    for offer in sorted(offers, key=lambda offer: (offer.kind, offer.name, offer.owner)):
        found[offer.kind, offer.name].append(offer)
    return {key: tuple(group) for key, group in found.items()}


@frozen
class Registry:
    """Every component that installed plugins offer, and what became of every plugin."""

    _offers: Mapping[tuple[str, str], tuple[Offer, ...]] = field(converter=_by_name)
    plugins: tuple[PluginFact, ...] = ()

    @classmethod
    def of(cls, components: Mapping[str, Mapping[str, type | str]], owner: str = "here") -> Registry:
        """A registry of components at hand: ``Registry.of({"attention": {"mine": Mine}})``."""
        return cls([Offer(kind, name, owner, target) for kind, names in components.items() for name, target in names.items()])

    def with_(self, other: Registry) -> Registry:
        """This registry and another together."""
        return Registry([*self.offers(), *other.offers()], (*self.plugins, *other.plugins))

    def offers(self, kind: str | None = None) -> tuple[Offer, ...]:
        """All offers, sorted; of one kind where it is named. Raises UnknownComponent for a kind that does not exist."""
        if kind is not None:
            _kind(kind)
        return tuple(offer for group in self._offers.values() for offer in group if kind in (None, offer.kind))

    def names(self, kind: str) -> tuple[str, ...]:
        """The sorted names of a kind; a name that is offered twice appears once."""
        return tuple(sorted({offer.name for offer in self.offers(kind)}))

    def find(self, kind: str, name: str) -> Offer:
        """The one offer that a name means; ``owner:name`` says whose.

        Raises:
            UnknownComponent: nobody offers it.
            AmbiguousComponent: several plugins do.

        """
        _kind(kind)
        owner, colon, short = name.rpartition(":")
        found = [offer for offer in self._offers.get((kind, short), ()) if not colon or offer.owner == owner]
        if not found:
            raise UnknownComponent(f"no {kind} is called {name!r}{self._suggestion(kind, name)}{self._absent()}")
        if len(found) > 1:
            choices = " or ".join(f'"{offer.full_name}"' for offer in found)
            raise AmbiguousComponent(f"several plugins offer the {kind} {name!r}: write {choices}")
        return found[0]

    def get(self, kind: str, name: str) -> type:
        """The component class that a name means, imported now if need be. Raises what :meth:`find` does, and BrokenPlugin."""
        return self.find(kind, name).resolve()

    def create(self, kind: str, name: str, **options: Any) -> Any:
        """A component, its options checked as in a recipe. Raises RecipeError with every mistake, and what ``get`` does."""
        return structure(self.get(kind, name), options, f"{kind}.{name}", self.get)

    def offer_of(self, component: object) -> Offer:
        """Who offers a component's class, under the shortest name that finds it again. Raises UnknownComponent."""
        cls = component if isinstance(component, type) else type(component)
        place = f"{cls.__module__}:{cls.__qualname__}"
        for offer in self.offers():
            if offer.target is cls or offer.target == place:
                alone = len(self._offers[offer.kind, offer.name]) == 1
                return offer if alone else attrs.evolve(offer, name=offer.full_name)
        raise UnknownComponent(f"{cls.__qualname__} is not a component that an installed plugin offers")

    def _suggestion(self, kind: str, name: str) -> str:
        known = [*self.names(kind), *(offer.full_name for offer in self.offers(kind))]
        close = difflib.get_close_matches(name[:64], known, n=1)
        return f"; did you mean {close[0]!r}?" if close else f"; there are: {', '.join(self.names(kind)) or 'none'}"

    def _absent(self) -> str:
        broken = [fact.name for fact in self.plugins if fact.status != "ok"]
        return f" (not available: the plugins {', '.join(broken)}; see `ganblocks plugins`)" if broken else ""


def _kind(name: str) -> Kind:
    if name not in KINDS:
        close = difflib.get_close_matches(name, KINDS, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(KINDS)}"
        raise UnknownComponent(f"no kind of component is called {name!r}; {hint}")
    return KINDS[name]
