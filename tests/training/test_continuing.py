"""What a run is read with later is what it was made with, or it is said: recipes, images, lengths, and runs killed early."""

from __future__ import annotations

import json
import shutil
import tempfile
import tomllib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
import tomli_w
from ganblocks_data import image_folder
from ganblocks_data.contents import sampled
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import ganblocks as public
from ganblocks import read_recipe
from ganblocks.errors import CheckpointError, DataError, UsageError
from ganblocks.evaluation import evaluate, evaluation_settings
from ganblocks.recipe import Recipe, differences, fates, rooted, with_data
from ganblocks.recipe.lengths import schedules
from ganblocks.schedules import Constant, Cosine, LinearSchedule, WarmUp, spanning
from ganblocks.testing import examples
from ganblocks.training.launch import resume
from tests.training.test_resuming import SEED, logged, pictures, recipe, run, state, stopping_at

STEADY = {
    "training.checkpoint_every": 16,
    "training.samples_every": 16,
    "training.statistics_every": 8,
    "evaluation.every": 16,
}
"""Cadences that do not follow from the length of the run."""


def edit(folder: Path, **changes: Any) -> None:
    """Change entries of a run's recipe.toml as a user does, by hand."""
    table = tomllib.loads((folder / "recipe.toml").read_text())
    for path, value in changes.items():
        *above, last = path.split(".")
        place = table
        for part in above:
            place = place[part]
        place[last] = value
    (folder / "recipe.toml").write_text("# edited by hand\n\n" + tomli_w.dumps(table))


def provenance(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "provenance.json").read_text())
    return found


def said(caught: list[warnings.WarningMessage]) -> str:
    return "\n".join(str(each.message) for each in caught)


# an edited recipe


def test_an_edited_recipe_is_named_entry_by_entry_and_recorded(halfway: Path) -> None:
    edit(halfway, **{"update.generator.rate": 0.0002, "loss": "non_saturating"})
    with pytest.warns(UserWarning, match=r"recipe\.toml: was edited") as caught:
        resume(halfway)
    assert "update.generator.rate was 0.0001 and is 0.0002" in said(caught.list)
    assert 'loss was "hinge" and is "non_saturating"' in said(caught.list)
    assert "training." not in said(caught.list)
    (change,) = provenance(halfway)["changes"]
    assert change["images"] == 32
    assert len(change["what"]) == 2
    assert (halfway / "recipe.toml").read_text().startswith("# edited by hand")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # it is what the run recorded by now
        resume(halfway)


def test_exact_always_refuses_an_edited_recipe(halfway: Path) -> None:
    for path, value in (("update.generator.rate", 0.0002), ("title", "Another"), ("average.decay", 0.5)):
        shutil.copy(halfway / "recipe.toml", halfway.parent / "kept.toml")
        edit(halfway, **{path: value})
        before = provenance(halfway)
        with pytest.raises(CheckpointError, match=rf"was edited: {path} was .* --exact"):
            resume(halfway, exact=True)
        assert provenance(halfway) == before
        shutil.copy(halfway.parent / "kept.toml", halfway / "recipe.toml")
    resume(halfway, exact=True)


def test_comments_and_spaces_are_no_edit(halfway: Path) -> None:
    edit(halfway)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        resume(halfway, exact=True)


def test_a_run_that_recorded_no_recipe_is_compared_with_its_checkpoint(halfway: Path) -> None:
    facts = provenance(halfway)
    del facts["recipe"]
    (halfway / "provenance.json").write_text(json.dumps(facts))
    edit(halfway, **{"average.decay": 0.5})
    with pytest.raises(CheckpointError, match=r"average\.decay was 0\.999 and is 0\.5"):
        resume(halfway, exact=True)


def test_loading_says_where_the_generator_is_another_one(halfway: Path) -> None:
    edit(halfway, **{"update.generator.rate": 0.0002})
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # rates are of no matter to samples
        public.load(halfway)
    edit(halfway, **{"generator.norm": {"use": "conditional_batch", "eps": 0.1}})
    with pytest.warns(UserWarning, match=r"not what these weights were trained with: generator\.norm.*eps"):
        public.load(halfway)


plain = st.recursive(
    st.one_of(st.booleans(), st.integers(-3, 3), st.text("ab", max_size=2)),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)


@examples(60)
@given(plain, plain)
def test_differences_are_none_for_equal_tables_only(one: Any, other: Any) -> None:
    assert not list(differences(one, one))
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert same == (not list(differences(one, other)))


# other lengths


