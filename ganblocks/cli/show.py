"""``ganblocks list`` and ``ganblocks show``: the components that a recipe may use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import attrs

from ganblocks.citing import papers
from ganblocks.cli.commands import ListOptions, ShowOptions
from ganblocks.cli.context import Context
from ganblocks.cli.output import print_json, print_table, printable
from ganblocks.errors import BrokenPlugin
from ganblocks.kinds.component_capabilities import ReadsForeign
from ganblocks.options.describe import OptionFact, describe
from ganblocks.options.docs import description_of, summary_of
from ganblocks.options.fields import inline_of, options_of, socket_kind, types_of
from ganblocks.options.types import Component, OptionType, Section, TableOf
from ganblocks.registry import Offer, Registry


def list_components(context: Context, options: ListOptions) -> None:
    """Print the components of one kind, or of all, with a sentence about each."""
    offers = context.registry().offers(options.kind)
    rows = [(offer.kind, offer.name, summary_of(offer.target), f"{offer.owner} ({_origin(offer)})") for offer in offers]
    if options.as_json:
        names = ("kind", "name", "owner", "distribution", "version")
        facts = [{name: getattr(offer, name) for name in names} for offer in offers]
        print_json([{**fact, "summary": row[2]} for fact, row in zip(facts, rows, strict=True)])
    elif options.kind:
        print_table((options.kind, "what it is", "plugin"), [row[1:] for row in rows])
    else:
        print_table(("kind", "name", "what it is", "plugin"), rows)


def show(context: Context, options: ShowOptions) -> None:
    """Print what a component is, its options, and a line for a recipe; without a name, list the kind."""
    if options.name is None:
        list_components(context, ListOptions(kind=options.kind, as_json=options.as_json))
        return
    registry = context.registry()
    offer = registry.find(options.kind, options.name)
    component = offer.resolve()
    described, text = describe(component), description_of(component)
    if options.as_json:
        facts = {"kind": offer.kind, "name": offer.name, "owner": offer.owner, "distribution": offer.distribution}
        facts |= {"version": offer.version, "class": f"{component.__module__}:{component.__qualname__}"}
        print_json({**facts, "papers": papers(component), "doc": text, "options": list(map(attrs.asdict, described))})
        return
    print(f"{offer.name}  ({offer.kind} {offer.full_name}, {_origin(offer)})\n\n{printable(text)}")
    if described:
        rows = [(option.name, option.default or "(required)", option.allowed, option.doc) for option in described]
        print_table(("option", "default", "allowed", "meaning"), rows)
    print()
    for label, words in _facts(registry, offer, component, described):
        print(f"{label}: {printable(words)}")


def _origin(offer: Offer) -> str:
    return f"{offer.distribution} {offer.version}".strip() or "this process"


def _facts(registry: Registry, offer: Offer, component: type, described: tuple[OptionFact, ...]) -> Iterator[tuple[str, str]]:
    sockets = {key for key, attribute in options_of(component).items() if socket_kind(attribute)}
    plain = (option for option in described if option.name not in sockets and option.default != "nothing")
    values = [f"{option.name} = {option.default or '…'}" for option in plain]
    use = f'"{registry.short_name(offer)}"'
    path = recipe_path(registry, offer.kind).replace("NAME", offer.name)
    yield "in a recipe", f"{path} = {{ {', '.join([f'use = {use}', *values])} }}" if values else f"{path} = {use}"
    if named := papers(component):
        yield "papers", ", ".join(paper if "/" in paper else f"arXiv:{paper}" for paper in named)
    if issubclass(component, ReadsForeign):
        yield "layouts for ganblocks import", ", ".join(component.layouts)


def recipe_path(registry: Registry, kind: str) -> str:
    """Return the dotted path of a socket for ``kind``, in the recipe itself or else in the first component that has one."""
    from ganblocks.recipe import Recipe

    paths = dict(_sockets(Recipe))
    if kind in paths:
        return paths[kind]
    for offer in (offer for above in paths for offer in registry.offers(above)):
        with suppress(BrokenPlugin):
            if path := next((path for inner, path in _sockets(offer.resolve()) if inner == kind), ""):
                return f"{paths[offer.kind]}.{path}"
    return kind


def _sockets(cls: type) -> Iterator[tuple[str, str]]:
    """Iterate over (kind, path) of the sockets of a class and of its sections."""
    for key, attribute in options_of(cls).items():
        yield from _within(types_of(cls)[attribute.name], "" if attribute is inline_of(cls) else key)


def _within(expected: OptionType, path: str) -> Iterator[tuple[str, str]]:
    match expected:
        case Component():
            yield expected.kind, path
        case Section():
            yield from ((kind, ".".join(filter(None, (path, inner)))) for kind, inner in _sockets(expected.cls))
        case TableOf():
            yield from _within(expected.member, f"{path}.NAME")
