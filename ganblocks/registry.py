"""(kind, name) -> component and owner. Immutable; there is no global one."""

from __future__ import annotations

import difflib
import inspect
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, redirect_stdout
from importlib import import_module
from typing import Any

import attrs
from attrs import field, frozen

from ganblocks.errors import AmbiguousComponent, BrokenPlugin, UnknownComponent
from ganblocks.kinds import KINDS, Kind
from ganblocks.options import structure
from ganblocks.options.fields import PLUGIN_DEFAULT
from ganblocks.origins import Origin, origin_of, remember


@frozen
class PluginFact:
    """The state of one plugin."""

    name: str
    distribution: str = ""
    version: str = ""
    status: str = "ok"
    """``ok``, ``broken`` (nothing of it can be used) or ``blocked`` (excluded on request, not imported)."""
    reason: str = ""
    warnings: tuple[str, ...] = ()
    components: int = 0
    record: str = ""
    """sha256 of the distribution's RECORD, which has the hash of every installed file; empty if there is none."""
    seconds: float = field(default=0.0, eq=False)
    """Duration of its import and its hooks."""

    @property
    def faulty(self) -> bool:
        """True if it is broken or has warnings."""
        return self.status == "broken" or bool(self.warnings)


@frozen
class Refusal:
    """An entry of a hook's result that is no valid component."""

    kind: str
    name: str
    owner: str
    reason: str

    def means(self, kind: str, name: str) -> bool:
        """Return True if ``name`` probably means this: letters and digits are equal."""
        return kind == self.kind and _letters(self.name) in (_letters(name), _letters(name.rpartition(":")[2]))


def _letters(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())


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
    former_owners: tuple[str, ...] = ()
    """Former names of the plugin, under which recipes and run folders may still name it as the owner."""
    default_rank: int | None = None
    """Its position in ``GANBLOCKS_DEFAULTS`` of the plugin; None: it is used only where it is named."""

    @property
    def full_name(self) -> str:
        """``owner:name``."""
        return f"{self.owner}:{self.name}"

    def resolve(self) -> type:
        """Return the component class, checked. Raise BrokenPlugin with the reason if that is not possible."""
        target = self.target
        if isinstance(target, str):
            module, _, name = target.partition(":")
            try:
                with printing_to_stderr():
                    target = getattr(import_module(module), name)
            except (Exception, SystemExit) as error:  # a plugin's module may raise anything, and call sys.exit
                raise BrokenPlugin(
                    f"{self.kind} {self.full_name}: {self.target!r} cannot be imported: {named(error)}"
                ) from error
        if reason := flaw(KINDS[self.kind], target):
            raise BrokenPlugin(f"{self.kind} {self.full_name}: {reason}")
        return target


def printing_to_stderr() -> AbstractContextManager[object]:
    """Redirect stdout to stderr within the block: stdout is for results."""
    return redirect_stdout(sys.stderr)


def named(error: BaseException) -> str:
    """Return type and message of an error on one line."""
    return f"{type(error).__name__}: {str(error).strip()}".splitlines()[0].removesuffix(": ")


def flaw(kind: Kind, target: object) -> str:
    """Return why ``target`` is no component of ``kind``; empty if it is one."""
    if not isinstance(target, type):
        return f"is {target!r}, not a class"
    if not attrs.has(target):
        return f"{target.__qualname__} is not an attrs class; decorate it with @attrs.frozen"
    if not attrs.inspect(target).is_frozen:
        return f"{target.__qualname__} is not frozen; decorate it with @attrs.frozen"
    missing = [name for name in (*kind.methods, *kind.facts) if not hasattr(target, name)]
    if missing:
        protocol = f"{kind.protocol.__module__}.{kind.protocol.__name__}"
        return f"{target.__qualname__} lacks {', '.join(missing)}, which every {kind.name} has; define them as in {protocol}"
    wrong = [name for name in kind.methods if not inspect.isfunction(inspect.getattr_static(target, name))]
    return f"{target.__qualname__}.{wrong[0]} is not a method" if wrong else ""


def _by_name(offers: Iterable[Offer]) -> dict[tuple[str, str], tuple[Offer, ...]]:
    groups: dict[tuple[str, str], list[Offer]] = defaultdict(list)
    for offer in sorted(offers, key=lambda offer: (offer.kind, offer.name, offer.owner)):
        groups[offer.kind, offer.name].append(offer)
    return {key: tuple(group) for key, group in groups.items()}


