"""A run that was stopped goes on as if it never had been: bit for bit, wherever it was stopped."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import ganblocks as public
from ganblocks import read_recipe
from ganblocks.errors import CheckpointError, DataError, UsageError
from ganblocks.recipe import Recipe
from ganblocks.training import manifest
from ganblocks.training.launch import resume
from ganblocks.training.run_folder import RunFolder, read_metrics
from tests.cli.commands import ROOT

RECIPE = ROOT / "tests" / "fixtures" / "study.toml"
SEED = 3
Watch = Callable[[dict[str, Any]], None]

VARIANTS: dict[str, dict[str, Any]] = {
    "sagan": {"*.attention": "self_attention", "*.weight_norm": "spectral"},
    "penalised": {"penalties.r1": {"weight": 0.1, "every": 3}, "loss": "non_saturating"},
    "accumulated": {"training.microbatch": 4, "training.precision": "bf16"},
    "scheduled": {"update.rate_factor": {"use": "cosine", "start": 1.0, "end": 0.0}},
    "several steps": {"update.discriminator_steps": 2, "data.fake_classes": "uniform"},
    "augmented": {"discriminator.augment": "diffaug", "data.augment": "flip"},
    "adapting": {
        "discriminator.augment": {"use": "ada", "probability": 0.5, "images": 200, "interval": 1},
        "penalties.lecam": {"weight": 0.3, "start": 0},
    },
    "averaged later": {"average.start": 24, "average.decay": 0.9},
}


def recipe(**overrides: Any) -> Recipe:
    return read_recipe(RECIPE, {"training.checkpoint_every": 1000, "evaluation.n": 8, "evaluation.every": 1000, **overrides})


def stopping_at(images: int) -> Watch:
    """A watch that interrupts the loop as a crash would, after the step that reaches ``images``."""

    def watch(record: dict[str, Any]) -> None:
        if record["images"] >= images:
            raise KeyboardInterrupt

    return watch


def run(wanted: Recipe, out: Path, watch: Watch = lambda record: None) -> Path:
    public.run(wanted, out, "cpu", SEED, watch=watch)
    return out


def state(run: Path) -> dict[str, bytes]:
    """Every file of the last checkpoint, without the time."""
    (*_, last) = sorted((run / "checkpoints").glob("images-*"))
    files = {path.name: path.read_bytes() for path in last.iterdir() if path.name not in ("state.json", manifest.NAME)}
    facts = json.loads((last / "state.json").read_text())
    return files | {"state.json": json.dumps(facts | {"seconds": 0}).encode()}


def logged(run: Path) -> list[dict[str, Any]]:
    return [{key: value for key, value in record.items() if key != "seconds"} for record in read_metrics(run)]


def pictures(run: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (run / "samples").iterdir()}


@pytest.mark.parametrize("name", VARIANTS)
def test_a_resumed_run_is_bit_for_bit_one_that_was_never_stopped(name: str, tmp_path: Path) -> None:
    """Checkpoints fall into an epoch, and the crash comes later than the last one: what was done since is done again."""
    wanted = recipe(**VARIANTS[name], **{"training.checkpoint_every": 24})
    whole = run(wanted, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(wanted, tmp_path / "stopped", stopping_at(40))
    assert len(logged(tmp_path / "stopped")) >= 3
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nothing differs, so nothing is said
        resume(tmp_path / "stopped")
    assert state(tmp_path / "stopped") == state(whole)
    assert logged(tmp_path / "stopped") == logged(whole)
    assert pictures(tmp_path / "stopped") == pictures(whole)


@pytest.mark.parametrize("every", [8, 16, 56])
def test_wherever_it_was_stopped(every: int, tmp_path: Path) -> None:
    wanted = recipe(**{"training.checkpoint_every": every})
    whole = run(wanted, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(wanted, tmp_path / "stopped", stopping_at(60))
    resume(tmp_path / "stopped")
    assert state(tmp_path / "stopped") == state(whole)
    assert logged(tmp_path / "stopped") == logged(whole)


def test_across_epochs(tmp_path: Path) -> None:
    """Images begin a second epoch between the checkpoint and the end."""
    wanted = recipe(**{"training.images": 1_700, "training.batch": 100, "training.checkpoint_every": 1_500})
    whole = run(wanted, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(wanted, tmp_path / "stopped", stopping_at(1_600))
    resume(tmp_path / "stopped")
    assert state(tmp_path / "stopped") == state(whole)


@pytest.fixture(scope="module")
def halfway(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of everything that has state, stopped after its checkpoint at 32 images; beside it the whole run."""
    folder = tmp_path_factory.mktemp("halfway")
    wanted = recipe(**VARIANTS["sagan"], **VARIANTS["penalised"], **{"training.checkpoint_every": 32})
    run(wanted, folder / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(wanted, folder / "stopped", stopping_at(40))
    return folder


def rewritten(folder: Path) -> None:
    """A manifest that agrees with changed files: what is tested is what they are for, not that they are checked."""
    contents = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != manifest.NAME}
    shutil.rmtree(folder)
    folder.mkdir()
    manifest.write_files(folder, contents, 1)