def test_a_finished_run_goes_on_as_one_that_was_begun_longer(tmp_path: Path) -> None:
    short, whole = ({**STEADY, "training.images": n} for n in (32, 64))
    run(recipe(**short), tmp_path / "run")
    run(recipe(**whole), tmp_path / "whole")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nothing follows the length: there is nothing to say
        resume(tmp_path / "run", images=64, exact=True)
    mine, theirs = state(tmp_path / "run"), state(tmp_path / "whole")
    assert {name for name in theirs if mine[name] != theirs[name]} == {"provenance.json"}
    assert logged(tmp_path / "run") == logged(tmp_path / "whole")
    assert pictures(tmp_path / "run") == pictures(tmp_path / "whole")
    assert (tmp_path / "run" / "recipe.toml").read_text() == (tmp_path / "whole" / "recipe.toml").read_text()
    assert provenance(tmp_path / "run")["changes"] == [{"images": 32, "what": ["training.images was 32 and is 64"]}]


def test_what_becomes_of_schedules_and_cadences_is_said(tmp_path: Path) -> None:
    moving = {
        "update.rate_factor": {"use": "cosine", "start": 1.0, "end": 0.0},
        "penalties.r1": {"weight": {"use": "linear", "start": 1.0, "end": 0.5, "images": 24}},
    }
    run(recipe(**moving, **{"training.images": 32}), tmp_path / "run")
    before = {path.name: path.read_bytes() for path in tmp_path.glob("run/*.*")}
    with pytest.raises(CheckpointError, match=r"update\.rate_factor follows the length.* --exact"):
        resume(tmp_path / "run", images=64, exact=True)
    assert {path.name: path.read_bytes() for path in tmp_path.glob("run/*.*")} == before
    with pytest.warns(UserWarning, match="64 images instead of 32") as caught:
        resume(tmp_path / "run", images=64)
    words = said(caught.list)
    assert "64 images instead of 32: update.rate_factor follows the length of the run" in words
    assert "at 32 images it was 0 and is 0.5 from here on" in words
    assert "penalties.r1.weight stays at 0.5" in words
    assert "samples every 6 images instead of 3" in words
    assert logged(tmp_path / "run")[-1]["images"] == 64
    assert read_recipe(tmp_path / "run" / "recipe.toml").training.images == 64


def test_a_length_that_was_edited_by_hand_is_told_of_alike(halfway: Path) -> None:
    edit(halfway, **{"training.images": 48, "update.rate_factor": {"use": "linear", "start": 1.0, "end": 0.0}})
    with pytest.warns(UserWarning, match="was edited") as caught:
        resume(halfway)
    assert "training.images was 64 and is 48" in said(caught.list)
    assert "48 images instead of 64: update.rate_factor follows" in said(caught.list)
    assert logged(halfway)[-1]["images"] == 48


@pytest.mark.parametrize("images", [8, 32])
def test_a_length_that_is_over_already_is_refused(halfway: Path, images: int) -> None:
    before = (halfway / "recipe.toml").read_bytes()
    with pytest.raises(UsageError, match=rf"{images} images are asked for, and this run has seen 32; .*--images 64"):
        resume(halfway, images=images)
    assert (halfway / "recipe.toml").read_bytes() == before


values = st.floats(0.1, 2).map(lambda value: round(value, 3))
lengths = st.one_of(st.none(), st.integers(1, 300))
bent = st.one_of(
    st.builds(Constant, values),
    st.builds(LinearSchedule, start=values, end=values, images=lengths),
    st.builds(Cosine, start=values, end=values, images=lengths, begin=st.integers(0, 50)),
    st.builds(WarmUp, images=st.integers(1, 300), then=st.builds(LinearSchedule, start=values, end=values, images=lengths)),
)


@examples(50)
@given(bent, st.integers(1, 200), st.integers(1, 200), st.data())
def test_a_schedule_follows_the_length_just_where_its_values_differ(schedule: Any, before: int, more: int, data: Any) -> None:
    """Scorer by another way: by all the values that it takes under both lengths."""
    wanted = recipe(**{"training.images": before + more})
    wanted = attrs.evolve(wanted, update=attrs.evolve(wanted.update, rate_factor=schedule))
    found = list(fates(wanted, before, data.draw(st.integers(0, before))))
    assert len(found) == len(list(schedules(wanted))) == (type(schedule) is not Constant)
    short, long = (spanning(schedule, images) for images in (before, before + more))
    differ = any(short.at(i) != long.at(i) for i in range(600))
    assert not differ or found[0].follows


# killed before the first checkpoint


