"""Which batch-norm statistics should the averaged generator use? Score every rule on the same run.

    python docs/scripts/measure_statistics.py train recipes/sagan.toml --seed 0
    python docs/scripts/measure_statistics.py table

``train`` appends a line after a third of the recipe's images and one after all of them to
docs/data/statistics-of-the-average.jsonl; ``table`` prints the table of docs/explanation/statistics-of-the-average.md from it.
"""

from __future__ import annotations

import argparse
import copy
import json
import statistics
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import ganblocks
from ganblocks.assembly import Session, assemble
from ganblocks.evaluation import Evaluator, evaluation_settings
from ganblocks.training.average import settle
from ganblocks.training.batch_statistics import Inputs, estimate_statistics, mixing, running
from ganblocks.training.sampler import Sampler
from ganblocks.values import Player

DATA = Path(__file__).parents[1] / "data" / "statistics-of-the-average.jsonl"
RULES = ("live statistics", "averaged", "re-estimated", "live")
"""Averaged weights with the live network's, averaged, or re-estimated statistics; and the live network itself."""
OVERRIDES = {"evaluation.metrics.kernel.subsets": 1}
"""There are as many images as a subset has, so one subset is as good as a hundred."""


def train(path: str, seed: int, parts: tuple[float, ...], overrides: Mapping[str, Any]) -> None:
    """Train a recipe in memory, and score every rule after the given fractions of its images."""
    registry = ganblocks.discover()
    recipe = ganblocks.read_recipe(path, {**OVERRIDES, **overrides}, registry=registry)
    session = assemble(recipe, registry, seed=seed)
    evaluator = Evaluator(session.batches.images, session.image, evaluation_settings(recipe.evaluation, registry), registry)
    live = session.game.networks[Player.GENERATOR]
    average = copy.deepcopy(live).requires_grad_(False).eval()
    marks = [int(recipe.training.images * part) for part in parts]
    seconds = 0.0
    while session.batches.images_seen < recipe.training.images:
        before, began = session.batches.images_seen, time.perf_counter()
        session.updater.step(session.batches, before)
        follow(average, live, recipe.average.decay)
        seconds += time.perf_counter() - began
        seen = session.batches.images_seen
        if any(before < mark <= seen for mark in marks):
            facts = {"recipe": Path(path).stem, "seed": seed, "images": seen, "of": recipe.training.images}
            row = facts | {"train_seconds": round(seconds, 1)} | compare(session, average, evaluator)
            with DATA.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            print(row, flush=True)


@torch.no_grad()
def follow(average: nn.Module, live: nn.Module, decay: float) -> None:
    """Average parameters and running statistics; spectral norm's estimates are settled later."""
    torch._foreach_lerp_(list(average.parameters()), list(live.parameters()), 1 - decay)
    torch._foreach_lerp_(moments(average), moments(live), 1 - decay)


def moments(network: nn.Module) -> list[Tensor]:
    """Return the running means and variances of a network, each [C]."""
    buffers = (running(norm) for norm in mixing(network))
    return [each[name] for each in buffers if each is not None for name in ("running_mean", "running_var")]


def compare(session: Session, average: nn.Module, evaluator: Evaluator) -> dict[str, Any]:
    """Return each rule's score, the gap of its statistics to those of 4,096 other samples, and the time of an estimate."""
    live = session.game.networks[Player.GENERATOR]
    networks = {name: copy.deepcopy(average) for name in (*RULES[:3], "reference")}
    for network in networks.values():
        settled_like(network, live)
    copy_moments(networks["live statistics"], live)
    began = time.perf_counter()
    estimate_statistics(networks["re-estimated"], session.batches.representative)
    cost = time.perf_counter() - began
    estimate_statistics(networks["reference"], others(session), samples=4096)
    networks["live"] = copy.deepcopy(live).eval()
    scores = {name: score(evaluator, session, networks[name]) for name in RULES}
    gaps = {name: gap(networks[name], networks["reference"]) for name in RULES[:3]}
    return {"kd": scores, "gap": gaps, "cost": round(cost, 3)}


@torch.no_grad()
def settled_like(network: nn.Module, live: nn.Module) -> None:
    """Copy every buffer of the live network except running statistics, and settle estimates."""
    mine = {id(each) for each in moments(network)}
    for buffer, other in zip(network.buffers(), live.buffers(), strict=True):
        if id(buffer) not in mine:
            buffer.copy_(other)
    settle(network)


@torch.no_grad()
def copy_moments(network: nn.Module, live: nn.Module) -> None:
    for mine, other in zip(moments(network), moments(live), strict=True):
        mine.copy_(other)


def others(session: Session) -> Inputs:
    """Return a source of independent latents [n, Z], with labels distributed as in the data."""

    def inputs(n: int) -> tuple[Tensor, Tensor | None]:
        rng = torch.Generator().manual_seed(10_001)
        latent, among = torch.randn(n, session.recipe.generator.latent, generator=rng), session.batches.images.labels
        train = session.batches.train
        return latent, among[train[torch.randint(len(train), (n,), generator=rng)]] if session.image.classes else None

    return inputs


def gap(network: nn.Module, reference: nn.Module) -> list[float]:
    """Return, for the worst layer, the mean distance of means in standard deviations and of variances in natural logarithms."""
    pairs = list(zip(moments(network), moments(reference), strict=True))
    means = [float(((a - b).abs() / v.sqrt()).mean()) for (a, b), (_, v) in zip(pairs[::2], pairs[1::2], strict=True)]
    variances = [float((a / b).log().abs().mean()) for a, b in pairs[1::2]]
    return [round(max(means), 4), round(max(variances), 4)]


def score(evaluator: Evaluator, session: Session, network: nn.Module) -> float:
    report = evaluator.report(Sampler(network, session.recipe.generator.latent, session.image), session.batches.images_seen)
    return next(each.value for each in report.scores if each.name.startswith("kd["))


def table() -> str:
    """Return a table of mean and standard deviation over seeds, per recipe and number of images."""
    rows = [json.loads(line) for line in DATA.read_text(encoding="utf-8").splitlines()]
    lines = ["| recipe | images | seeds | " + " | ".join(RULES) + " |", "|---|---|---|" + "---|" * len(RULES)]
    for recipe, images in sorted({(row["recipe"], row["images"]) for row in rows}):
        group = [row["kd"] for row in rows if (row["recipe"], row["images"]) == (recipe, images)]
        cells = " | ".join(summary([each[rule] for each in group]) for rule in RULES)
        lines.append(f"| {recipe} | {images:,} | {len(group)} | {cells} |")
    return "\n".join(lines)


def summary(values: list[float]) -> str:
    spread = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.2f}{spread}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=("train", "table"))
    parser.add_argument("recipe", nargs="?")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--images", type=int, help="total images, if a schedule depends on the length of the run")
    wanted = parser.parse_args()
    if wanted.what == "table":
        print(table())
    elif wanted.images is None:
        train(wanted.recipe, wanted.seed, (1 / 3, 1.0), {})
    else:
        train(wanted.recipe, wanted.seed, (1.0,), {"training.images": wanted.images})


if __name__ == "__main__":
    main()
