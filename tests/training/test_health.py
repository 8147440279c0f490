"""Numbers that are not finite are caught at their step, wherever they come from, and met as the recipe says."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from ganblocks_losses.hinge import Hinge
from ganblocks_penalties.slope import HalfSquaredSlope
from ganblocks_update_rules.alternating import AlternatingUpdater

import ganblocks as public
from ganblocks import read_recipe
from ganblocks.batches import Batches
from ganblocks.errors import Diverged
from ganblocks.game import TwoPlayerGame
from ganblocks.training.average import Average
from ganblocks.training.checkpoint import first_not_finite, latest, load_checkpoint
from ganblocks.training.collapse import Alarm, CollapseDetector
from ganblocks.training.health import HealthMonitor, read_health
from ganblocks.training.launch import resume
from ganblocks.training.run_folder import read_metrics
from ganblocks.values import Batch, Player
from tests.cli.commands import ROOT

RECIPE = ROOT / "tests" / "fixtures" / "study.toml"
NAN = float("nan")
AT = 40
"""Images seen before the step that goes wrong: the sixth of eight images each."""
Spoil = Callable[[AlternatingUpdater, Batches], None]
Watch = Callable[[dict[str, Any]], None]


def train(out: Path, watch: Watch = lambda record: None, **overrides: Any) -> Path:
    wanted = read_recipe(RECIPE, {"training.checkpoint_every": 16, "evaluation.n": 8, "evaluation.every": 1000, **overrides})
    public.run(wanted, out, "cpu", watch=watch)
    return out


@pytest.fixture
def spoil(monkeypatch: pytest.MonkeyPatch) -> Callable[[Spoil], None]:
    """Do something just before the step at ``AT`` images, every time that a run comes there."""
    original = AlternatingUpdater.step

    def arrange(change: Spoil) -> None:
        def step(self: AlternatingUpdater, next_batch: Any, images_seen: int) -> Any:
            if images_seen == AT:
                change(self, next_batch)
            return original(self, next_batch, images_seen)

        monkeypatch.setattr(AlternatingUpdater, "step", step)

    return arrange


def spoil_input(updater: AlternatingUpdater, batches: Batches) -> None:
    original = type(batches).at

    def at(player: Player, start: int) -> Batch:
        batch = original(batches, player, start)
        if player is Player.DISCRIMINATOR and start == AT:
            batch.image[0, 0, 0, 0] = NAN
        return batch

    batches.at = at  # type: ignore[method-assign]


def spoil_gradient(updater: AlternatingUpdater, batches: Batches) -> None:
    first = next(updater.game.networks[Player.GENERATOR].parameters())
    handle = first.register_hook(lambda gradient: (handle.remove(), gradient * NAN)[1])  # type: ignore[func-returns-value]


def spoil_parameter(updater: AlternatingUpdater, batches: Batches) -> None:
    with torch.no_grad():
        next(updater.game.networks[Player.DISCRIMINATOR].parameters()).view(-1)[0] = NAN


def spoil_optimizer(updater: AlternatingUpdater, batches: Batches) -> None:
    state = updater.players[Player.GENERATOR].optimizer.state
    next(iter(state.values()))["exp_avg"].view(-1)[0] = NAN


def spoil_loss(updater: AlternatingUpdater, batches: Batches) -> None:
    """See the test: the loss is patched for one call."""


def spoil_average(updater: AlternatingUpdater, batches: Batches) -> None:
    """See the test: the average is patched for one call."""


PLACES: dict[str, tuple[Spoil, str]] = {
    "input": (spoil_input, "the real images of the batch"),
    "loss": (spoil_loss, "discriminator/loss"),
    "gradient": (spoil_gradient, "generator/gradient_norm"),
    "parameter": (spoil_parameter, "the parameter discriminator."),
    "optimizer": (spoil_optimizer, "the parameter generator."),
    "average": (spoil_average, "the average's"),
}


def once(monkeypatch: pytest.MonkeyPatch, owner: type, name: str, change: Callable[[Any, Any], Any], at: int) -> None:
    """Change the result of the ``at``-th call of a method."""
    original, calls = getattr(owner, name), [0]

    def call(self: Any, *arguments: Any) -> Any:
        calls[0] += 1
        result = original(self, *arguments)
        return change(self, result) if calls[0] == at else result

    monkeypatch.setattr(owner, name, call)


def fill(average: Average, result: None) -> None:
    with torch.no_grad():
        next(average.network.parameters()).fill_(NAN)


@pytest.mark.parametrize("place", PLACES)
def test_it_is_caught_at_its_step_and_never_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Spoil], None], place: str
) -> None:
    change, words = PLACES[place]
    spoil(change)
    if place == "loss":
        once(monkeypatch, Hinge, "for_discriminator", lambda _, loss: loss * NAN, at=AT // 8 + 1)
    if place == "average":
        once(monkeypatch, Average, "update", fill, at=AT // 8 + 1)
    with pytest.raises(Diverged) as caught:
        train(tmp_path / "run")
    assert f"step {AT // 8 + 1} ({AT + 8} images): not finite: " in str(caught.value)
    assert words in str(caught.value)
    assert [record["step"] for record in read_metrics(tmp_path / "run")] == list(range(1, AT // 8 + 2))
    for folder in (tmp_path / "run" / "checkpoints").glob("images-*"):
        checkpoint = load_checkpoint(folder)
        assert checkpoint.images_seen <= AT
        assert first_not_finite(checkpoint) == ""
    (event,) = read_health(tmp_path / "run")["events"]
    assert (event["event"], event["images"]) == ("stopped", AT + 8)


def test_what_a_step_does_not_show_is_seen_before_it_is_saved(tmp_path: Path, spoil: Callable[[Spoil], None]) -> None:
    """An infinite second moment silences its parameter, whose value stays finite."""

    def silence(updater: AlternatingUpdater, batches: Batches) -> None:
        state = updater.players[Player.GENERATOR].optimizer.state
        next(iter(state.values()))["exp_avg_sq"].fill_(float("inf"))

    spoil(silence)
    with pytest.raises(Diverged, match=r"updater: generator\.parameters\..*exp_avg_sq is not finite; it was not saved"):
        train(tmp_path / "run")
    assert first_not_finite(load_checkpoint(latest(tmp_path / "run"))) == ""


def state(run: Path, part: str) -> bytes:
    return (latest(run) / f"{part}.safetensors").read_bytes()


def test_a_skipped_step_is_as_if_it_had_not_been(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Spoil], None]
) -> None:
    """Its images are used up; nothing else has changed."""
    norm = {"generator.norm": "batch", "*.attention": "self_attention", "*.weight_norm": "spectral"}
    spoil(spoil_input)
    with pytest.warns(UserWarning, match="skipped: not finite: .*first of all the real images of the batch"):
        train(tmp_path / "skipped", **{"health.not_finite": "skip"}, **norm)
    monkeypatch.undo()
    original = AlternatingUpdater.step

    def step(self: AlternatingUpdater, next_batch: Any, images_seen: int) -> Any:
        if images_seen != AT:
            return original(self, next_batch, images_seen)
        for player in self.turns:
            next_batch(player)
        return {}

    monkeypatch.setattr(AlternatingUpdater, "step", step)
    train(tmp_path / "left out", **norm)
    for part in ("game", "updater"):
        assert state(tmp_path / "skipped", part) == state(tmp_path / "left out", part)
    undone = [record["step"] for record in read_metrics(tmp_path / "skipped") if record.get("undone")]
    assert undone == [AT // 8 + 1]


def test_a_skipped_step_leaves_no_mark_on_the_average(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    once(monkeypatch, Average, "update", fill, at=AT // 8 + 1)
    with pytest.warns(UserWarning, match="skipped: not finite: .*first of all the average's"):
        run = train(tmp_path / "run", **{"health.not_finite": "skip"})
    assert [record["step"] for record in read_metrics(run) if record.get("undone")] == [AT // 8 + 1]
    assert first_not_finite(load_checkpoint(latest(run))) == ""


def always(updater: AlternatingUpdater, batches: Batches) -> None:
    spoil_input(updater, batches)


def test_skipping_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Hinge, "for_generator", lambda self, real, fake: fake.mean() * NAN)
    with pytest.warns(UserWarning, match="skipped"), pytest.raises(Diverged, match="after 3 steps in a row had been undone"):
        train(tmp_path / "run", **{"health.not_finite": "skip", "health.skips": 3, "health.rollbacks": 1})
    assert [record.get("undone") for record in read_metrics(tmp_path / "run")] == [1, 1, 1, None]


def test_a_kill_does_not_reset_the_count_of_steps_that_were_undone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed after the third of three steps that may be undone, with a checkpoint after the second."""
    monkeypatch.setattr(Hinge, "for_generator", lambda self, real, fake: fake.mean() * NAN)
    settings = {"health.not_finite": "skip", "health.skips": 3, "health.rollbacks": 1}
    with pytest.warns(UserWarning, match="skipped"), pytest.raises(KeyboardInterrupt):
        train(tmp_path / "run", killed_at(24), **settings)
    with pytest.warns(UserWarning, match="skipped"), pytest.raises(Diverged, match="after 3 steps in a row had been undone"):
        resume(tmp_path / "run")
    assert [record.get("undone") for record in read_metrics(tmp_path / "run")] == [1, 1, 1, None]