def test_a_run_killed_before_its_first_checkpoint_begins_again(tmp_path: Path) -> None:
    whole = run(recipe(), tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(recipe(**{"evaluation.every": 16}), tmp_path / "run", stopping_at(40))
    edit(tmp_path / "run", **{"evaluation.every": 1000})
    assert not list((tmp_path / "run" / "checkpoints").iterdir())
    with pytest.raises(CheckpointError, match=r"ganblocks resume .*run"):
        public.load(tmp_path / "run")
    with pytest.raises(UsageError, match=r"holds a run already; resume it with: ganblocks resume .*run, or name another"):
        run(recipe(), tmp_path / "run")
    with pytest.warns(UserWarning, match=r"evaluation\.every was 16"):
        resume(tmp_path / "run")
    mine, theirs = state(tmp_path / "run"), state(whole)
    assert {name for name in theirs if mine[name] != theirs[name]} == {"provenance.json", "recipe.toml"}  # by its comment
    assert logged(tmp_path / "run") == logged(whole)
    assert pictures(tmp_path / "run") == pictures(whole)


def test_one_that_was_started_from_another_begins_again_from_the_same(stopped: Path, tmp_path: Path) -> None:
    public.run(recipe(), tmp_path / "whole", "cpu", SEED, init_from=stopped)
    with pytest.raises(KeyboardInterrupt):
        public.run(recipe(), tmp_path / "run", "cpu", SEED, init_from=stopped, watch=stopping_at(24))
    shutil.copytree(tmp_path / "run", tmp_path / "other")
    resume(tmp_path / "run")
    assert state(tmp_path / "run") == state(tmp_path / "whole")
    facts = provenance(tmp_path / "other")
    assert Path(facts["init_from"]["run"]).is_absolute()
    facts["init_from"]["manifest"] = "0" * 64
    (tmp_path / "other" / "provenance.json").write_text(json.dumps(facts))
    with pytest.raises(CheckpointError, match=r"has been trained further.*--init-from"):
        resume(tmp_path / "other")


def test_what_a_run_leaves_before_its_recipe_stands_is_no_run(tmp_path: Path) -> None:
    left = tmp_path / "run"
    for name in ("samples", "checkpoints"):
        (left / name).mkdir(parents=True)
    for name in (".lock", "metrics.jsonl"):
        (left / name).touch()
    (left / "provenance.json").write_text("{}")
    with pytest.raises(CheckpointError, match="start it again with the same ganblocks run"):
        resume(left)
    run(recipe(**{"training.images": 8}), left)
    assert (left / "recipe.toml").is_file()


@pytest.mark.parametrize("name", ["notes.txt", "samples/cat.png", "metrics.jsonl"])
def test_a_folder_with_anything_else_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "run" / name
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    with pytest.raises(UsageError, match="exists and is not empty"):
        run(recipe(), tmp_path / "run")
    assert path.read_text() == "mine"


# images and paths


def draw(folder: Path, seed: int = 0, count: int = 12) -> Path:
    """Two classes of grey noise."""
    rng = np.random.default_rng(seed)
    for label in ("Cats", "dogs"):
        (folder / label).mkdir(parents=True)
        for i in range(count):
            Image.fromarray(rng.integers(0, 256, (8, 8), dtype=np.uint8)).save(folder / label / f"{i}.png")
    return folder


def of_folder(**more: Any) -> Recipe:
    data = {"use": "image_folder", "path": "pets", "size": 8, "channels": 1, "classes": 2}
    return recipe(**{"data": data, "training.images": 16, "evaluation.n": 8, **more})


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A run of pets/ in one working directory, and another directory with other pets/ to work in."""
    draw(tmp_path / "home" / "pets")
    draw(tmp_path / "away" / "pets", seed=1)
    monkeypatch.chdir(tmp_path / "home")
    run(of_folder(), tmp_path / "run")
    monkeypatch.chdir(tmp_path / "away")
    return tmp_path


def score(folder: Path, **options: Any) -> Any:
    registry = public.discover()
    data = options.pop("data", None)
    settings = evaluation_settings(read_recipe(folder / "recipe.toml", registry=registry).evaluation, registry, "cpu")
    return evaluate(folder, attrs.evolve(settings, **options), registry, data=data)


def test_a_run_folder_names_absolute_paths(elsewhere: Path) -> None:
    wanted = read_recipe(elsewhere / "run" / "recipe.toml")
    assert wanted.data.dataset.path == elsewhere / "home" / "pets"
    assert provenance(elsewhere / "run")["data"] in score(elsewhere / "run").scores[0].protocol["real"]


def test_other_images_are_refused_with_a_remedy_that_works(elsewhere: Path) -> None:
    shutil.move(elsewhere / "home" / "pets", elsewhere / "moved")
    with pytest.raises(DataError, match=r"does not exist\n.*ganblocks evaluate .*run --data PATH"):
        score(elsewhere / "run")
    report = score(elsewhere / "run", data=elsewhere / "moved")
    assert report.nearest is not None
    draw(elsewhere / "home" / "pets", seed=1)
    with pytest.raises(DataError, match="not those that this run has seen") as caught:
        score(elsewhere / "run")
    known = provenance(elsewhere / "run")["data"]
    assert known in str(caught.value)
    assert "--other-data" in str(caught.value)
    assert "--data PATH" in str(caught.value)
    other = score(elsewhere / "run", other_data=True)
    assert "not those that the run has seen" in other.scores[0].protocol["real"]
    assert other.nearest is None
    assert other.scores[0].id != report.scores[0].id


def test_images_that_are_the_same_are_not_called_others(elsewhere: Path) -> None:
    assert score(elsewhere / "run", other_data=True).scores[0].id == score(elsewhere / "run").scores[0].id


def test_a_run_whose_images_have_moved_goes_on(elsewhere: Path) -> None:
    shutil.move(elsewhere / "home" / "pets", elsewhere / "moved")
    with pytest.raises(DataError, match=r"ganblocks resume .*run --data PATH"):
        resume(elsewhere / "run", images=32)
    resume(elsewhere / "run", images=32, data=elsewhere / "moved")
    resume(elsewhere / "run", images=40)  # it knows the place by now
    with pytest.raises(DataError, match="not those that this run has seen"):
        resume(elsewhere / "run", images=48, data="pets")


def test_a_data_set_without_a_path_has_none_to_name(halfway: Path) -> None:
    with pytest.raises(UsageError, match=r"Digits holds its images itself; leave --data out"):
        resume(halfway, data="pets")


def test_paths_are_rooted_wherever_they_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    extractor = {"use": "inception_2015", "path": "weights.pth"}
    wanted = rooted(of_folder(**{"evaluation.extractor": extractor}))
    assert wanted.evaluation is not None
    assert wanted.evaluation.extractor.path == tmp_path / "weights.pth"  # type: ignore[attr-defined]
    assert with_data(wanted, Path("there")).data.dataset.path == tmp_path / "there"
    assert rooted(wanted) == wanted


# the fingerprint of a folder that is too large for memory


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(image_folder, "MEMORY", 0)
    return draw(tmp_path / "pets")


def folder(path: Path) -> Any:
    return image_folder.ImageFolder(path=path, size=8, channels=1, classes=2)


def test_a_large_folder_is_known_by_what_its_files_hold(large: Path, tmp_path: Path) -> None:
    before = folder(large).open().fingerprint
    assert before.startswith("sampled:")
    shutil.copytree(large, tmp_path / "copy", copy_function=shutil.copyfile)  # with times of its own
    assert folder(tmp_path / "copy").open().fingerprint == before
    image = tmp_path / "copy" / "dogs" / "3.png"
    size = image.stat().st_size
    image.write_bytes(image.read_bytes()[:-20] + bytes(20))
    assert image.stat().st_size == size
    assert folder(tmp_path / "copy").open().fingerprint != before


@pytest.mark.parametrize("place", [0, 50_000, 99_999])
def test_a_change_at_the_beginning_the_middle_or_the_end_of_a_file_is_seen(tmp_path: Path, place: int) -> None:
    path = tmp_path / "file"
    content = bytearray(np.random.default_rng(0).bytes(100_000))
    path.write_bytes(content)
    before = sampled([path])
    content[place] ^= 1
    path.write_bytes(content)
    assert sampled([path]) != before


@examples(30)
@given(st.binary(max_size=64), st.integers(0, 3 * 4096), st.integers(0, 3 * 4096 - 1))
def test_of_a_small_file_every_byte_counts(seed: bytes, size: int, place: int) -> None:
    content = bytearray((seed or b"x") * (size // max(len(seed), 1) + 1))[: max(size, 1)]
    with tempfile.NamedTemporaryFile() as file:
        path = Path(file.name)
        path.write_bytes(content)
        before = sampled([path])
        content[place % len(content)] ^= 1
        path.write_bytes(content)
        assert sampled([path]) != before


def test_a_run_that_recorded_names_and_sizes_goes_on_and_says_so(large: Path, tmp_path: Path) -> None:
    run(of_folder(**{"data.path": str(large)}), tmp_path / "run")
    facts = provenance(tmp_path / "run")
    (facts["data"],) = folder(large).open().former
    (tmp_path / "run" / "provenance.json").write_text(json.dumps(facts))
    with pytest.warns(UserWarning, match="of earlier versions"):
        resume(tmp_path / "run", images=24)


def test_a_small_folder_keeps_its_fingerprint(tmp_path: Path) -> None:
    images = folder(draw(tmp_path / "pets")).open()
    assert not images.fingerprint.startswith("sampled:")
    assert images.former == ()
