"""discover(): installed packages -> Registry. Entry points are loaded one by one; a broken plugin is never fatal."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs
import pluggy
from attrs import field, frozen

from ganblocks import hookspecs
from ganblocks.errors import BrokenPlugin, UsageError
from ganblocks.hookspecs import API_VERSION
from ganblocks.hookspecs import GROUP as GROUP
from ganblocks.kinds import KINDS
from ganblocks.registry import Offer, PluginFact, Refusal, Registry, flaw, named, printing_to_stderr

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_TARGET = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


class _Broken(Exception):
    """The reason why a plugin cannot be used."""


@frozen
class _Candidate:
    """A plugin that may be loaded."""

    fact: PluginFact
    load: Callable[[], Any]
    renamed: Mapping[str, str] = field(factory=dict)
    """Module name in the plugin -> name under which the module is loaded."""


@frozen
class _Collected:
    """The results of the hooks of one plugin."""

    offers: list[Offer] = field(factory=list)
    warnings: list[str] = field(factory=list)
    refused: list[Refusal] = field(factory=list)


def discover(block: Iterable[str] = (), files: Iterable[str | Path] = (), strict: bool = False) -> Registry:
    """Load every plugin and collect its components.

    Args:
        block: names of plugins to exclude; their modules are not imported. The environment variable ``GANBLOCKS_BLOCK``
            (names with commas between) adds to them.
        files: single Python files to use as plugins, each named by its stem. Their modules get unique names, so that a file
            ``random.py`` shadows nothing.
        strict: raise BrokenPlugin if any plugin is broken. ``GANBLOCKS_STRICT_PLUGINS=1`` does the same.

    Raises:
        BrokenPlugin: see ``strict``.
        UsageError: ``GANBLOCKS_STRICT_PLUGINS`` is neither 1 nor 0.

    """
    blocked = {*block, *(name.strip() for name in os.environ.get("GANBLOCKS_BLOCK", "").split(","))}
    strict = _strict_by_environment() or strict
    facts, offers, refused = [], [], []
    for candidate in _unique([*_installed(), *map(_single_file, files)]):
        fact, collected = _examine(candidate, blocked)
        facts.append(fact)
        offers += collected.offers
        refused += collected.refused
    if strict:
        refuse_broken(facts)
    return Registry(offers, tuple(facts), tuple(refused))


def _strict_by_environment() -> bool:
    given = os.environ.get("GANBLOCKS_STRICT_PLUGINS", "")
    if given not in ("", "0", "1"):
        raise UsageError(f"GANBLOCKS_STRICT_PLUGINS is {given!r}, and must be 1 or 0; unset it for 0")
    return given == "1"


def refuse_broken(facts: Iterable[PluginFact]) -> None:
    """Raise BrokenPlugin, naming every plugin with a fault, if there is any."""
    faults = [
        f"{fact.name}: {fact.reason or '; '.join(fact.warnings)}" for fact in facts if fact.status == "broken" or fact.warnings
    ]
    if faults:
        raise BrokenPlugin("broken plugins:\n" + "\n".join(f"  {fault}" for fault in faults))


def _installed() -> Iterator[_Candidate]:
    """Iterate over the entry points, in an order that does not depend on sys.path."""
    points = [(point.dist.name if point.dist else "", point) for point in entry_points(group=GROUP)]
    records: dict[str, str] = {}
    for distribution, point in sorted(points, key=lambda pair: (pair[0], pair[1].name, pair[1].value)):
        version = point.dist.version if point.dist else ""
        if distribution not in records:
            content = (point.dist.read_text("RECORD") if point.dist else None) or ""
            records[distribution] = hashlib.sha256(content.encode()).hexdigest() if content else ""
        yield _Candidate(PluginFact(point.name, distribution, version, record=records[distribution]), point.load)


def examine(module: ModuleType) -> tuple[PluginFact, list[Offer]]:
    """Return the state of a module as a plugin and its components, whether or not it is installed as one."""
    fact, collected = _examine(_Candidate(PluginFact(module.__name__.rpartition(".")[2]), lambda: module), set())
    return fact, collected.offers


def _single_file(path: str | Path) -> _Candidate:
    path = Path(path)
    absolute = path.absolute()
    version = f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}" if path.is_file() else ""
    digest, stem = hashlib.sha256(str(absolute).encode()).hexdigest()[:8], re.sub(r"\W", "_", path.stem)
    name = f"_ganblocks_file_{digest}_{stem}"
    return _Candidate(PluginFact(path.stem, str(absolute), version), lambda: _load_file(path, name), {path.stem: name})


def _load_file(path: Path, name: str) -> ModuleType:
    """Execute a file as the module ``name``: under its own name, ``random.py`` would replace Python's."""
    if not path.is_file():
        raise BrokenPlugin(f"-p {path}: no such file")
    spec = importlib.util.spec_from_file_location(name, path.absolute())
    if spec is None or spec.loader is None:
        raise BrokenPlugin(f"-p {path}: a plugin file ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # attrs looks types up in the module's namespace
    spec.loader.exec_module(module)
    return module


def _unique(candidates: Iterable[_Candidate]) -> Iterator[_Candidate]:
    """Mark the second plugin of a name as broken, because ``owner:name`` would be ambiguous."""
    first: dict[str, PluginFact] = {}
    for candidate in candidates:
        fact = candidate.fact
        before = first.setdefault(fact.name, fact)
        if before is not fact and before != fact:
            reason = f"{before.distribution} already provides a plugin of this name"
            candidate = attrs.evolve(candidate, fact=attrs.evolve(fact, status="broken", reason=reason))
        elif before is not fact:
            continue  # the same distribution, twice on the path
        yield candidate


def _examine(candidate: _Candidate, blocked: set[str]) -> tuple[PluginFact, _Collected]:
    """Return the state of one plugin, and the results of its hooks."""
    fact, start = candidate.fact, time.perf_counter()
    if fact.status == "broken":
        return fact, _Collected()
    if fact.name in blocked:
        return attrs.evolve(fact, status="blocked", reason="excluded on request"), _Collected()
    try:
        with printing_to_stderr():
            collected = _ask(candidate, _loaded(candidate))
    except (_Broken, BrokenPlugin) as error:
        return attrs.evolve(fact, status="broken", reason=str(error)), _Collected()
    except (Exception, SystemExit) as error:
        return attrs.evolve(fact, status="broken", reason=f"cannot be asked what it offers: {named(error)}"), _Collected()
    took = round(time.perf_counter() - start, 3)
    return attrs.evolve(fact, warnings=tuple(collected.warnings), components=len(collected.offers), seconds=took), collected


def _loaded(candidate: _Candidate) -> Any:
    try:
        return candidate.load()
    except (KeyboardInterrupt, BrokenPlugin):
        raise
    except BaseException as error:  # a plugin's module may even call sys.exit
        raise _Broken(f"cannot be imported: {named(error)}") from error


def _ask(candidate: _Candidate, plugin: Any) -> _Collected:
    """Register a plugin with its own manager, and collect the results of its hooks."""
    fact = candidate.fact
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
    collected = _Collected()
    collected.warnings.extend(
        f"{name} is not marked @ganblocks.hookimpl, so it offers nothing" for name in _unmarked(manager, plugin)
    )
    for kind in KINDS.values():
        for implementation in manager.subset_hook_caller(kind.hook, []).get_hookimpls():
            _collect(candidate, kind.name, implementation.function, collected)
    collected.offers[:] = [_with_statements(offer, plugin) for offer in collected.offers]
    if not collected.offers and not collected.warnings:
        collected.warnings.append("registers nothing")
    return collected


def _with_statements(offer: Offer, plugin: Any) -> Offer:
    """Return the offer with what the plugin states about it: its former owners, and its position among the defaults."""
    former = tuple(getattr(plugin, "GANBLOCKS_FORMER_NAMES", ()))
    defaults = tuple(getattr(plugin, "GANBLOCKS_DEFAULTS", {}).get(offer.kind, ()))
    rank = defaults.index(offer.name) if offer.name in defaults else None
    return attrs.evolve(offer, former_owners=former, default_rank=rank)


def _unmarked(manager: pluggy.PluginManager, plugin: Any) -> list[str]:
    """Return the functions that are named like hooks but not marked as such."""
    named_so = [kind.hook for kind in KINDS.values() if callable(getattr(plugin, kind.hook, None))]
    return [name for name in named_so if manager.parse_hookimpl_opts(plugin, name) is None]


def _collect(candidate: _Candidate, kind: str, hook: Callable[[], Any], collected: _Collected) -> None:
    """Add one hook's offers; a hook that fails does not stop the others."""
    fact, where = candidate.fact, KINDS[kind].hook
    try:
        offered = hook()
        items = list(offered.items()) if isinstance(offered, Mapping) else None
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a plugin's hook may raise anything, and call sys.exit
        collected.warnings.append(f"{where} failed: {named(error)}")
        return
    if items is None:
        what = "nothing" if offered is None else f"a {type(offered).__name__}"
        collected.warnings.append(f'{where} returns {what}, and must return a dict {{"name": component}}')
        return
    for name, target in items:
        if fault := _fault(kind, name, target):
            collected.warnings.append(f"{kind} {name!r}: {fault}")
            collected.refused.append(Refusal(kind, str(name), fact.name, fault))
        else:
            target = _renamed(target, candidate.renamed)
            collected.offers.append(Offer(kind, name, fact.name, target, fact.distribution, fact.version))


def _renamed(target: Any, renamed: Mapping[str, str]) -> Any:
    """Return a target with the name under which its module is loaded."""
    if not isinstance(target, str):
        return target
    module, _, name = target.partition(":")
    return f"{renamed.get(module, module)}:{name}"


def _fault(kind: str, name: Any, target: Any) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return "a name is lower case letters, digits and underscores"
    if isinstance(target, str):
        return "" if _TARGET.fullmatch(target) else f'{target!r} is not of the form "package.module:Class"'
    return flaw(KINDS[kind], target)
