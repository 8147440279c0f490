"""Scores over seconds of training: equal networks beside torch-mimicry, or the main recipe beside that of an earlier commit.

A command adds a seed to its file, or measures it again; the other seeds are kept if they were measured under equal conditions.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import torch
from attrs import frozen
from torch import nn

from benchmarks.earlier import ROOT, Worker, checked_out
from benchmarks.learning import Learner, evaluator_of, kernel_distance
from benchmarks.machine import commit
from benchmarks.results import Json, Result, Row
from benchmarks.settings import Settings
from benchmarks.timing import Spread
from benchmarks.workloads import EQUAL, TOY_WIDTH, Iteration, Peer, PeerMissing, mimicry_version, registry, toy_changes
from ganblocks.assembly import assemble
from ganblocks.evaluation.evaluator import Evaluator
from ganblocks.recipe import Recipe
from ganblocks.training.batch_statistics import BATCH, SAMPLES, Inputs
from ganblocks.training.classes import count_classes, counts_of
from ganblocks.training.sampler import Sampler
from ganblocks.values import Player

MIMICRY = "torch-mimicry, fp32"
OURS = {"ganblocks, fp32": "fp32", "ganblocks, bf16": "bf16"}
TODAY = "this commit"
SCORED, TOY_SCORED = 1_000, 20
"""Samples behind a score."""
NOTE = (
    "Seconds of training until the kernel distance (EfficientNet-Lite0, 1,000 samples) is at a value or below it for the "
    "first time, interpolated between scores; medians and quartiles over seeds, ratios seed by seed. Sides train in turn "
    "within a run; scoring is not counted. Before every score batch-norm statistics are estimated for the weights as they "
    "are, equally for all. *Equal networks*: torch-mimicry's SAGAN-32 with ngf = ndf = 48, trained by its own train steps, "
    "and ganblocks with as many parameters, on the embedded emoji with equal batches of real images, rates and betas "
    "(`benchmarks/recipes/quality.toml`); live weights. torch-mimicry upsamples bilinearly and ganblocks by nearest "
    "neighbours. *recipes/sagan.toml*: the averaged weights of the recipe as it is in a commit, trained by the code of that "
    "commit."
)


@frozen
class Comparison:
    """What is compared, how far it is trained, and which scores are of interest."""

    name: str
    every: int
    """Images between scores."""
    images: int
    """Training ends there."""
    scores: tuple[float, ...]
    early: bool = False
    """Whether training ends as soon as all sides have reached the last of the scores."""


NETWORKS = Comparison("equal networks", 8_000, 64_000, (8.0, 6.0, 5.0), early=True)
MAIN = Comparison("recipes/sagan.toml", 2_000, 60_000, (4.25,), early=True)
TOY_EVERY, TOY_IMAGES = 4, 8


class Side(Protocol):
    """One that is trained."""

    seconds: float

    def train_until(self, images: int) -> None:
        """Train until so many images were seen."""

    def score(self) -> float:
        """Return the score of the generator as it is."""


Curve = list[tuple[int, float, float]]
"""Images, seconds of training, and the score there."""


def measure(settings: Settings) -> Result:
    """Train one seed, and return the rows of all seeds in the file."""
    comparison, skipped = (MAIN if settings.against else NETWORKS), ""
    facts = {"seed": settings.seed, "threads": settings.threads, "toy": settings.toy, "commit": commit()}
    if settings.against:
        curves = main_recipe(settings)
    else:
        curves, skipped = equal_networks(settings)
    new = [{"comparison": comparison.name, "side": side, **facts, "curve": curve} for side, curve in curves.items()]
    runs = [*kept(settings, comparison), *new]
    rows = [row for one in (NETWORKS, MAIN) for row in comparison_rows(one, runs)]
    return Result([*rows, *([Row(MIMICRY, skipped=skipped)] if skipped else [])], NOTE, mimicry_version(), runs)


def kept(settings: Settings, comparison: Comparison) -> list[Json]:
    """Return the runs of the file that are not measured again now and had as many threads; say which are dropped."""
    if settings.out is None or not settings.out.exists():
        return []
    runs: list[Json] = json.loads(settings.out.read_text(encoding="utf-8")).get("runs", [])
    others = [run for run in runs if (run["comparison"], run["seed"]) != (comparison.name, settings.seed)]
    equal = [run for run in others if (run["threads"], run["toy"]) == (settings.threads, settings.toy)]
    if dropped := len(others) - len(equal):
        print(f"{dropped} runs with another number of threads, or of toy size, are dropped", file=sys.stderr)
    return equal


def equal_networks(settings: Settings) -> tuple[dict[str, Curve], str]:
    """Train torch-mimicry and ganblocks in turn; return their curves, and why torch-mimicry is left out."""
    recipes = {name: EQUAL.recipe(precision, settings.toy) for name, precision in OURS.items()}
    first = next(iter(recipes.values()))
    evaluator = evaluator_of(first, registry(), TOY_SCORED if settings.toy else SCORED)
    sides: dict[str, Side] = {}
    skipped = ""
    try:
        sides[MIMICRY] = MimicryLearner(first, settings.seed, evaluator)
    except PeerMissing as missing:
        skipped = str(missing)
    for name, recipe in recipes.items():
        sides[name] = Learner(assemble(recipe, registry(), seed=settings.seed), evaluator)
    return train_in_turn(sides, NETWORKS, settings.toy), skipped


def main_recipe(settings: Settings) -> dict[str, Curve]:
    """Train the main recipe of this commit and of another in turn, each by its own code."""
    assert settings.against is not None, "the caller has a commit"
    with ExitStack() as stack:
        then = stack.enter_context(checked_out(settings.against))
        sides: dict[str, Side] = {
            name: stack.enter_context(RemoteLearner(folder, settings))
            for name, folder in ((f"commit {commit(settings.against)}", then), (TODAY, ROOT))
        }
        return train_in_turn(sides, MAIN, settings.toy)


def train_in_turn(sides: Mapping[str, Side], comparison: Comparison, toy: bool) -> dict[str, Curve]:
    """Train all sides from score to score, another one first each time, and return their curves."""
    names, curves = list(sides), {name: Curve() for name in sides}
    every, images = (TOY_EVERY, TOY_IMAGES) if toy else (comparison.every, comparison.images)
    for number, seen in enumerate(range(every, images + 1, every)):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            side = sides[name]
            side.train_until(seen)
            score = side.score()
            curves[name].append((seen, round(side.seconds, 3), round(score, 4)))
            print(f"{name}: {seen:,} images, {side.seconds:.1f} s, kd {score:.2f}", file=sys.stderr, flush=True)
        if comparison.early and all(reached(curve, comparison.scores[-1]) is not None for curve in curves.values()):
            break
    return curves


class RemoteLearner(Worker):
    """The main recipe in a folder, trained by the code there."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        options = {
            "changes": toy_changes(TOY_WIDTH) if settings.toy else {},
            "seed": settings.seed,
            "threads": settings.threads,
            "samples": TOY_SCORED if settings.toy else SCORED,
        }
        script = Path(__file__).with_name("learning.py")
        super().__init__(folder, script, str(folder / "recipes" / "sagan.toml"), json.dumps(options))
        self.seconds, self._score = 0.0, float("nan")

    def train_until(self, images: int) -> None:
        """Train until so many images were seen, and score."""
        self.seconds, self._score = (float(number) for number in self.ask(str(images)).split())

    def score(self) -> float:
        """Return the score after the latest training."""
        return self._score


