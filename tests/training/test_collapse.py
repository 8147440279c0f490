"""The lookout for collapse: what it sees, what it does not, and what a run does about it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import attrs
import pytest
import torch
from ganblocks_update_rules.alternating import AlternatingUpdater
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor, nn

import ganblocks as public
from ganblocks import read_recipe
from ganblocks.diversity import compared_images, diversity, nearest_distance
from ganblocks.errors import Collapsed
from ganblocks.game import PlayedTurn
from ganblocks.training.collapse import COLLAPSED, MEMORY, PATIENCE, CollapseDetector, Smoothed
from ganblocks.training.health import Decision, HealthMonitor, read_health
from ganblocks.training.launch import resume
from ganblocks.training.run_folder import read_metrics
from ganblocks.values import Player, Score, View
from tests.cli.commands import ROOT

RECIPE = ROOT / "tests" / "fixtures" / "study.toml"


def records(fake: float, real: float = 1.0, pull: float = 1.0, steps: int = PATIENCE * 3) -> Iterator[dict[str, Any]]:
    return ({"fake/nearest": fake, "real/nearest": real, "generator/gradient_norm": pull} for _ in range(steps))


def kinds(lookout: CollapseDetector, *parts: Iterator[dict[str, Any]]) -> list[str]:
    return [alarm.kind for part in parts for record in part for alarm in lookout.read(record)]


@given(st.floats(0.11, 10), st.floats(1e-3, 1e3))
def test_fakes_that_differ_set_nothing_off(fake: float, scale: float) -> None:
    assert kinds(CollapseDetector(), records(fake * scale, scale)) == []


@given(st.floats(0, 0.09), st.floats(1e-3, 1e3))
def test_fakes_that_are_alike_are_seen_once(fake: float, scale: float) -> None:
    assert kinds(CollapseDetector(), records(fake * scale, scale)) == ["collapse"]


def test_it_is_said_again_after_things_were_better() -> None:
    bad, good = records(COLLAPSED / 2), records(1.0)
    assert kinds(CollapseDetector(), bad, good, records(COLLAPSED / 2)) == ["collapse", "collapse"]


def test_nothing_is_said_of_the_first_images() -> None:
    assert kinds(CollapseDetector(), records(0.0, steps=PATIENCE - 1)) == []


def test_a_gradient_that_is_gone_is_seen() -> None:
    assert kinds(CollapseDetector(), records(1.0, pull=1.0), records(1.0, pull=1e-6)) == ["saturation"]


@pytest.mark.parametrize(("pull", "expected"), [(2e-4, []), (5e-5, ["saturation"])])
def test_gone_is_a_ten_thousandth(pull: float, expected: list[str]) -> None:
    assert kinds(CollapseDetector(), records(1.0, pull=1.0), records(1.0, pull=pull)) == expected


@given(st.lists(st.floats(0, 1e3), min_size=1, max_size=30))
def test_a_smoothed_number_is_a_weighted_mean_and_its_height_that_of_the_mean(values: list[float]) -> None:
    smoothed, expected = Smoothed(), []
    for i, value in enumerate(values):
        weights = [MEMORY ** (i - j) for j in range(i + 1)]
        expected.append(sum(w * v for w, v in zip(weights, values, strict=False)) / sum(weights))
        assert smoothed.add(value) == pytest.approx(expected[-1], rel=1e-9, abs=1e-12)
    assert smoothed.highest == pytest.approx(max(expected), rel=1e-9, abs=1e-12)


def test_records_of_rules_that_report_less_are_fine() -> None:
    assert kinds(CollapseDetector(), iter([{"images": 8}] * 1000)) == []


@given(st.integers(2, 6), st.integers(1, 3), st.integers(0, 2**31))
def test_nearest_is_the_distance_to_the_nearest_other(count: int, size: int, seed: int) -> None:
    image = torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(seed))
    expected = 0.0
    for i in range(count):
        gaps = [float((image[i] - image[j]).double().square().mean().sqrt()) for j in range(count) if j != i]
        expected += min(gaps) / count
    assert float(nearest_distance(image)) == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_images_that_are_the_same_have_no_distance() -> None:
    image = torch.rand(1, 3, 8, 8).expand(40, -1, -1, -1)
    assert float(nearest_distance(image)) < 1e-3


@given(st.lists(st.integers(0, 4), min_size=2, max_size=40), st.integers(0, 2**31))
def test_distinct_images_are_held_against_the_nearest_that_is_another_one(drawn: list[int], seed: int) -> None:
    """Computed anew from the distances of the images that were drawn, without the copies."""
    kinds = torch.rand(5, 3, 8, 8, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    gaps = (kinds[:, None] - kinds[None]).double().square().mean((2, 3, 4)).sqrt()
    closest = [min((float(gaps[i, j]) for j in set(drawn) if j != i), default=0.0) for i in drawn]
    found = float(nearest_distance(kinds[drawn], skip_duplicates=True))
    assert found == pytest.approx(sum(closest) / len(closest), rel=1e-4)
    assert (found == 0) == (len(set(drawn)) == 1)


@pytest.mark.parametrize("copies", [1, 20])
@pytest.mark.parametrize("count", [2, 3, 6, 15, 63])
def test_a_small_data_set_does_not_make_it_blind(count: int, copies: int) -> None:
    """Batches of 64 from fewer images, or from many copies: collapse is seen, and a generator of all of them is none."""
    kinds = torch.rand(count, 1, 8, 8, generator=torch.Generator().manual_seed(1)) * 2 - 1
    data = kinds.repeat(copies, 1, 1, 1)
    score = Score(torch.zeros(64))
    rng = torch.Generator().manual_seed(2)
    seen = {}
    for name in ("constant", "memoriser"):
        lookout, alarms = CollapseDetector(), []
        for _ in range(PATIENCE + 60):
            order = torch.cat([torch.randperm(len(data), generator=rng) for _ in range(-(-64 // len(data)))])[:64]
            fake = (
                kinds[torch.randint(count, (64,), generator=rng)] if name == "memoriser" else kinds[:1].expand(64, -1, -1, -1)
            )
            views = View(data[order], None, score), View(fake, None, score)
            turn: Any = PlayedTurn(None, Player.DISCRIMINATOR, 0, torch.zeros(64, 1), rng, *views)  # type: ignore[arg-type]
            metrics = diversity(turn, compared_images(len(data)))
            alarms += lookout.read({key: float(value) for key, value in metrics.items()})
        seen[name] = [alarm.kind for alarm in alarms]
    assert seen["constant"] == ["collapse"]
    assert copies > 1 or seen["memoriser"] == []


@pytest.mark.parametrize(("images", "expected"), [(1, 2), (7, 2), (15, 3), (256, 64), (10**6, 64)])
def test_how_many_are_compared(images: int, expected: int) -> None:
    assert compared_images(images) == expected


def blind(tmp_path: Path, images: int, settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    for i in range(images):
        Image.new("L", (8, 8), 40).save(tmp_path / f"{i}.png")
    data = {"use": "image_folder", "path": str(tmp_path), "size": 8, "channels": 1, "held_out": 0.0}
    wanted: dict[str, Any] = {
        "data": data,
        "generator.norm": "none",
        "generator.final_norm": "none",
        "discriminator.conditioning": "none",
    }
    wanted |= {"training.images": 16, "evaluation.n": 8, "evaluation.every": 10_000}
    recipe = attrs.evolve(read_recipe(RECIPE, wanted | settings), evaluation=None)
    public.run(recipe, tmp_path / "run", "cpu")
    events: list[dict[str, Any]] = read_health(tmp_path / "run")["events"]
    return events


@pytest.mark.parametrize(
    ("settings", "why"),
    [({}, r"the training images are all the same \(3 of them\)"), ({"training.batch": 1}, "a batch is one image")],
    ids=["same", "one"],
)
def test_where_nothing_can_be_compared_it_is_said_before_the_first_step(
    tmp_path: Path, settings: dict[str, Any], why: str
) -> None:
    with pytest.warns(UserWarning, match=f"blind: {why}, so collapse cannot be detected"):
        events = blind(tmp_path, 3, settings)
    assert [(event["event"], event["images"]) for event in events] == [("blind", 0)]


def test_where_nobody_looks_nothing_is_said(tmp_path: Path) -> None:
    assert blind(tmp_path, 3, {"health.collapse": "off"}) == []


class Constant(nn.Module):
    """A generator that has collapsed: one image, whatever the latent."""

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        self.image = nn.Parameter(torch.zeros(channels, size, size))

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        return self.image.tanh().expand(len(z), -1, -1, -1)


def collapsed(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    policy: str,
    more: Mapping[str, Any] | None = None,
    watch: Callable[[dict[str, Any]], None] = lambda record: None,
) -> Path:
    monkeypatch.setattr("ganblocks.assembly.build_generator", lambda recipe, image, seed: Constant(image.channels, image.size))
    settings = {"training.images": (PATIENCE + 20) * 2, "training.batch": 2, "health.collapse": policy}
    settings |= {"evaluation.n": 8, "evaluation.every": 10_000}
    public.run(read_recipe(RECIPE, settings | (more or {})), tmp_path / "run", "cpu", watch=watch)
    return tmp_path / "run"


class Kept(HealthMonitor):
    """Remembers its detector as it was made and after every step, and itself."""

    made: ClassVar[list[Kept]]

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.lived: list[CollapseDetector] = []
        self.made.append(self)

    def decide(self, record: Mapping[str, Any], *arguments: Any) -> Decision:
        decision = super().decide(record, *arguments)
        self.lived.append(copy.deepcopy(self.detector))
        return decision


def spoiled(original: Callable[..., dict[str, Any]], names: tuple[str, ...]) -> Callable[..., dict[str, Any]]:
    """Every fiftieth step has a number that is not finite, and others that would change every mean."""

    def step(self: AlternatingUpdater, next_batch: Any, images_seen: int) -> dict[str, Any]:
        metrics = original(self, next_batch, images_seen)
        if images_seen % 100 == 98:
            metrics |= dict.fromkeys(("fake/nearest", "real/nearest", "generator/gradient_norm"), torch.tensor(1e6))
            metrics |= dict.fromkeys(names, torch.tensor(torch.nan))
        return metrics

    return step


@pytest.mark.filterwarnings("ignore:step")
@pytest.mark.parametrize("names", [("generator/loss",), ("fake/nearest", "generator/gradient_norm")])
def test_a_resumed_run_knows_what_the_run_has_seen(
    names: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the lines of metrics.jsonl, where some steps were undone and some numbers are null: after any step."""
    monkeypatch.setattr("ganblocks.training.loop.HealthMonitor", Kept)
    monkeypatch.setattr(Kept, "made", [], raising=False)
    monkeypatch.setattr(AlternatingUpdater, "step", spoiled(AlternatingUpdater.step, names))
    run = collapsed(tmp_path, monkeypatch, "warn", {"health.not_finite": "skip", "training.checkpoint_every": 100})
    resume(run)
    lived, resumed = Kept.made[0].lived, Kept.made[1]
    assert lived[-1].active == {"collapse"}
    assert resumed.detector == lived[-1]
    log = read_metrics(run)
    undone = [record for record in log if record.get("undone")]
    assert len(undone) == 4
    assert all(record[name] is None for record in undone for name in names)
    for cut, known in enumerate(lived, 1):
        assert HealthMonitor.of_log(resumed.policy, log[:cut]).detector == known


def test_a_collapsed_generator_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.warns(UserWarning, match="collapse: fakes are 0.0% as far from their nearest neighbour as real images are"):
        run = collapsed(tmp_path, monkeypatch, "warn")
    assert [(event["event"], event["step"]) for event in read_health(run)["events"]] == [("collapse", PATIENCE)]


def test_it_ends_the_run_where_the_recipe_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Collapsed, match=rf"step {PATIENCE} .*collapse: fakes are 0\.0%") as caught:
        collapsed(tmp_path, monkeypatch, "stop")
    assert caught.value.exit_code == 4


def test_it_is_not_looked_for_where_the_recipe_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_health(collapsed(tmp_path, monkeypatch, "off"))["events"] == []


def test_it_goes_back_and_ends_where_going_back_did_not_help(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    with pytest.warns(UserWarning, match="rolled back"), pytest.raises(Collapsed, match="after 3 rollbacks"):
        collapsed(tmp_path, monkeypatch, "rollback", watch=lambda record: seen.append(record["images"]))
    # of the checkpoints at 352 and 396 images the older one: what is newest has most likely collapsed too
    assert seen[PATIENCE - 1 : PATIENCE + 1] == [2 * PATIENCE, 354]
