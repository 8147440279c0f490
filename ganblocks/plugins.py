"""discover(): installed packages -> Registry. Entry points are loaded one by one; a broken plugin is a fact, never fatal."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs
import pluggy
from attrs import frozen

from ganblocks import hookspecs
from ganblocks.errors import BrokenPlugin, UsageError
from ganblocks.hookspecs import API_VERSION
from ganblocks.hookspecs import GROUP as GROUP
from ganblocks.kinds import KINDS
from ganblocks.registry import Offer, PluginFact, Registry, flaw, named

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_TARGET = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


class _Broken(Exception):
    """Why a plugin cannot be used."""


@frozen
class _Candidate:
    """A plugin that may be loaded."""

    fact: PluginFact
    load: Callable[[], Any]


def discover(block: Iterable[str] = (), files: Iterable[str | Path] = (), strict: bool = False) -> Registry:
    """Find every plugin and ask it what it offers.

    Args:
        block: names of plugins to keep out; their modules are not imported. The environment variable ``GANBLOCKS_BLOCK``
            (names with commas between) adds to them.
        files: single Python files to use as plugins, each named by its stem.
        strict: raise BrokenPlugin if any plugin is broken. ``GANBLOCKS_STRICT_PLUGINS=1`` asks for the same.

    Raises:
        BrokenPlugin: see ``strict``.
        UsageError: ``GANBLOCKS_STRICT_PLUGINS`` is neither 1 nor 0.

    """
    blocked = {*block, *(name.strip() for name in os.environ.get("GANBLOCKS_BLOCK", "").split(","))}
    strict = _strict_by_environment() or strict
    facts, offers = [], []
    for candidate in _unique([*_installed(), *map(_single_file, files)]):
        fact, found = _examine(candidate, blocked)
        facts.append(fact)
        offers += found
    if strict:
        refuse_broken(facts)
    return Registry(offers, tuple(facts))


def _strict_by_environment() -> bool:
    given = os.environ.get("GANBLOCKS_STRICT_PLUGINS", "")
    if given not in ("", "0", "1"):
        raise UsageError(f"GANBLOCKS_STRICT_PLUGINS is {given!r}, and must be 1 or 0; unset it for 0")
    return given == "1"


def refuse_broken(facts: Iterable[PluginFact]) -> None:
    """Raise BrokenPlugin that names every plugin with a fault."""
    faults = [
        f"{fact.name}: {fact.reason or '; '.join(fact.warnings)}" for fact in facts if fact.status == "broken" or fact.warnings
    ]
    if faults:
        raise BrokenPlugin("broken plugins:\n" + "\n".join(f"  {fault}" for fault in faults))


def _installed() -> Iterator[_Candidate]:
    """The entry points, in an order that does not depend on sys.path."""
    found = [(point.dist.name if point.dist else "", point) for point in entry_points(group=GROUP)]
    records: dict[str, str] = {}
    for distribution, point in sorted(found, key=lambda pair: (pair[0], pair[1].name, pair[1].value)):
        version = point.dist.version if point.dist else ""
        if distribution not in records:
            content = (point.dist.read_text("RECORD") if point.dist else None) or ""
            records[distribution] = hashlib.sha256(content.encode()).hexdigest() if content else ""
        yield _Candidate(PluginFact(point.name, distribution, version, record=records[distribution]), point.load)


def examine(module: ModuleType) -> tuple[PluginFact, list[Offer]]:
    """What became of a module as a plugin, and what it offers, whether or not it is installed as one."""
    return _examine(_Candidate(PluginFact(module.__name__.rpartition(".")[2]), lambda: module), set())


def _single_file(path: str | Path) -> _Candidate:
    path = Path(path)
    return _Candidate(PluginFact(path.stem, str(path)), lambda: _load_file(path))


def _load_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise BrokenPlugin(f"-p {path}: no such file")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise BrokenPlugin(f"-p {path}: a plugin file ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # attrs looks types up in the module's namespace
    spec.loader.exec_module(module)
    return module


def _unique(candidates: Iterable[_Candidate]) -> Iterator[_Candidate]:
    """The second plugin of one name becomes broken: ``owner:name`` could not tell them apart."""
    first: dict[str, PluginFact] = {}
    for candidate in candidates:
        fact = candidate.fact
        before = first.setdefault(fact.name, fact)
        if before is not fact and before != fact:
            reason = f"{before.distribution} already provides a plugin of this name"
            candidate = attrs.evolve(candidate, fact=attrs.evolve(fact, status="broken", reason=reason))
        elif before is not fact:
            continue  # the same distribution, found twice on the path
        yield candidate


def _examine(candidate: _Candidate, blocked: set[str]) -> tuple[PluginFact, list[Offer]]:
    """What becomes of one plugin, and what it offers."""
    fact = candidate.fact
    if fact.status == "broken":
        return fact, []
    if fact.name in blocked:
        return attrs.evolve(fact, status="blocked", reason="kept out on request"), []
    try:
        offers, warnings = _ask(fact, candidate.load())
    except KeyboardInterrupt:
        raise
    except (_Broken, BrokenPlugin) as error:
        return attrs.evolve(fact, status="broken", reason=str(error)), []
    except BaseException as error:  # a stranger's module may even call sys.exit
        return attrs.evolve(fact, status="broken", reason=f"cannot be imported: {named(error)}"), []
    return attrs.evolve(fact, warnings=tuple(warnings), components=len(offers)), offers


def _ask(fact: PluginFact, plugin: Any) -> tuple[list[Offer], list[str]]:
    """Register a plugin with a manager of its own, and collect what its hooks return."""
    version = getattr(plugin, "GANBLOCKS_API", API_VERSION)
    if version != API_VERSION:
        fix = "pip install -U ganblocks" if isinstance(version, int) and version > API_VERSION else "pip install -U the plugin"
        raise _Broken(f"needs plugin API {version!r}, this is {API_VERSION}: {fix}")
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    try:
        manager.register(plugin, fact.name)
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        raise _Broken(" ".join(str(error).split())) from error
    offers: list[Offer] = []
    warnings = [f"{name} is not marked @ganblocks.hookimpl, so it offers nothing" for name in _unmarked(manager, plugin)]
    for kind in KINDS.values():
        for implementation in manager.subset_hook_caller(kind.hook, []).get_hookimpls():
            found, faults = _collect(fact, kind.name, implementation.function)
            offers += found
            warnings += faults
    return offers, warnings if offers or warnings else ["registers nothing"]


def _unmarked(manager: pluggy.PluginManager, plugin: Any) -> list[str]:
    """Functions that are named as hooks but carry no mark."""
    named_so = [kind.hook for kind in KINDS.values() if callable(getattr(plugin, kind.hook, None))]
    return [name for name in named_so if manager.parse_hookimpl_opts(plugin, name) is None]


def _collect(fact: PluginFact, kind: str, hook: Callable[[], Any]) -> tuple[list[Offer], list[str]]:
    """One hook's offers; a hook that raises, or returns something else, does not stop the others."""
    try:
        offered = dict(hook())
    except Exception as error:  # a stranger's hook may raise anything
        return [], [f"{KINDS[kind].hook} failed: {named(error)}"]
    offers, faults = [], []
    for name, target in offered.items():
        if fault := _fault(kind, name, target):
            faults.append(f"{kind} {name!r}: {fault}")
        else:
            offers.append(Offer(kind, name, fact.name, target, fact.distribution, fact.version))
    return offers, faults


def _fault(kind: str, name: Any, target: Any) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return "a name is lower case letters, digits and underscores"
    if isinstance(target, str):
        return "" if _TARGET.fullmatch(target) else f'{target!r} is not of the form "package.module:Class"'
    return flaw(KINDS[kind], target)