class MimicryLearner:
    """torch-mimicry's networks and train steps on the batches of a recipe. Raise PeerMissing if it is not installed.

    Args:
        recipe: its data, widths, batch and rates.
        seed: of initial values, of latents and of the order of the data, which is that of ganblocks.
        evaluator: scores it.
    """

    def __init__(self, recipe: Recipe, seed: int, evaluator: Evaluator) -> None:
        torch.manual_seed(seed)
        g, d = (getattr(recipe.update, player).rate.at(0) for player in ("generator", "discriminator"))
        self._peer, self._evaluator = Peer(EQUAL, recipe, (g, d)), evaluator
        session = assemble(recipe, registry(), seed=seed)
        self._batches, self._image, self._latent = session.batches, session.image, recipe.generator.latent
        here = Iteration(recipe).parameters
        assert self._peer.parameters == here, f"{self._peer.parameters} parameters in {MIMICRY}, {here} here"
        self.seconds = 0.0
        """Of training, so far."""

    def train_until(self, images: int) -> None:
        """Train until so many real images were seen."""
        start = time.perf_counter()
        while self._batches.images_seen < images:
            batch = self._batches(Player.DISCRIMINATOR)
            self._peer.step(batch.image.contiguous(), batch.label)
        self.seconds += time.perf_counter() - start

    def score(self) -> float:
        """Return the kernel distance of samples, with batch-norm statistics of the weights as they are now."""
        network = copied(self._peer.generator)
        sampler = Sampler(network, self._latent, self._image, counts_of(count_classes(self._image, self._batches.images)))
        set_statistics(network, sampler.representative())
        return kernel_distance(self._evaluator, sampler)


