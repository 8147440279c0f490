"""Real images are read for the turns that see them, the next batch while a step computes; a run is the same bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
import torch
from ganblocks_data import image_folder, reading
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ganblocks import DataError, Images, Player, Recipe, discover
from ganblocks.assembly import assemble
from ganblocks.batches import Batches
from ganblocks.testing import examples
from ganblocks.training.launch import resume
from tests.test_batches import Shift, batches, images, same, values
from tests.training.test_continuing import draw
from tests.training.test_resuming import SEED, logged, recipe, run, state, stopping_at

D, G = Player.DISCRIMINATOR, Player.GENERATOR


@attrs.define
class Files:
    """Images of ``tests.test_batches`` that are read ahead, and what was read of them."""

    broken: int = -1
    begun: list[list[int]] = attrs.Factory(list)
    waited: list[list[int]] = attrs.Factory(list)
    at_once: list[list[int]] = attrs.Factory(list)

    def images(self) -> Images:
        kept = images()

        def begin(index: Tensor) -> Callable[[], Tensor]:
            self.begun.append(index.tolist())

            def finish() -> Tensor:
                self.waited.append(index.tolist())
                if self.broken in index:
                    raise DataError(f"image {self.broken} is broken")
                return kept.read(index)

            return finish

        def read(index: Tensor) -> Tensor:
            self.at_once.append(index.tolist())
            return kept.read(index)

        return attrs.evolve(kept, read=read, begin=begin)

    def batches(self, size: int = 4, **options: object) -> Batches:
        return Batches(self.images(), size, 5, 2, **options)  # type: ignore[arg-type]


ACTIONS = st.one_of(st.sampled_from(["D", "G", "skip D", "back", "first"]), st.integers(0, 2))


@examples(60)
@given(actions=st.lists(ACTIONS, max_size=12), size=st.integers(1, 30))
def test_whatever_is_drawn_restored_or_forked_a_batch_is_that_of_images_in_memory(actions: list[str | int], size: int) -> None:
    one, two = Files().batches(size), batches(size)
    for action in actions:
        for source in (one, two):
            if isinstance(action, int):
                source.fork(action)
            elif action == "back":
                source.drawn = {player: max(0, count - size) for player, count in source.drawn.items()}
            elif action == "first":
                source.drawn = dict.fromkeys(Player, 0)
        if action in ("D", "G"):
            assert same(one(D if action == "D" else G), two(D if action == "D" else G))
        if action == "skip D":
            one(D), two(D)


def test_a_batch_reads_its_images_once_and_only_when_they_are_asked_for() -> None:
    files = Files()
    source = files.batches()
    unread, drawn = source(G), source(D)
    assert not files.at_once
    assert torch.equal(drawn.image, drawn.image)
    assert torch.equal(torch.cat([part.image for part in drawn.split(3)]), drawn.image)
    assert len(files.at_once) == 1
    assert len(unread) == 4


def test_the_next_batch_of_a_player_is_read_ahead_and_never_twice() -> None:
    files = Files()
    source = files.batches()
    drawn = [source(D) for _ in range(9)]
    order = [values(batch) for batch in drawn]
    assert files.at_once == order[:1]
    assert files.waited == order[1:]
    assert files.begun[:-1] == order[1:]


def test_one_batch_of_a_player_is_kept_at_most() -> None:
    source = Files().batches()
    for player in (D, G, D, D, G):
        assert source(player).image.shape == (4, 3, 2, 2)
    assert set(source._begun) == {D, G}


def test_a_file_that_breaks_is_an_error_of_the_batch_that_holds_it() -> None:
    order = [values(batches().at(D, 4 * i)) for i in range(3)]
    source = Files(broken=order[2][1]).batches()
    assert [values(source(D)) for _ in range(2)] == order[:2]
    with pytest.raises(DataError, match="is broken"):
        _ = source(D).image


def test_the_augment_changes_what_was_read_ahead_as_what_is_in_memory() -> None:
    one, two = Files().batches(augment=Shift()), batches(augment=Shift())
    for _ in range(3):
        assert same(one(D), two(D))
    changed, plain = two.at(D, 0), batches().at(D, 0)
    assert torch.equal(changed.latent, plain.latent), "the augment draws from a stream of its own"


VARIANTS: dict[str, dict[str, Any]] = {
    "hinge": {},
    "relativistic": {"loss": "relativistic_paired"},
    "flipped": {"data.augment": "flip", "training.microbatch": 4, "update.discriminator_steps": 2},
}
"""In the second the generator's turn reads real images too."""


