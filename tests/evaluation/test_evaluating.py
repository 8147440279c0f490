"""Scores carry their protocol and their controls, and evaluating leaves the run as it was."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch

import ganblocks as public
from ganblocks import MixesSamples
from ganblocks.errors import UsageError
from ganblocks.evaluation import EvaluationSettings, MetricValue, Report, add_report, evaluate, read_reports
from ganblocks.evaluation.batch_norm_modes import batch_norm_mode
from ganblocks.evaluation.features import choose_indices, generated_images, nearest_distances, noise_images
from ganblocks.training.run import load
from tests.cli.commands import ganblocks, tiny

PIXELS = ("--extractor", "pixels", "--metric", "kernel", "--metric", "frechet")


def refuse_unlike(reports: Iterable[Report]) -> None:
    """Raise UsageError, naming the first difference, if a number stands in two reports under different protocols."""
    first: dict[str, MetricValue] = {}
    for score in (score for report in reports for score in report.scores):
        other = first.setdefault(score.name, score)
        for name in sorted(set(other.protocol) | set(score.protocol)) if score.id != other.id else ():
            values = other.protocol.get(name, "nothing"), score.protocol.get(name, "nothing")
            if values[0] != values[1]:
                raise UsageError(f"{score.name}: protocols do not compare: {name} is {values[0]!r} and {values[1]!r}")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluated") / "run"
    done = ganblocks("run", "recipes/sagan.toml", "--out", folder, *tiny())
    assert done.returncode == 0, done.stderr
    assert "kd[efficientnet-lite0]" in done.stderr
    return folder


def test_a_run_ends_with_the_scores_that_its_recipe_asks_for(run: Path) -> None:
    (first, *_) = json.loads((run / "scores.json").read_text())
    assert [score["name"] for score in first["scores"]] == ["kd[efficientnet-lite0]"]
    assert first["scores"][0]["protocol"]["fake"].startswith("8 samples")


def report(run: Path, **options: object) -> Report:
    registry = public.discover()
    metrics = {name: registry.create("metric", name) for name in ("kernel", "frechet")}
    extractor = registry.create("feature_extractor", "pixels")
    return evaluate(
        run, EvaluationSettings(**{"metrics": metrics, "extractor": extractor, "device": "cpu", "n": 100, **options}), registry
    )


def test_every_number_has_a_protocol_and_controls_in_the_right_order(run: Path) -> None:
    found = {score.name: score for score in report(run).scores}
    assert {"kd[pixels]", "fd[pixels]"} == set(found)  # every subset would be all 100 images: there is no kd_std
    kd = found["kd[pixels]"]
    assert kd.better == "lower"
    assert kd.held_out is not None
    assert kd.noise is not None
    assert kd.held_out < kd.noise
    assert kd.held_out < kd.value
    assert {"features", "resize", "real", "fake", "batch_norm", "truncation", "seed", "metric"} <= set(kd.protocol)
    assert kd.protocol["metric"] == "kernel(subset = 1000, subsets = 100)"


def test_it_repeats_itself_and_leaves_the_global_random_numbers_alone(run: Path) -> None:
    state = torch.random.get_rng_state()
    one, two = report(run), report(run)
    assert one == two
    assert one != report(run, seed=1)
    assert torch.equal(state, torch.random.get_rng_state())


@pytest.mark.parametrize(
    "change", [{"n": 90}, {"truncation": 0.5}, {"batch_norm": "batch"}, {"seed": 1}, {"batch_norm": "standing"}]
)
def test_whatever_is_done_otherwise_is_another_protocol(run: Path, change: dict[str, object]) -> None:
    one, other = report(run), report(run, **change)
    assert all(a.id != b.id for a, b in zip(one.scores, other.scores, strict=True))
    with pytest.raises(UsageError, match=r"do not compare: (fake|truncation|batch_norm|seed|real) is"):
        refuse_unlike([one, other])
    refuse_unlike([one, report(run)])


def test_conventions_of_truncation_are_different_protocols(run: Path) -> None:
    one, other = (report(run, truncation=0.5, truncation_by=by) for by in ("resample", "std"))
    assert [each.scores[0].protocol["truncation"] for each in (one, other)] == ["0.5 by resample", "0.5 by std"]
    assert one.scores[0].value != other.scores[0].value
    with pytest.raises(UsageError, match=r"truncation is '0\.5 by resample' and '0\.5 by std'"):
        refuse_unlike([one, other])


def test_reports_go_through_json(run: Path) -> None:
    found = report(run)
    assert Report.from_dict(json.loads(json.dumps(found.to_dict()))) == found


def test_different_metrics_beside_each_other_are_no_quarrel() -> None:
    one = Report((MetricValue("kd[x]", 1.0, {"seed": "0"}),))
    refuse_unlike([one, Report((MetricValue("fd[x]", 2.0, {"seed": "1"}),))])


@pytest.mark.parametrize("mode", ["moving", "batch", "standing"])
def test_statistics_are_back_afterwards(run: Path, mode: str) -> None:
    sampler = load(run)
    before = {name: value.clone() for name, value in sampler.network.state_dict().items()}
    plain = sampler.sample(8, seed=1)
    with batch_norm_mode(sampler, mode, seed=0):
        other = sampler.sample(8, seed=1)
    assert torch.equal(plain, other) == (mode == "moving")
    assert not sampler.network.training
    assert all(torch.equal(value, before[name]) for name, value in sampler.network.state_dict().items())
    assert torch.equal(sampler.sample(8, seed=1), plain)


def test_standing_statistics_are_the_means_over_batches(run: Path) -> None:
    sampler = load(run)
    norm = sampler.network.get_submodule("final_norm")
    latent, label = sampler.representative(seed=0)(1024)
    seen: list[torch.Tensor] = []
    with batch_norm_mode(sampler, "batch", seed=0):
        hook = norm.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
        sampler.draw(latent, label, batch=64)
        hook.remove()
    with batch_norm_mode(sampler, "standing", seed=0):
        mean, var = norm.running_mean.clone(), norm.running_var.clone()
    assert len(seen) == 16
    torch.testing.assert_close(mean, torch.stack([x.mean((0, 2, 3)) for x in seen]).mean(0))
    torch.testing.assert_close(var, torch.stack([x.var((0, 2, 3)) for x in seen]).mean(0))


def test_standing_statistics_are_those_of_truncated_samples_where_these_are_judged(run: Path) -> None:
    sampler = load(run)
    norm = sampler.network.get_submodule("final_norm")
    means = []
    for how in ({}, {"truncation": 0.01}, {"truncation": 0.01, "convention": "std"}):
        with batch_norm_mode(sampler, "standing", seed=0, **how):
            means.append(norm.running_mean.clone())
    assert not torch.allclose(means[0], means[1])
    assert not torch.equal(means[1], means[2])


@pytest.mark.parametrize("how", [{"truncation": 0.3}, {"truncation": 0.3, "convention": "std"}])
def test_truncated_samples_are_normalised_by_statistics_of_latents_cut_alike(run: Path, how: dict[str, Any]) -> None:
    sampler, reference = load(run), load(run)
    latent, label = sampler.representative(**how)(1024)
    assert (latent.abs().max() > 0.3) == ("convention" in how)  # "std" cuts nothing
    for module in reference.network.modules():
        if isinstance(module, MixesSamples):
            module.train()
    seen: list[torch.Tensor] = []
    norm = reference.network.get_submodule("final_norm")
    norm.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
    reference.draw(latent, label, batch=64)
    used: list[torch.Tensor] = []
    norm = sampler.network.get_submodule("final_norm")
    norm.register_forward_pre_hook(lambda module, _inputs: used.append(module.running_mean.clone()))
    sampler.sample(4, **how)
    torch.testing.assert_close(used[-1], torch.stack([x.mean((0, 2, 3)) for x in seen]).mean(0))


def test_an_unknown_mode_is_a_user_s_mistake(run: Path) -> None:
    with pytest.raises(UsageError, match="moving, batch, standing"), batch_norm_mode(load(run), "frozen", seed=0):
        pass


def test_a_memorised_set_is_near() -> None:
    real = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
    assert nearest_distances(real, real).max() < 1e-6
    assert nearest_distances(torch.zeros(1, 3), torch.tensor([[3.0, 4.0, 0.0], [9.0, 9.0, 9.0]])).item() == pytest.approx(5)


def test_images_in_memory_are_rounded_to_bytes_and_noise_is_each_place_s_own() -> None:
    image = torch.tensor([-1.0, 0.0, 0.999, 1.0]).view(1, 1, 2, 2)
    assert generated_images(image)(torch.tensor([0])).flatten().tolist() == [0, 128, 255, 255]
    read = noise_images((1, 4, 4), seed=3)
    assert torch.equal(read(torch.tensor([5, 2]))[0], read(torch.tensor([5]))[0])
    assert not torch.equal(read(torch.tensor([1])), read(torch.tensor([2])))


def test_real_images_are_drawn_without_replacement() -> None:
    images = public.discover().create("dataset", "digits").open()
    assert torch.equal(choose_indices(images, "train", 10**6, 0), images.split["train"])
    some = choose_indices(images, "train", 50, 0)
    assert len(set(some.tolist())) == 50
    assert set(some.tolist()) <= set(images.split["train"].tolist())


def test_the_command_prints_keeps_and_adds(run: Path) -> None:
    checkpoint = sorted(run.glob("checkpoints/*/*"))
    before = [path.read_bytes() for path in checkpoint]
    earlier = len(json.loads((run / "scores.json").read_text()))
    for _ in range(2):
        done = ganblocks("evaluate", run, *PIXELS, "--n", "100")
        assert done.returncode == 0, done.stderr
    assert "kd[pixels]" in done.stdout
    assert "held-out real" in done.stdout
    assert "batch_norm: moving" in done.stdout
    reports = json.loads((run / "scores.json").read_text())
    assert len(reports) == earlier + 2
    assert reports[-1] == reports[-2]
    assert reports[-1]["images"] == 64
    assert math.isfinite(reports[-1]["nearest"])
    assert [path.read_bytes() for path in checkpoint] == before


def test_the_command_speaks_json(run: Path) -> None:
    done = ganblocks("evaluate", run, *PIXELS, "--n", "50", "--json")
    found = Report.from_dict(json.loads(done.stdout))
    assert {score.protocol["fake"].split()[0] for score in found.scores} == {"50"}


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--metric", "absent"), 2, "no metric is called"),
        (("--extractor", "absent"), 2, "no feature_extractor is called"),
        (("--extractor", "pixels", "--metric", "inception_score"), 2, "needs logits"),
        (("--extractor", "{ size = 8 }"), 2, "a table needs use"),
        (("--extractor", "{ use = 'pixels', size = 0 }"), 2, "feature_extractor.pixels.size: must be at least 1"),
        (
            ("--extractor", "{ use = 'inception_2015', path = 'absent.pth' }"),
            3,
            "no such file of weights; get weights-inception-2015",
        ),
        (("--extractor", "inception_2015"), 2, "path: is required"),
        (("--batch-norm", "frozen", *PIXELS), 2, "no batch-norm mode"),
        (("--truncation", "-1", *PIXELS), 2, "truncation must be above 0"),
        (("--truncation", "1", "--truncation-by", "clip", *PIXELS), 2, "unknown truncation convention 'clip'"),
    ],
)
def test_wishes_that_cannot_be(run: Path, arguments: tuple[str, ...], code: int, words: str) -> None:
    done = ganblocks("evaluate", run, *arguments)
    assert done.returncode == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_an_extractor_takes_options_as_a_recipe_writes_them(run: Path) -> None:
    arguments = ("--extractor", "{ use = 'pixels', size = 4 }", "--metric", "{ use = 'kernel', subsets = 5 }", "--n", "20")
    done = ganblocks("evaluate", run, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    (score,) = Report.from_dict(json.loads(done.stdout)).scores
    assert score.protocol["resize"].endswith("to 4")
    assert score.protocol["metric"] == "kernel(subset = 1000, subsets = 5)"


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    done = ganblocks("evaluate", tmp_path, *PIXELS)
    assert done.returncode == 3
    assert "recipe.toml" in done.stderr


def test_what_two_keep_at_once_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A live run scores itself while somebody evaluates it."""

    def slowly(run: Path) -> list[Report]:
        found = read_reports(run)
        time.sleep(0.05)
        return found

    monkeypatch.setattr("ganblocks.evaluation.scores_file.read_reports", slowly)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda images: add_report(tmp_path, Report((), None, images)), range(8)))
    assert sorted(each.images for each in read_reports(tmp_path)) == list(range(8))


def test_fewer_real_images_than_there_are_come_from_their_split() -> None:
    split = {"train": torch.arange(1, 40, 2), "held_out": torch.arange(0, 40, 2)}
    images = public.Images(torch.zeros(40, 1, 2, 2, dtype=torch.uint8).__getitem__, torch.zeros(40).long(), "f", split)
    for seed in range(5):
        places = choose_indices(images, "train", 7, seed)
        assert len(set(places.tolist())) == 7
        assert (places % 2 == 1).all()


def test_two_metrics_of_one_kind_have_controls_of_their_own(run: Path) -> None:
    registry = public.discover()
    few, many = (registry.create("metric", "precision_recall", neighbours=count) for count in (1, 9))
    both = report(run, metrics={"few": few, "many": many}).scores
    alone = [*report(run, metrics={"few": few}).scores, *report(run, metrics={"many": many}).scores]
    assert [(each.value, each.held_out, each.noise) for each in both] == [
        (each.value, each.held_out, each.noise) for each in alone
    ]
    assert both[0].held_out != both[2].held_out
