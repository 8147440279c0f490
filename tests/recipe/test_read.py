"""A file becomes a recipe, or an error that says where and what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ganblocks.errors import RecipeError
from ganblocks.recipe import Recipe, read_recipe
from ganblocks.recipe.schema import Averaging, Data, DiscriminatorPlayer, PenaltyTerm, Training
from ganblocks.schedules import Constant, Cosine

Read = Callable[..., Recipe]


def refused(read: Read, text: str, **arguments: Any) -> RecipeError:
    with pytest.raises(RecipeError) as caught:
        read(text, **arguments)
    return caught.value


def test_a_whole_recipe(read: Read, toys: Any) -> None:
    part = toys.get
    look, descent = part("attention", "look"), part("optimizer", "descent")
    recipe = read()
    assert recipe.data == Data(dataset=part("dataset", "pictures")())
    assert recipe.generator == part("generator", "maker")(attention=look(reduction=4), norm=part("norm", "scale")())
    judge = part("discriminator", "judge")(attention=look())
    assert recipe.discriminator == DiscriminatorPlayer(network=judge, augment=part("augment", "flip")())
    assert recipe.penalties == {"slope": PenaltyTerm(penalty=part("penalty", "slope")(), weight=2.0)}
    assert recipe.update == part("update_rule", "turns")(generator=descent(), discriminator=descent())
    assert recipe.training == Training(images=100, batch=4)
    assert recipe.average == Averaging()
    assert recipe.ablation["plain"].set == {"*.attention": "none"}


def test_short_forms_mean_the_same(read: Read, toy_text: str) -> None:
    short = 'loss = "simple"\nupdate = "turns"\ndata = "pictures"\n' + toy_text
    for section in ('[data]\nuse = "pictures"\n', '[loss]\nuse = "simple"\n', '[update]\nuse = "turns"\n'):
        short = short.replace(section, "")
    assert read(short) == read(toy_text)
    assert read(toy_text.replace("[penalties.slope]", '[penalties.slope]\nuse = "slope"')) == read(toy_text)


def test_sections_share_their_table_with_the_component(read: Read, toy_text: str) -> None:
    text = toy_text.replace("weight = 2.0", 'weight = { use = "cosine", start = 1, end = 0 }\nevery = 4\ntarget = 0.5')
    term = read(text).penalties["slope"]
    assert (term.weight, term.every, term.penalty.target) == (Cosine(start=1.0, end=0.0), 4, 0.5)  # type: ignore[attr-defined]
    assert read(toy_text.replace("weight = 2.0", "")).penalties["slope"].weight == Constant(1.0)
    error = refused(read, toy_text.replace("weight = 2.0", "wieght = 2.0\ntraget = 1.0"))
    assert [mistake.hint for mistake in error.mistakes] == ["did you mean weight?", "did you mean target?"]


def test_an_empty_socket(read: Read, toy_text: str) -> None:
    for empty in ('augment = "none"', 'augment = { use = "none" }', ""):
        assert read(toy_text.replace('augment = "flip"', empty)).discriminator.augment is None


def test_only_a_differentiable_augmentation_stands_before_the_discriminator(read: Read, toy_text: str) -> None:
    text = toy_text.replace('augment = "flip"', 'augment = "jpeg"')
    (mistake,) = refused(read, text).mistakes
    assert mistake.where == "discriminator.augment"
    assert mistake.rule == "must be differentiable here"
    assert "data.augment" in mistake.hint
    assert type(read(toy_text.replace("[generator]", 'augment = "jpeg"\n[generator]')).data.augment).__name__ == "Jpeg"


def test_a_component_may_not_take_a_key_of_its_section(read: Read, toy_text: str) -> None:
    (mistake,) = refused(read, toy_text.replace('use = "judge"\nattention = "look"', 'use = "greedy"')).mistakes
    assert mistake.where == "discriminator.use"
    assert "the section keeps augment for itself" in mistake.rule


def test_mistakes_name_file_line_and_path(read: Read, toy_text: str, tmp_path: Path) -> None:
    error = refused(read, toy_text.replace("reduction = 4", "reduction = 0").replace("batch = 4", "batch = true"))
    assert str(error).split("\n") == [
        f"{tmp_path}/x.toml:6: generator.attention.reduction: must be at least 1 (got 0); leave it out for the default, 8",
        f"{tmp_path}/x.toml:19: training.batch: must be an integer (got true); it has no default: choose another value",
    ]
    assert error.exit_code == 2


@pytest.mark.parametrize("quoted", ["'batch'", '"batch"', "  batch", "batch\t"])
def test_lines_are_found_however_the_key_is_written(read: Read, toy_text: str, quoted: str) -> None:
    error = refused(read, toy_text.replace("batch = 4", f"{quoted} = 'four'"))
    assert error.mistakes[0].source.endswith(":19")


def test_a_microbatch_divides_the_batch(read: Read, toy_text: str) -> None:
    assert read(overrides={"training.microbatch": 2}).training.microbatch == 2
    (mistake,) = refused(read, toy_text, overrides={"training.microbatch": 3}).mistakes
    assert mistake.rule == "must divide batch, 4"


def test_penalties_and_ablations_have_names_that_are_safe_in_paths(read: Read, toy_text: str) -> None:
    for name in ("..", "a/b", "", " ", ".hidden", "x" * 65, "é"):
        text = toy_text.replace("[penalties.slope]", f'[penalties."{name}"]\nuse = "slope"')
        assert [mistake.where for mistake in refused(read, text).mistakes] == ["penalties"], name


HOSTILE = {
    "tables": ("a = " + "{a = " * 40 + "1" + "}" * 40, "nest deeper than 32"),
    "brackets": ("a = " + "[" * 100_000, "nest deeper than 32"),
    "dots": ("a." * 100_000 + "a = 1", "more than 100 dots"),
    "header": ("[" + "a." * 50 + "a]", "nest deeper than 32"),
    "digits": ("title = " + "9" * 5000, "a number is out of range"),
    "values": ("a = [" + "1,\n" * 10_001 + "]", "more than 10,000 values"),
    "string": ("title = '" + "x" * 5000 + "'", "longer than 4,096 characters"),
    "bytes": ("#" * 2**20 + "\n", "larger than 1 MiB"),
    "broken": ("title = \x1b[31m", "is not TOML"),
    "empty key": ("= 1", "is not TOML"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_end_in_one_line(read: Read, name: str) -> None:
    text, rule = HOSTILE[name]
    error = refused(read, text)
    (mistake,) = error.mistakes
    assert rule in mistake.rule
    assert str(error).isprintable()


def test_hostile_numbers(read: Read, toy_text: str) -> None:
    for number in ("0x" + "f" * 20_000, "1e400", "nan", "-inf", "-9223372036854775809"):
        error = refused(
            read, toy_text.replace("images = 100", f"images = {number}").replace("weight = 2.0", f"weight = {number}")
        )
        assert [mistake.where for mistake in error.mistakes] == ["penalties.slope.weight", "training.images"]
        assert len(str(error)) < 1000


@pytest.mark.parametrize("name", ["absent.toml", "", "folder", "zero\0byte.toml", "x" * 5000])
def test_what_is_no_file(tmp_path: Path, toys: Any, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(RecipeError) as caught:
        read_recipe(tmp_path / name, registry=toys)
    assert str(caught.value).isprintable()


def test_windows_files_are_files_too(tmp_path: Path, toys: Any, toy_text: str, read: Read) -> None:
    (tmp_path / "w.toml").write_bytes(b"\xef\xbb\xbf" + toy_text.replace("\n", "\r\n").encode())
    assert read_recipe(tmp_path / "w.toml", registry=toys) == read(toy_text)


@pytest.mark.parametrize(
    "name",
    [
        "os.system",
        "builtins.eval",
        "torch.load",
        "functools.partial",
        "__class__",
        "_target_",
        "trust_remote_code",
        "{0.__class__}",
        "${env}",
        "%s",
        "../look",
        "ganblocks_losses.hinge:Hinge",
        "torch.nn:Linear",
        "https://example.org/x.py",
        "file:///etc/passwd",
        "look;",
        "look\\n",
        "LOOK",
        "ｌｏｏｋ",
    ],
)
def test_a_name_is_only_ever_looked_up(read: Read, toy_text: str, name: str) -> None:
    for text in (toy_text.replace('"look"\n', f"'{name}'\n"), toy_text.replace('use = "simple"', f"use = '{name}'")):
        (mistake,) = refused(read, text).mistakes
        assert "is called" in mistake.rule