TENSORS = (
    "game:weight",
    "game:bias",
    "game:gamma",
    "game:.u",
    "game:turns",
    "average:weight",
    "updater:exp_avg_sq",
    "updater:step",
)


@pytest.mark.parametrize("kind", TENSORS)
def test_every_saved_tensor_is_load_bearing(halfway: Path, tmp_path: Path, kind: str) -> None:
    """Change one tensor of each sort, and the run ends elsewhere."""
    name, _, what = kind.partition(":")
    shutil.copytree(halfway / "stopped", tmp_path / "run")
    checkpoint = next((tmp_path / "run" / "checkpoints").glob("images-*"))
    path = checkpoint / f"{name}.safetensors"
    tensors = load_file(path)
    key = max((key for key in sorted(tensors) if what in key), key=lambda key: tensors[key].numel())  # a u of one number is ±1
    whole_number = not tensors[key].is_floating_point()
    tensors[key] = tensors[key] + (1 if whole_number else torch.rand_like(tensors[key]) + 0.5)
    save_file(tensors, path)
    rewritten(checkpoint)
    resume(tmp_path / "run")
    assert state(tmp_path / "run") != state(halfway / "whole"), key


@pytest.mark.parametrize("change", ["drawn.discriminator", "drawn.generator", "step"])
def test_every_saved_number_is_load_bearing(halfway: Path, tmp_path: Path, change: str) -> None:
    shutil.copytree(halfway / "stopped", tmp_path / "run")
    checkpoint = next((tmp_path / "run" / "checkpoints").glob("images-*"))
    facts = json.loads((checkpoint / "state.json").read_text())
    place = facts
    *above, last = change.split(".")
    for part in above:
        place = place[part]
    place[last] += 8
    (checkpoint / "state.json").write_text(json.dumps(facts))
    rewritten(checkpoint)
    resume(tmp_path / "run")
    assert state(tmp_path / "run") != state(halfway / "whole") or logged(tmp_path / "run") != logged(halfway / "whole")


def test_a_finished_run_stays_as_it_is(halfway: Path, tmp_path: Path) -> None:
    shutil.copytree(halfway / "whole", tmp_path / "run")
    resume(tmp_path / "run")
    assert state(tmp_path / "run") == state(halfway / "whole")
    assert logged(tmp_path / "run") == logged(halfway / "whole")