def copied(generator: Any) -> nn.Module:
    """Return a copy of torch-mimicry's generator, which copy.deepcopy refuses. torch's random numbers stay as they are."""
    with torch.random.fork_rng(devices=[]):
        network: nn.Module = type(generator)(num_classes=generator.num_classes, ngf=generator.ngf)
    network.load_state_dict(generator.state_dict())
    return network


@torch.no_grad()
def set_statistics(network: nn.Module, inputs: Inputs) -> None:
    """Set the running statistics of torch's batch norms as ``estimate_statistics`` sets those of ganblocks.

    They are averages of the means and unbiased variances of equal batches, of equal inputs.
    """
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    network.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # torch's word for a plain average
        norm.train()
    latent, label = inputs(SAMPLES)
    for start in range(0, len(latent), BATCH):
        part = slice(start, start + BATCH)
        network(latent[part], None if label is None else label[part])
    network.eval()


def reached(curve: Iterable[Sequence[float]], score: float) -> float | None:
    """Return the seconds after which a curve of (images, seconds, score) is at a score or below it for the first time.

    Between two points the curve is a line; None if it does not get there.
    """
    before: tuple[float, float] | None = None
    for _, seconds, value in curve:
        if value <= score:
            if before is None:
                return seconds
            share = (before[1] - score) / (before[1] - value)
            return before[0] + share * (seconds - before[0])
        before = seconds, value
    return None


def comparison_rows(comparison: Comparison, runs: Sequence[Json]) -> list[Row]:
    """Return a row for each side and score of interest, and one for each side's last score."""
    mine = [run for run in runs if run["comparison"] == comparison.name]
    sides = sorted(dict.fromkeys(run["side"] for run in mine), key=lambda side: (side not in _references(mine), side))
    curves = {side: {run["seed"]: run["curve"] for run in mine if run["side"] == side} for side in sides}
    rows = [_time_row(comparison, score, side, curves) for score in comparison.scores for side in sides]
    last = {side: [curve[-1][2] for curve in of_seeds.values()] for side, of_seeds in curves.items()}
    return rows + [Row(f"{comparison.name}: last kd: {side}", "", Spread.of(values)) for side, values in last.items()]


def _references(runs: Sequence[Json]) -> set[str]:
    """Return the sides that others are compared with."""
    return {run["side"] for run in runs if run["side"] == MIMICRY or run["side"].startswith("commit ")}


def _time_row(comparison: Comparison, score: float, side: str, curves: Mapping[str, Mapping[int, Any]]) -> Row:
    """Return the seconds of a side until a score, over those of the first side."""
    name, reference = f"{comparison.name}: until kd {score:g}: {side}", next(iter(curves))
    times = {seed: seconds for seed, curve in curves[side].items() if (seconds := reached(curve, score)) is not None}
    if not times:
        return Row(name, skipped=f"not reached after {max(curve[-1][0] for curve in curves[side].values()):,} images")
    missing = len(curves[side]) - len(times)
    note = f"not reached by {missing} of {len(curves[side])} seeds" if missing else ""
    others = {seed: reached(curve, score) for seed, curve in curves[reference].items()}
    ratios = [seconds / other for seed, seconds in times.items() if (other := others.get(seed))]
    if side == reference or not ratios:
        return Row(name, "s", Spread.of(list(times.values())), note=note)
    return Row(name, "s", Spread.of(list(times.values())), Spread.of(ratios), reference, note)
