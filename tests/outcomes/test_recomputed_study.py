"""What ``ganblocks ablate`` writes, column by column, from the run folders of its cells."""

from __future__ import annotations

import csv
import json
import re
import tomllib
from pathlib import Path
from typing import Any
from unittest.mock import patch

import attrs
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from scipy import stats

from ganblocks import read_recipe
from ganblocks.assembly import build_discriminator, build_generator
from ganblocks.cli import main
from ganblocks.evaluation.features import noise_images
from ganblocks.training.sampler import Sampler
from tests.outcomes.test_recomputed_scores import features_of, kernel
from tests.outcomes.zoo import COUNTS, REGISTRY, files_by_class, flops_per_image, rounded, say

RECIPE = """
title = "Study"
[data]
use = "image_folder"
path = "{path}"
size = 8
classes = 4
held_out = 0.25
[generator]
use = "resnet"
width = 8
latent = 16
multipliers = [1, 1]
norm = "conditional_batch"
weight_norm = "none"
attention_at = [8]
attention = "none"
[discriminator]
use = "resnet"
width = 8
multipliers = [1, 1]
halvings = 1
weight_norm = "none"
attention_at = [4]
attention = "none"
[loss]
use = "hinge"
[update]
use = "alternating"
[update.generator]
use = "adam"
rate = 5e-3
[update.discriminator]
use = "adam"
rate = 5e-3
[average]
decay = 0.5
[training]
images = 48
batch = 8
samples_every = 48
checkpoint_every = 24
[evaluation]
extractor = {{ use = "pixels", size = 1 }}
every = 24
[evaluation.metrics.kernel]
subsets = 1
[evaluation.metrics.density_coverage]
neighbours = 15
[ablation.attention.set]
"*.attention" = {{ use = "self_attention", gamma = 0.3 }}
[ablation.strong]
against = "attention"
[ablation.strong.set]
"*.attention" = {{ use = "self_attention", gamma = 1.0 }}
"""
VARIANTS, SEEDS, MOMENTS = ("baseline", "attention", "strong"), (1, 3), (24, 48)
AGAINST = {"baseline": "baseline", "attention": "baseline", "strong": "attention"}


class Here:
    """What subprocess.Popen is to a study: the very command, run in this process."""

    def __init__(self, command: list[str], **_: Any) -> None:
        self.returncode = main([str(word) for word in command[3:]])

    def poll(self) -> int:
        return self.returncode

    def terminate(self) -> None: ...

    def wait(self) -> None: ...


@attrs.define
class Study:
    folder: Path
    printed: dict[str, Any]
    bars: list[tuple[Any, ...]]
    lines: list[float]
    features: dict[str, np.ndarray]
    labels: list[int]

    def table(self) -> dict[str, dict[str, Any]]:
        return {row["variant"]: row for row in json.loads((self.folder / "table.json").read_text())["rows"]}

    def run(self, variant: str, seed: int) -> Path:
        return self.folder / "cells" / variant / f"seed-{seed}"

    def records(self, variant: str, seed: int) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.run(variant, seed) / "metrics.jsonl").read_text().splitlines()]

    def value(self, variant: str, seed: int, images: int) -> float:
        """The kernel distance of a cell at a moment, from its checkpoint."""
        run = self.run(variant, seed)
        recipe = read_recipe(run / "recipe.toml", registry=REGISTRY)
        network = build_generator(recipe, recipe.data.dataset.describe(), seed=99).eval()
        network.load_state_dict(load_file(run / "checkpoints" / f"images-{images:010d}" / "average.safetensors"))
        latent, label = Sampler(network, 16, recipe.data.dataset.describe()).inputs(len(self.labels), self.labels, 0)
        with torch.no_grad():
            return kernel(self.features["train"], features_of(rounded(network(latent, label))))

    def ends(self, variant: str) -> list[float]:
        return [self.value(variant, seed, 48) for seed in SEEDS]