def test_a_damaged_checkpoint_is_passed_over_and_named(tmp_path: Path) -> None:
    wanted = recipe(**{"training.checkpoint_every": 16})
    whole = run(wanted, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(wanted, tmp_path / "stopped", stopping_at(40))
    newest = tmp_path / "stopped" / "checkpoints" / "images-0000000032" / "game.safetensors"
    newest.write_bytes(newest.read_bytes()[:-1] + b"\x00")
    with pytest.warns(UserWarning, match=r"images-0000000032/game\.safetensors: damaged.*using images-0000000016 instead"):
        resume(tmp_path / "stopped")
    assert state(tmp_path / "stopped") == state(whole)
    assert logged(tmp_path / "stopped") == logged(whole)


def test_what_differs_is_said(halfway: Path, tmp_path: Path) -> None:
    shutil.copytree(halfway / "stopped", tmp_path / "run")
    path = tmp_path / "run" / "provenance.json"
    facts = json.loads(path.read_text())
    facts["torch"] = "2.11.0"
    facts["components"]["loss"]["version"] = "0.0.9"
    path.write_text(json.dumps(facts))
    with pytest.warns(UserWarning, match="not bit-exact") as caught:
        resume(tmp_path / "run")
    words = [str(each.message) for each in caught]
    assert any("not bit-exact: torch was 2.11.0 and is" in word for word in words)
    assert any("loss was non_saturating of ganblocks 0.0.9 and is" in word for word in words)


def test_a_difference_is_refused_where_exactness_is_asked_for(halfway: Path, tmp_path: Path) -> None:
    shutil.copytree(halfway / "stopped", tmp_path / "run")
    path = tmp_path / "run" / "provenance.json"
    sound = path.read_text()
    path.write_text(json.dumps(json.loads(sound) | {"torch": "2.11.0", "machine": "abacus"}))
    before = state(tmp_path / "run")
    with pytest.raises(CheckpointError, match=r"would not be bit-exact: torch was 2\.11\.0 .*; machine was abacus .*--exact"):
        resume(tmp_path / "run", exact=True)
    assert state(tmp_path / "run") == before
    path.write_text(sound)
    resume(tmp_path / "run", exact=True)
    assert state(tmp_path / "run") == state(halfway / "whole")


def test_it_has_the_threads_of_the_run_and_gives_them_back(halfway: Path, tmp_path: Path) -> None:
    shutil.copytree(halfway / "stopped", tmp_path / "run")
    path, before = tmp_path / "run" / "provenance.json", torch.get_num_threads()
    seen: set[int] = set()
    path.write_text(json.dumps(json.loads(path.read_text()) | {"threads": before + 1}))
    resume(tmp_path / "run", watch=lambda record: seen.add(torch.get_num_threads()))
    assert (seen, torch.get_num_threads()) == ({before + 1}, before)


def test_numbers_of_another_type_are_refused(halfway: Path, tmp_path: Path) -> None:
    """They would fit by name and shape."""
    shutil.copytree(halfway / "stopped", tmp_path / "run")
    checkpoint = next((tmp_path / "run" / "checkpoints").glob("images-*"))
    tensors = load_file(checkpoint / "game.safetensors")
    gamma = next(name for name in sorted(tensors) if name.endswith("gamma"))
    save_file(tensors | {gamma: tensors[gamma].double()}, checkpoint / "game.safetensors")
    rewritten(checkpoint)
    with pytest.raises(CheckpointError, match=rf"{gamma} is torch\.float64, and the recipe builds torch\.float32"):
        resume(tmp_path / "run")


def test_other_images_are_refused(halfway: Path, tmp_path: Path) -> None:
    shutil.copytree(halfway / "stopped", tmp_path / "run")
    path = tmp_path / "run" / "provenance.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"data": "other"}))
    with pytest.raises(DataError, match="not those that this run has seen"):
        resume(tmp_path / "run")


def test_a_distribution_may_rename_a_plugin(halfway: Path, tmp_path: Path) -> None:
    """Runs of before the attention plugins were merged name "self_attention" as the owner, and maybe in the recipe."""
    shutil.copytree(halfway / "stopped", tmp_path / "run")
    path = tmp_path / "run" / "provenance.json"
    facts = json.loads(path.read_text())
    facts["components"]["generator.attention"] |= {"owner": "self_attention"}
    path.write_text(json.dumps(facts))
    resume(tmp_path / "run", exact=True)


def test_a_missing_plugin_is_named_by_its_distribution(halfway: Path, tmp_path: Path) -> None:
    shutil.copytree(halfway / "stopped", tmp_path / "run")
    path = tmp_path / "run" / "provenance.json"
    facts = json.loads(path.read_text())
    facts["components"]["loss"] |= {"name": "acme_loss", "distribution": "acme-blocks", "version": "1.2"}
    path.write_text(json.dumps(facts))
    with pytest.raises(CheckpointError, match=r"needs the loss 'acme_loss' of acme-blocks 1\.2, which is not here: install"):
        resume(tmp_path / "run")


def test_two_processes_in_one_run_are_refused(halfway: Path, tmp_path: Path) -> None:
    shutil.copytree(halfway / "stopped", tmp_path / "run")
    folder = RunFolder.reopen(tmp_path / "run")
    with pytest.raises(UsageError, match="another process is training here"):
        resume(tmp_path / "run")
    folder.close()
    resume(tmp_path / "run")


def test_what_an_earlier_process_left_is_swept(halfway: Path, tmp_path: Path) -> None:
    shutil.copytree(halfway / "stopped", tmp_path / "run")
    (tmp_path / "run" / "checkpoints" / ".tmp-left").mkdir()
    resume(tmp_path / "run")
    assert not list((tmp_path / "run" / "checkpoints").glob(".tmp-*"))


@pytest.mark.parametrize("name", ["provenance.json", "recipe.toml"])
def test_what_is_no_run_is_refused(halfway: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(halfway / "stopped", tmp_path / "run")
    (tmp_path / "run" / name).unlink()
    with pytest.raises(CheckpointError, match=name):
        resume(tmp_path / "run")