def of_folder(folder: Path, name: str) -> Recipe:
    data = {"use": "image_folder", "path": str(folder), "size": 8, "channels": 1, "classes": 2}
    return recipe(**{"data": data, "training.checkpoint_every": 24, **VARIANTS[name]})


@pytest.mark.parametrize("name", VARIANTS)
def test_a_run_whose_files_are_read_ahead_is_the_run_of_images_in_memory(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bit for bit, also where it was stopped and resumed."""
    wanted = of_folder(draw(tmp_path / "pets"), name)
    held = run(wanted, tmp_path / "held")
    monkeypatch.setattr(image_folder, "MEMORY", 0)
    read = run(wanted, tmp_path / "read")
    with pytest.raises(KeyboardInterrupt):
        run(wanted, tmp_path / "stopped", stopping_at(40))
    resume(tmp_path / "stopped")
    for other in (read, tmp_path / "stopped"):
        assert weights(other) == weights(held)
        assert logged(other) == logged(held)


@pytest.mark.parametrize("name", VARIANTS)
def test_a_step_reads_the_files_of_the_turns_that_see_them(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Besides these one batch of each such player is ahead."""
    monkeypatch.setattr(image_folder, "MEMORY", 0)
    session = assemble(of_folder(draw(tmp_path / "pets", count=40), name), discover())
    read: list[Path] = []
    decode = reading.examine
    monkeypatch.setattr(reading, "examine", lambda path, size, channels: read.append(path) or decode(path, size, channels))
    steps, size = 5, session.batches.size
    for _ in range(steps):
        session.updater.step(session.batches, session.batches.images_seen)
    for begun in session.batches._begun.values():
        begun[1]()
    seen = [session.batches.drawn[D], session.batches.drawn[G] if name == "relativistic" else 0]
    assert len(read) == sum(seen) + size * sum(count > 0 for count in seen)


def test_a_file_that_is_gone_stops_the_run_at_the_step_that_needs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the file; once it is back the run goes on as if nothing had happened."""
    monkeypatch.setattr(image_folder, "MEMORY", 0)
    wanted = of_folder(draw(tmp_path / "pets", count=40), "hinge")
    whole = run(wanted, tmp_path / "whole")
    source, decode = assemble(wanted, discover(), seed=SEED).batches, reading.examine
    lost, reached = source.images.read.__self__.files[int(source._indices(D, 40)[0])], []  # type: ignore[attr-defined,var-annotated]

    def examine(path: Path, size: Any, channels: int) -> Any:
        if path == lost and reached:  # the collapse detector reads images before the first step
            raise DataError(f"{path} cannot be read as an image: it is gone")
        return decode(path, size, channels)

    monkeypatch.setattr(reading, "examine", examine)
    with pytest.raises(DataError, match=lost.name):
        run(wanted, tmp_path / "stopped", lambda record: reached.append(record["images"]))
    assert reached[-1] == 40
    monkeypatch.setattr(reading, "examine", decode)
    resume(tmp_path / "stopped")
    assert weights(tmp_path / "stopped") == weights(whole)


def weights(folder: Path) -> dict[str, bytes]:
    """The tensors of the last checkpoint."""
    return {name: content for name, content in state(folder).items() if name.endswith(".safetensors")}
