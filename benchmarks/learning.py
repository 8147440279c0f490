"""Training in parts: a part's seconds are counted, and the generator is scored between them.

As a script, this file trains by the code that is first on ``PYTHONPATH``: ``python benchmarks/learning.py RECIPE JSON``. It
reads numbers of images; it trains until as many were seen, and answers with the seconds of training so far and the score.
"""

from __future__ import annotations

import copy
import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import torch

import ganblocks
from ganblocks.assembly import Session, assemble
from ganblocks.evaluation import evaluation_settings
from ganblocks.evaluation.evaluator import Evaluator
from ganblocks.plugins import discover
from ganblocks.recipe import Recipe, read_recipe
from ganblocks.registry import Registry
from ganblocks.training.batch_statistics import estimate_statistics
from ganblocks.training.sampler import Sampler
from ganblocks.training.trainer import Trainer

SCORE = "kd["
"""The beginning of the score's name: the kernel distance, smaller is better."""


class Learner:
    """A recipe that is trained: every step's update, average, norms and record; not the files that a run writes.

    Args:
        session: the assembled recipe.
        evaluator: scores it.
    """

    def __init__(self, session: Session, evaluator: Evaluator) -> None:
        self._trainer, self._evaluator = Trainer(session), evaluator
        self.seconds = 0.0
        """Of training, so far."""

    def train_until(self, images: int) -> None:
        """Train until so many real images were seen."""
        start = time.perf_counter()
        while self._trainer.images_seen < images:
            self._trainer.step()
        self.seconds += time.perf_counter() - start

    def score(self) -> float:
        """Return the kernel distance of samples, with batch-norm statistics of the weights as they are now."""
        sampler = self._trainer.sampler(self._evaluator.settings.weights)
        sampler.network = copy.deepcopy(sampler.network)
        estimate_statistics(sampler.network, sampler.representative())
        return kernel_distance(self._evaluator, sampler)


def kernel_distance(evaluator: Evaluator, sampler: Sampler) -> float:
    """Return the kernel distance of a generator's samples, of which smaller is better."""
    scores = evaluator.report(sampler, 0).scores
    return next(score.value for score in scores if score.name.startswith(SCORE))


def evaluator_of(recipe: Recipe, registry: Registry, samples: int) -> Evaluator:
    """Return the evaluator of a recipe with one metric, the kernel distance, of so many samples."""
    settings = attrs.evolve(evaluation_settings(recipe.evaluation, registry, "cpu"), n=samples)
    dataset = recipe.data.dataset
    return Evaluator(dataset.open(), dataset.describe(), settings, registry)


def serve(recipe: str, options: str) -> None:
    """Train and score as asked for, until the input ends."""
    given: Mapping[str, Any] = json.loads(options)
    assert Path(ganblocks.__file__).is_relative_to(os.environ["GANBLOCKS_EXPECTED"]), "PYTHONPATH names the code's folder"
    torch.set_num_threads(given["threads"])
    registry = discover()
    read = read_recipe(recipe, given["changes"], registry=registry)
    learner = Learner(assemble(read, registry, seed=given["seed"]), evaluator_of(read, registry, given["samples"]))
    print(read.training.batch, flush=True)
    for images in sys.stdin:
        learner.train_until(int(images))
        print(learner.seconds, learner.score(), flush=True)


if __name__ == "__main__":
    serve(*sys.argv[1:])