def killed_at(images: int, time: int = 1) -> Watch:
    """A watch that stops a run as a kill would, where it comes to so many images for the ``time``-th time."""
    seen: list[int] = []

    def watch(record: dict[str, Any]) -> None:
        seen.append(record["images"])
        if seen.count(images) == time:
            raise KeyboardInterrupt

    return watch


def test_steps_that_were_undone_are_counted_and_not_looked_at_after_a_resume() -> None:
    records = [{"step": 1, "images": 8, "fake/nearest": 1.0}, {"step": 2, "images": 16, "fake/nearest": NAN, "undone": 1}]
    health = HealthMonitor.of_log(read_recipe(RECIPE).health, records)
    detector = CollapseDetector()
    detector.read(records[0])
    assert health.detector == detector
    assert health.skipped == 1


def only_at_first(updater: AlternatingUpdater, batches: Batches) -> None:
    if batches.seed == 0:
        spoil_gradient(updater, batches)


def test_a_run_that_went_back_ends_well_and_can_be_resumed_bit_for_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Spoil], None]
) -> None:
    """Back to 32 images, on with other random numbers; killed afterwards, it ends as if it had not been."""
    spoil(only_at_first)
    settings = {"health.not_finite": "rollback", "training.images": 80}
    with pytest.warns(UserWarning, match="rolled back: not finite: generator/gradient_norm"):
        whole = train(tmp_path / "whole", **settings)
    assert [record["step"] for record in read_metrics(whole)] == list(range(1, 11))
    assert [event["event"] for event in read_health(whole)["events"]] == ["rolled back"]
    assert json.loads((latest(whole) / "state.json").read_text())["rollbacks"] == 1
    shutil.copytree(whole, tmp_path / "killed")
    shutil.rmtree(latest(tmp_path / "killed"))
    resume(tmp_path / "killed")
    for part in ("game", "updater", "average"):
        assert state(tmp_path / "killed", part) == state(whole, part)