@pytest.fixture(scope="module")
def study(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Study:
    from matplotlib.axes import Axes

    folder = tmp_path_factory.mktemp("study")
    (folder / "study.toml").write_text(RECIPE.format(path=images))
    bars: list[tuple[Any, ...]] = []
    lines: list[float] = []
    errorbar, axhline = Axes.errorbar, Axes.axhline

    def spied(self: Any, x: Any, y: Any, half: Any, **style: Any) -> Any:
        bars.append((style["label"], list(x), list(y), list(half)))
        return errorbar(self, x, y, half, **style)

    def lined(self: Any, y: float, **style: Any) -> Any:
        lines.append(y)
        return axhline(self, y, **style)

    words = ("ablate", folder / "study.toml", "--seeds", "1,3", "--out", folder / "out", "--device", "cpu", "--json")
    with (
        patch("ganblocks.study.cells.subprocess.Popen", Here),
        patch.object(Axes, "errorbar", spied),
        patch.object(Axes, "axhline", lined),
    ):
        text = say(*words)
    printed = json.loads(text[text.index("{") :])
    opened = read_recipe(folder / "study.toml", registry=REGISTRY).data.dataset.open()
    files = list(files_by_class(images))
    features = {side: features_of(np.stack([files[i][1] for i in places.tolist()])) for side, places in opened.split.items()}
    labels = [files[i][0] for i in opened.split["train"].tolist()]
    return Study(folder / "out", printed, bars, lines, features, labels)


def test_the_study_ran_what_its_rows_say(study: Study) -> None:
    assert sum(COUNTS.values()) == sum(map(len, study.features.values()))
    for variant in VARIANTS:
        for seed in SEEDS:
            said = tomllib.loads((study.run(variant, seed) / "recipe.toml").read_text())
            assert json.loads((study.run(variant, seed) / "provenance.json").read_text())["seed"] == seed
            for player in ("generator", "discriminator"):
                attention = said[player]["attention"]
                name = attention if isinstance(attention, str) else attention["use"]
                assert name == ("none" if variant == "baseline" else "self_attention")
                if variant != "baseline":
                    assert attention["gamma"] == (0.3 if variant == "attention" else 1.0)


def test_cells_csv_has_each_number_of_each_cell_in_its_own_column(study: Study) -> None:
    rows = list(csv.DictReader((study.folder / "cells.csv").open()))
    assert len(rows) == len(VARIANTS) * len(SEEDS) * len(MOMENTS) * 3
    held_out = kernel_of_fewer(study)
    static = features_of(noise_images((3, 8, 8), 0)(torch.arange(len(study.labels))).permute(0, 2, 3, 1).numpy())
    leading = [row for row in rows if row["score"].startswith("kd[")]
    assert [(r["variant"], int(r["seed"]), int(r["images"])) for r in leading] == [
        (variant, seed, images) for seed in SEEDS for variant in VARIANTS for images in MOMENTS
    ]
    for row in leading:
        variant, seed = row["variant"], int(row["seed"])
        assert float(row["value"]) == pytest.approx(study.value(variant, seed, int(row["images"])), rel=1e-3, abs=1e-5)
        assert float(row["noise"]) == pytest.approx(kernel(study.features["train"], static), rel=1e-3)
        assert held_out[0] < float(row["held_out"]) < held_out[1]
        records = study.records(variant, seed)
        seconds = [record["seconds"] for record in records]
        assert float(row["step_seconds"]) == pytest.approx(float(np.median(np.diff(seconds))))
        assert float(row["step_images"]) == 8
        assert row["diverged"] == "no"
    for row in rows:
        reports = json.loads((study.run(row["variant"], int(row["seed"])) / "scores.json").read_text())
        (report,) = [report for report in reports if report["images"] == int(row["images"])]
        (score,) = [score for score in report["scores"] if score["name"] == row["score"]]
        assert row["protocol"] == score["id"]
        for column in ("value", "held_out", "noise"):
            assert float(row[column]) == score[column], (row, column)


def kernel_of_fewer(study: Study) -> tuple[float, float]:
    """Between which numbers the held-out images' lie: as many training images are drawn as there are held-out ones."""
    rng, held_out = np.random.default_rng(0), study.features["held_out"]
    draws = [kernel(study.features["train"][rng.permutation(len(study.labels))[: len(held_out)]], held_out) for _ in range(200)]
    return min(draws) - float(np.std(draws)), max(draws) + float(np.std(draws))


def interval(values: list[float]) -> tuple[float, float]:
    low, high = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
    return float(low), float(high)


def moments(study: Study, variant: str) -> dict[str, list[float]]:
    """Moment -> a value for each seed."""
    pace = {
        name: float(np.median([np.median(np.diff([r["seconds"] for r in study.records(name, seed)])) for seed in SEEDS])) / 8
        for name in VARIANTS
    }
    equal = min(pace.values()) * 48 / pace[variant]
    found: dict[str, list[float]] = {"24 images": [], "equal time": [], "end": [], "best": []}
    for seed in SEEDS:
        early, late = (study.value(variant, seed, images) for images in MOMENTS)
        found["24 images"].append(early)
        if equal >= 24:
            found["equal time"].append(float(np.interp(equal, MOMENTS, (early, late))))
        found["end"].append(late)
        found["best"].append(min(early, late))
    return found


def test_table_csv_has_means_and_student_s_intervals_of_each_moment(study: Study) -> None:
    rows = {(row["variant"], row["moment"]): row for row in csv.DictReader((study.folder / "table.csv").open())}
    assert len(rows) == 12
    for variant in VARIANTS:
        for moment, values in moments(study, variant).items():
            row = rows[variant, moment]
            assert row["against"] == AGAINST[variant]
            assert (row["runs"], row["diverged"]) == ("2", "0")
            if not values:
                assert row["mean"] == ""
                continue
            assert float(row["mean"]) == pytest.approx(np.mean(values), rel=1e-3)
            low, high = interval(values)
            assert float(row["low"]) == pytest.approx(low, rel=1e-2, abs=1e-5)
            assert float(row["high"]) == pytest.approx(high, rel=1e-2, abs=1e-5)


def test_differences_are_mine_minus_theirs_paired_by_seed(study: Study) -> None:
    table = study.table()
    assert table["baseline"]["difference"] is None
    p_values = {}
    for variant in ("attention", "strong"):
        found, row = stats.ttest_rel(study.ends(variant), study.ends(AGAINST[variant])), table[variant]
        assert not row["not_compared"]
        gaps = np.subtract(study.ends(variant), study.ends(AGAINST[variant]))
        low, high = found.confidence_interval(0.95)
        assert row["difference"]["mean"] == pytest.approx(float(gaps.mean()), rel=1e-2, abs=1e-5)
        assert row["difference"]["low"] == pytest.approx(low, rel=2e-2, abs=1e-4)
        assert row["difference"]["high"] == pytest.approx(high, rel=2e-2, abs=1e-4)
        assert row["p"] == pytest.approx(found.pvalue, rel=2e-2)
        p_values[variant] = row["p"]
    ranked = sorted(p_values.items(), key=lambda item: item[1])
    largest = 0.0
    for rank, (variant, p) in enumerate(ranked):
        largest = max(largest, min(1.0, p * (len(ranked) - rank)))
        assert table[variant]["p_holm"] == pytest.approx(largest)


def test_rows_say_what_their_networks_cost(study: Study) -> None:
    table, counts = study.table(), {}
    for variant in VARIANTS:
        recipe = read_recipe(study.run(variant, 1) / "recipe.toml", registry=REGISTRY)
        image = recipe.data.dataset.describe()
        networks = [build_generator(recipe, image, seed=0), build_discriminator(recipe, image, seed=0)]
        counts[variant] = sum(each.numel() for network in networks for each in network.parameters())
        flops = flops_per_image(networks[0], (16,)) + flops_per_image(networks[1], (3, 8, 8))
        row = table[variant]
        assert row["parameters"] == counts[variant]
        assert row["flops"] == flops
        assert (row["finished"], row["diverged"], row["missing"], row["step_images"]) == (2, 0, 0, 8)
        seconds = [np.median(np.diff([r["seconds"] for r in study.records(variant, seed)])) for seed in SEEDS]
        assert row["step_seconds"] == pytest.approx(float(np.median(seconds)))
    swapped = table["attention"]["swapped"]
    assert swapped["mine"] - swapped["theirs"] == counts["attention"] - counts["baseline"]
    assert swapped["theirs"] == 0


def test_text_and_latex_and_json_say_the_same_numbers(study: Study) -> None:
    document = json.loads((study.folder / "table.json").read_text())
    assert study.printed == document
    assert document["score"] == "kd[pixels]"
    assert document["better"] == "lower"
    cells = next(iter(csv.DictReader((study.folder / "cells.csv").open())))
    assert (document["held_out"], document["noise"]) == (float(cells["held_out"]), float(cells["noise"]))
    text, tex = (study.folder / "table.md").read_text(), (study.folder / "table.tex").read_text()
    assert f"held-out real {document['held_out']:.4g}; noise {document['noise']:.4g}" in text
    columns = [cell.strip() for cell in next(line for line in text.splitlines() if line.startswith("| variant")).split("|")][
        1:-1
    ]
    for row in document["rows"]:
        (line,) = [line for line in text.splitlines() if line.startswith(f"| {row['variant']} |")]
        (other,) = [line for line in tex.splitlines() if line.startswith(f"{row['variant']} &")]
        for shown in (line.split("|")[1:-1], other.removesuffix(r" \\").replace(r"$\pm$", "±").split("&")):
            said = dict(zip(columns, (cell.strip().replace("\\", "") for cell in shown), strict=True))
            assert said["parameters"] == f"{row['parameters']:,}"
            assert said["FLOPs / image"].startswith(f"{row['flops'] / 1e6:,.1f} M")
            assert said["ms / image"] == f"{1000 * row['step_seconds'] / 8:.3g}"
            assert said["runs"] == "2 of 2"
            for moment, found in row["scores"].items():
                assert found is None or near(said[moment], [found["mean"], found["high"] - found["mean"]])
            if row["difference"]:
                mean, half = row["difference"]["mean"], row["difference"]["high"] - row["difference"]["mean"]
                assert near(said["difference"], [mean, half, row["p_holm"]])


def near(text: str, values: list[float]) -> bool:
    """Whether a text has these numbers, rounded to the digits that it shows."""
    shown = re.findall(r"[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?", text)
    return len(shown) == len(values) and all(
        abs(float(a) - b) <= 0.51 * 10.0 ** -len(a.partition(".")[2])
        if "e" not in a
        else float(a) == pytest.approx(b, rel=0.01)
        for a, b in zip(shown, values, strict=True)
    )


def test_words_name_the_sign_the_interval_and_p(study: Study) -> None:
    verdicts = {verdict.split(" ")[0]: verdict for verdict in study.printed["verdicts"]}
    assert set(verdicts) == {"attention", "strong"}
    text = (study.folder / "table.md").read_text()
    for variant, verdict in verdicts.items():
        row = study.table()[variant]
        assert f"* {verdict}" in text
        assert verdict.startswith(f"{variant} against {AGAINST[variant]}" if AGAINST[variant] != "baseline" else variant)
        found = row["difference"]
        head, _, span = verdict.partition("(")
        assert near(head, [found["mean"]])
        assert near(span.partition(",")[0], [95.0, found["low"], found["high"]])
        assert f"p = {row['p_holm']:.2g} after Holm" in verdict
        different = row["p_holm"] < 0.05
        assert ("no difference shown" in verdict) == (not different)
        if different:
            assert ("better" in verdict) == (found["mean"] < 0)


def test_the_plot_shows_means_and_half_widths_of_every_moment(study: Study) -> None:
    assert [bar[0] for bar in study.bars] == list(VARIANTS)
    for variant, x, y, half in study.bars:
        for i, images in enumerate(MOMENTS):
            values = [study.value(variant, seed, images) for seed in SEEDS]
            assert abs(x[i] - images) < 1
            assert y[i] == pytest.approx(np.mean(values), rel=1e-3)
            assert half[i] == pytest.approx(interval(values)[1] - np.mean(values), rel=1e-2, abs=1e-5)
    assert study.lines == [study.printed["held_out"], study.printed["noise"]]