@frozen
class Registry:
    """Every component that installed plugins offer, and the state of every plugin."""

    _offers: Mapping[tuple[str, str], tuple[Offer, ...]] = field(converter=_by_name)
    plugins: tuple[PluginFact, ...] = ()
    refused: tuple[Refusal, ...] = ()
    """Entries of hooks that are no valid components."""

    @classmethod
    def of(cls, components: Mapping[str, Mapping[str, type | str]], owner: str = "here") -> Registry:
        """Return a registry of the given components: ``Registry.of({"attention": {"mine": Mine}})``."""
        return cls([Offer(kind, name, owner, target) for kind, names in components.items() for name, target in names.items()])

    def with_(self, other: Registry) -> Registry:
        """Return this registry and another combined."""
        return Registry([*self.offers(), *other.offers()], (*self.plugins, *other.plugins), (*self.refused, *other.refused))

    def offers(self, kind: str | None = None) -> tuple[Offer, ...]:
        """Return all offers, or those of one kind, sorted. Raise UnknownComponent for a kind that does not exist."""
        if kind is not None:
            _kind(kind)
        return tuple(offer for group in self._offers.values() for offer in group if kind in (None, offer.kind))

    def names(self, kind: str) -> tuple[str, ...]:
        """Return the sorted names of a kind; a name that is offered twice appears once."""
        return tuple(sorted({offer.name for offer in self.offers(kind)}))

    def defaults(self, kind: str) -> tuple[Offer, ...]:
        """Return the offers that are used if no component of a kind is named, the first choice first."""
        ranked = [(offer.default_rank, offer.owner, offer) for offer in self.offers(kind) if offer.default_rank is not None]
        return tuple(offer for *_, offer in sorted(ranked, key=lambda row: row[:2]))

    def kind_of_metric(self, name: str) -> str:
        """Return ``diagnostic`` for a name that means only a diagnostic, which the previous version had as a metric."""
        short = name.rpartition(":")[2]
        return "diagnostic" if short in self.names("diagnostic") and short not in self.names("metric") else "metric"

    def find(self, kind: str, name: str) -> Offer:
        """Return the one offer of that name; ``owner:name`` selects the plugin.

        Raises:
            UnknownComponent: no plugin offers it.
            AmbiguousComponent: several plugins do.

        """
        _kind(kind)
        if name == PLUGIN_DEFAULT and (ranked := self.defaults(kind)):
            return ranked[0]
        owner, colon, short = name.rpartition(":")
        offers = self._offers.get((kind, short), ())
        matches = [offer for offer in offers if not colon or offer.owner == owner]
        matches = matches or [offer for offer in offers if owner in offer.former_owners]
        if not matches:
            hint = self._refusal(kind, name) or self._suggestion(kind, name)
            raise UnknownComponent(f"no {kind} is called {name!r}", hint + self._absent())
        if len(matches) > 1:
            choices = " or ".join(f'"{offer.full_name}"' for offer in matches)
            raise AmbiguousComponent(f"several plugins offer the {kind} {name!r}", f"write {choices}")
        return matches[0]

    def get(self, kind: str, name: str) -> type:
        """Return the component class of a name, importing it if needed. Raise what :meth:`find` does, and BrokenPlugin."""
        return self.find(kind, name).resolve()

    def create(self, kind: str, name: str, **options: Any) -> Any:
        """Create a component with checked options. Raise RecipeError with every mistake, and what :meth:`get` does."""
        name = self.short_name(self.find(kind, name)) if name == PLUGIN_DEFAULT else name
        component = structure(self.get(kind, name), options, f"{kind}.{name}", self.get)
        remember(component, Origin(kind, name))
        return component

    def short_name(self, offer: Offer) -> str:
        """Return the shortest unambiguous name of an offer: with its owner if another plugin offers the same name."""
        return offer.name if len(self._offers[offer.kind, offer.name]) == 1 else offer.full_name

    def name_of(self, kind: str, component: object) -> str:
        """Return the name of a component in a recipe: the one by which it was created, if that is known.

        Otherwise it is the first name under which its class is offered for the kind. Raise UnknownComponent if there is none.
        """
        cls, origin = type(component), origin_of(component)
        if origin is not None and origin.kind == kind and self._means(kind, origin.name, cls):
            return origin.name
        names = (name for offer in self.offers(kind) for name in (offer.name, offer.full_name))
        if offered := next((name for name in names if self._means(kind, name, cls)), None):
            return offered
        rule = f"no plugin offers the class {cls.__qualname__} as a component of kind {kind}"
        raise UnknownComponent(rule, f"return it from a plugin's hook {KINDS[kind].hook}, or add it with Registry.of")

    def _means(self, kind: str, name: str, cls: type) -> bool:
        """Return True if ``name`` in a recipe means ``cls``."""
        try:
            return self.get(kind, name) is cls
        except (UnknownComponent, AmbiguousComponent, BrokenPlugin):
            return False

    def _refusal(self, kind: str, name: str) -> str:
        """Return which plugin offers an invalid component of that name, and the reason; empty if none does."""
        refusal = next((refusal for refusal in self.refused if refusal.means(kind, name)), None)
        return f"the plugin {refusal.owner} offers {refusal.name!r}, which is refused: {refusal.reason}" if refusal else ""

    def _suggestion(self, kind: str, name: str) -> str:
        known = [*self.names(kind), *(offer.full_name for offer in self.offers(kind))]
        close = difflib.get_close_matches(name[:64], known, n=1)
        return f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(self.names(kind)) or 'none'}"

    def _absent(self) -> str:
        absent = [fact.name for fact in self.plugins if fact.status != "ok" or fact.warnings]
        return f" (not available, or only in part: the plugins {', '.join(absent)}; see `ganblocks plugins`)" if absent else ""


def _kind(name: str) -> Kind:
    if name not in KINDS:
        close = difflib.get_close_matches(name, KINDS, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(KINDS)}"
        raise UnknownComponent(f"no kind of component is called {name!r}", hint)
    return KINDS[name]