def test_two_alarms_at_one_step_are_one_reason_to_go_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both = [Alarm("collapse", "alike"), Alarm("saturation", "told nothing")]
    once(monkeypatch, CollapseDetector, "read", lambda _, alarms: both, at=5)
    settings = {"health.collapse": "rollback", "health.rollbacks": 1}
    with pytest.warns(UserWarning, match="rolled back: collapse: alike; saturation: told nothing"):
        train(tmp_path / "run", **settings)
    assert [event["event"] for event in read_health(tmp_path / "run")["events"]] == ["rolled back"]


@pytest.mark.parametrize("every", [1, 3])
def test_a_penalty_that_is_seldom_due_is_named_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, every: int
) -> None:
    """Its turn is past when the step is looked at again."""
    monkeypatch.setattr(HalfSquaredSlope, "forward", lambda self, turn: turn.fake.score.logits.mean() * NAN)
    with pytest.raises(Diverged, match=r"not finite: .*first of all the loss, or a penalty, in the discriminator's turn"):
        train(tmp_path / "run", **{"penalties.r1": {"weight": 0.1, "every": every}})


def test_a_step_is_looked_at_again_in_its_microbatches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has not the memory for the whole batch at once does not get it for the diagnosis either."""
    sizes: set[int] = set()
    original = TwoPlayerGame.make

    def make(self: TwoPlayerGame, latent: torch.Tensor, label: torch.Tensor | None) -> torch.Tensor:
        sizes.add(len(latent))
        return original(self, latent, label)

    monkeypatch.setattr(TwoPlayerGame, "make", make)
    monkeypatch.setattr(Hinge, "for_discriminator", lambda self, real, fake: fake.mean() * NAN)
    with pytest.raises(Diverged, match="first of all the loss"):
        train(tmp_path / "run", **{"training.microbatch": 2})
    assert sizes == {2}


def test_a_step_that_cannot_be_looked_at_again_has_still_gone_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Spoil], None]
) -> None:
    def fail(*arguments: object) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(TwoPlayerGame, "objective", fail)
    spoil(spoil_gradient)
    with pytest.raises(Diverged, match=r"something that could not be repeated \(OutOfMemoryError\)"):
        train(tmp_path / "run")


def test_it_goes_back_to_the_newest_checkpoint_and_keeps_it(tmp_path: Path, spoil: Callable[[Spoil], None]) -> None:
    spoil(only_at_first)
    seen: list[tuple[int, int]] = []

    def watch(record: dict[str, Any]) -> None:
        seen.append((record["images"], load_checkpoint(latest(tmp_path / "run")).images_seen))

    with pytest.warns(UserWarning, match="rolled back"):
        train(tmp_path / "run", watch, **{"health.not_finite": "rollback"})
    assert seen[4:8] == [(40, 32), (48, 32), (40, 32), (48, 32)]


def test_going_back_is_told_once_where_a_kill_repeats_it(tmp_path: Path, spoil: Callable[[Spoil], None]) -> None:
    """Killed before the next checkpoint, the run knows of it by its health file alone."""
    spoil(only_at_first)
    with pytest.warns(UserWarning, match="rolled back"), pytest.raises(KeyboardInterrupt):
        train(tmp_path / "run", killed_at(40, time=2), **{"health.not_finite": "rollback"})
    with pytest.warns(UserWarning, match="rolled back"):
        resume(tmp_path / "run")
    assert [event["event"] for event in read_health(tmp_path / "run")["events"]] == ["rolled back"]


def test_other_random_numbers_after_going_back() -> None:
    plain = read_recipe(RECIPE)
    images = plain.data.dataset.open()
    batches = Batches(images, 8, 4, 10)
    before = batches.at(Player.DISCRIMINATOR, 0)
    batches.fork(1)
    after = batches.at(Player.DISCRIMINATOR, 0)
    assert not torch.equal(before.image, after.image)
    assert not torch.equal(before.latent, after.latent)
    batches.fork(0)
    assert torch.equal(before.image, batches.at(Player.DISCRIMINATOR, 0).image)


def test_going_back_has_an_end(tmp_path: Path, spoil: Callable[[Spoil], None]) -> None:
    spoil(spoil_gradient)
    with pytest.warns(UserWarning, match="rolled back"), pytest.raises(Diverged, match="after 2 rollbacks"):
        train(tmp_path / "run", **{"health.not_finite": "rollback", "health.rollbacks": 2})
    assert first_not_finite(load_checkpoint(latest(tmp_path / "run"))) == ""
