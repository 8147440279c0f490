"""provenance.json: where a run came from, in enough detail to explain why two runs differ."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from ganblocks._version import __version__
from ganblocks.assembly import Session
from ganblocks.recipe import Recipe, table_of
from ganblocks.registry import Registry
from ganblocks.training.classes import count_classes, plain
from ganblocks.values import Facts

VARIABLES = ("CUDA_VISIBLE_DEVICES", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
"""The only environment variables that are recorded."""
MOST_THREADS = 1024
EXACT = ("ganblocks", "torch", "python", "machine", "device", "components")
"""Entries that must be equal for bit-exact resuming."""


def provenance(session: Session, registry: Registry) -> dict[str, Any]:
    """Return the provenance of a session: that of :func:`provenance_of`, and the classes with their counts."""
    images = session.batches.images
    facts = provenance_of(session.facts, session.game.device, session.seed, images.fingerprint, registry)
    return facts | {"classes": plain(count_classes(session.image, images))}


def provenance_of(facts: Facts, device: torch.device, seed: int, fingerprint: str, registry: Registry) -> dict[str, Any]:
    """Return versions, device, threads, seed, fingerprint of the data, and components with their distributions."""
    components = {}
    for use in facts.uses:
        offer = registry.find(use.kind, use.name)
        source = {"owner": offer.owner, "distribution": offer.distribution, "version": offer.version}
        components[use.path] = {"kind": use.kind, "name": use.name, **source}
    return {
        "ganblocks": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "threads": torch.get_num_threads(),
        "seed": seed,
        "data": fingerprint,
        "environment": {name: os.environ[name] for name in VARIABLES if name in os.environ},
        "components": components,
    }


def recorded(recipe: Recipe, registry: Registry) -> dict[str, Any]:
    """Return what provenance keeps of a recipe: every entry but its ablations and loggers."""
    return {key: value for key, value in table_of(recipe, registry).items() if key not in ("ablation", "loggers")}


def is_provenance(facts: Any) -> bool:
    """Return whether every entry that is used has the type it was written with."""
    try:
        sources = [use[part] for use in facts["components"].values() for part in ("name", "distribution", "version")]
        origin = facts.get("init_from", {"run": "", "manifest": ""})
        texts = (facts["device"], facts["data"], *sources, origin["run"], origin["manifest"])
        threads, seed = facts["threads"], facts["seed"]
        tables = isinstance(facts.get("recipe", {}), dict) and isinstance(facts.get("changes", []), list)
    except (LookupError, TypeError, AttributeError):
        return False
    counts = type(threads) is int and 1 <= threads <= MOST_THREADS and type(seed) is int and abs(seed) < 2**63
    return counts and tables and all(isinstance(text, str) for text in texts)


def inexact(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Yield why resuming cannot be bit-exact: entries that differ, as "torch was 2.12 and is 2.13"."""
    for name in EXACT:
        was, current = before.get(name), now[name]
        if name == "components" and isinstance(was, Mapping):
            for path in sorted(current):
                if _source(was.get(path)) != _source(current[path]):
                    yield f"{path} was {_source(was.get(path))} and is {_source(current[path])}"
        elif was != current:
            yield f"{name} was {was} and is {current}"


def _source(component: Any) -> str:
    """Return name, distribution and version of a component; not its plugin, which a distribution may rename."""
    return f"{component['name']} of {component['distribution']} {component['version']}" if component else "absent"
