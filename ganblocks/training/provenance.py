"""Where a run came from: enough to say why two runs differ. Of the environment only three variables are kept."""

from __future__ import annotations

import os
import platform
from typing import Any

import torch

import ganblocks
from ganblocks.assembly import Session
from ganblocks.registry import Registry
from ganblocks.training.classes import count_classes, plain
from ganblocks.values import Facts

VARIABLES = ("CUDA_VISIBLE_DEVICES", "MKL_NUM_THREADS", "OMP_NUM_THREADS")


def provenance(session: Session, registry: Registry) -> dict[str, Any]:
    """Component -> distribution and version; torch, device, threads, seed; the data's fingerprint and its classes."""
    images = session.batches.images
    found = provenance_of(session.facts, session.game.device, session.seed, images.fingerprint, registry)
    return found | {"classes": plain(count_classes(session.image, images))}


def provenance_of(facts: Facts, device: torch.device, seed: int, fingerprint: str, registry: Registry) -> dict[str, Any]:
    """The same of what is at hand where nothing is trained."""
    components = {}
    for use in facts.uses:
        offer = registry.find(use.kind, use.name)
        components[use.path] = {
            "kind": use.kind,
            "name": use.name,
            "owner": offer.owner,
            "distribution": offer.distribution,
            "version": offer.version,
        }
    return {
        "ganblocks": ganblocks.__version__,
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
