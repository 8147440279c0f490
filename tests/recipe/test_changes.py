"""Overrides, ablations and parents: what they change, what they leave, and what they refuse."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ganblocks.errors import Mistake, RecipeError, UsageError
from ganblocks.plugins import discover
from ganblocks.recipe import Recipe, parse_override, read_recipe, write_recipe
from ganblocks.schedules import Constant, LinearSchedule

Read = Callable[..., Recipe]


def refused(read: Read, **arguments: Any) -> tuple[Mistake, ...]:
    with pytest.raises(RecipeError) as caught:
        read(**arguments)
    return caught.value.mistakes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("training.images=4096", ("training.images", 4096)),
        (" a.b = 1e-4 ", ("a.b", 1e-4)),
        ("a=true", ("a", True)),
        ("a=[1, 2]", ("a", [1, 2])),
        ('a={ use = "x", k = 1 }', ("a", {"use": "x", "k": 1})),
        ("a=residual", ("a", "residual")),
        ("a='1'", ("a", "1")),
        ("a=x=y", ("a", "x=y")),
        ("a=", ("a", "")),
        ("a=1\nb = 2", ("a", "1\nb = 2")),
        ("a=" + "[" * 5000, ("a", "[" * 5000)),
    ],
)
def test_values_of_the_command_line_are_toml_or_text(text: str, expected: tuple[str, Any]) -> None:
    assert parse_override(text) == expected


@pytest.mark.parametrize("text", ["training.images", "=3", " =3", ""])
def test_an_override_without_path_or_value(text: str) -> None:
    with pytest.raises(UsageError, match="write path=value"):
        parse_override(text)


def test_an_option_is_set(read: Read) -> None:
    recipe: Any = read(overrides={"generator.attention.reduction": 2, "training.images": 7, "title": "new"})
    assert (recipe.generator.attention.reduction, recipe.training.images, recipe.title) == (2, 7, "new")


def test_short_forms_and_defaults_take_options(read: Read) -> None:
    """discriminator.attention is a bare name in the file; generator.norm, update.generator and average are not there at all."""
    recipe: Any = read(
        overrides={
            "discriminator.attention.heads": 2,
            "generator.norm.groups": 2,
            "update.generator.rate": {"use": "linear", "start": 1, "end": 0.5},
            "average.decay": 0.5,
        }
    )
    assert (recipe.discriminator.network.attention.heads, recipe.generator.norm.groups, recipe.average.decay) == (2, 2, 0.5)
    assert recipe.update.generator.rate == LinearSchedule(start=1.0, end=0.5)
    assert recipe.update.discriminator.rate == Constant(0.01)


@pytest.mark.parametrize("path", ["generator.attention", "generator.attention.use"])
def test_a_new_component_leaves_no_options_behind(read: Read, path: str) -> None:
    recipe: Any = read(overrides={path: "look"})
    assert recipe.generator.attention.reduction == 8
    assert type(read(overrides={path: "none"}).generator.attention).__name__ == "Plain"  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", ["discriminator", "discriminator.use"])
def test_a_new_network_leaves_the_sections_own_keys(read: Read, path: str, toy_text: str) -> None:
    recipe: Any = read(toy_text.replace('attention = "look"\n', 'attention = "none"\nwidth = 3\n'), overrides={path: "judge"})
    assert recipe.discriminator.network.width == 8
    assert type(recipe.discriminator.augment).__name__ == "Flip"


def test_the_order_of_overrides_does_not_matter(read: Read) -> None:
    changes = {
        "generator.attention.heads": 2,
        "generator.attention.use": "look",
        "*.attention": "none",
        "generator.attention": "look",
    }
    recipes = [read(overrides=dict(order)) for order in (changes.items(), reversed(changes.items()))]
    assert recipes[0] == recipes[1]
    recipe: Any = recipes[0]
    assert (recipe.generator.attention.heads, recipe.generator.attention.reduction) == (2, 8)
    assert type(recipe.discriminator.network.attention).__name__ == "Plain"


def test_a_star_is_every_section_that_has_such_an_option(read: Read, toy_text: str) -> None:
    recipe: Any = read(ablation="plain")
    assert type(recipe.generator.attention) is type(recipe.discriminator.network.attention)
    assert type(recipe.generator.attention).__name__ == "Plain"
    assert read(overrides={"update.*.rate": 1.0}).update.generator.rate == Constant(1.0)  # type: ignore[attr-defined]
    absent = toy_text.replace('attention = "look"\n', "")
    assert type(read(absent, ablation="plain").discriminator.network.attention).__name__ == "Plain"  # type: ignore[attr-defined]


def test_one_table_at_two_places_stays_two_tables(read: Read) -> None:
    recipe: Any = read(overrides={"*.attention": {"use": "look", "heads": 2}, "generator.attention.heads": 3})
    assert (recipe.generator.attention.heads, recipe.discriminator.network.attention.heads) == (3, 2)


def test_what_is_removed_is_gone(read: Read) -> None:
    recipe = read(ablation="free")
    assert recipe.penalties == {}
    assert recipe.discriminator.augment is None
    assert set(recipe.ablation) == {"plain", "free"}


def test_overrides_come_after_the_ablation(read: Read) -> None:
    recipe: Any = read(ablation="plain", overrides={"generator.attention": "look"})
    assert type(recipe.generator.attention).__name__ == "Look"
    assert type(recipe.discriminator.network.attention).__name__ == "Plain"


def test_components_built_in_python_may_be_set(read: Read, toys: Any) -> None:
    attention = toys.get("attention", "look")(heads=5)
    assert read(overrides={"generator.attention": attention}).generator.attention is attention  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("genrator.latent", "did you mean generator?"),
        ("generator.atention.heads", "did you mean attention?"),
        ("*.atention", "did you mean attention?"),
        ("generator..latent", "one dot"),
        ("", "one dot"),
        ("penalties.r1.weight", "known here: slope"),
        ("training.images.most", "images is no table"),
        ("ablation.plain.set", "evaluation"),
        ("generator.latent.*", "latent is no table"),
    ],
)
def test_a_path_that_matches_nothing(read: Read, path: str, hint: str) -> None:
    (mistake,) = refused(read, overrides={path: 1})
    assert (mistake.where, mistake.rule) == (path, "this path matches nothing in the recipe")
    assert hint in mistake.hint


def test_what_is_set_is_judged_as_strictly_as_the_file(read: Read) -> None:
    found = refused(
        read, overrides={"generator.latnet": 3, "training.batch": "four", "loss": "simpel", "average": {"start": -1}}
    )
    assert {mistake.where for mistake in found} == {"generator.latnet", "training.batch", "loss", "average.start"}
    assert all(mistake.source.endswith("x.toml (overridden)") for mistake in found)


def test_a_mistake_of_an_ablation_names_it_and_its_line(read: Read, toy_text: str) -> None:
    wrong = """
[ablation.bad.set]
"generator.latnet" = 3
"training.batch" = "four"
"generator.attention" = { use = "look", redction = 2 }
"nowhere.at" = 1
[ablation."very-bad"]
set = { "*.attention.reduction" = "x" }
remove = ["penalties.none"]
"""
    lines = (toy_text + wrong).split("\n")
    found = refused(read, text=toy_text + wrong, ablation="bad")
    begins = lines.index("[ablation.bad.set]") + 1
    assert {mistake.where: mistake.source.rpartition("x.toml")[2] for mistake in found} == {
        "generator.latnet": f":{begins + 1} (ablation bad)",
        "training.batch": f":{begins + 2} (ablation bad)",
        "generator.attention.redction": f":{begins + 3} (ablation bad)",
        "nowhere.at": f":{begins + 4} (ablation bad)",
    }
    found = refused(read, text=toy_text + wrong, ablation="very-bad", overrides={"training.batch": 0})
    assert {mistake.source.rpartition(" (")[2] for mistake in found} == {"ablation very-bad)", "overridden)"}
    begins = lines.index('[ablation."very-bad"]') + 1
    assert {int(m.source.split(":")[-1].split(" ")[0]) - begins for m in found if "(ablation" in m.source} == {1, 2}
    found = refused(read, text=toy_text + wrong, ablation="very-bad", overrides={"*.attention.reduction": 0})
    assert [mistake.source.rpartition(" (")[2] for mistake in found] == ["ablation very-bad)", "overridden)", "overridden)"]


def test_removing_what_is_not_set(read: Read, toy_text: str) -> None:
    text = toy_text.replace('"penalties.*"', '"penalties.slop", "generator.norm", "*.nothing"')
    found = refused(read, text=text, ablation="free")
    assert [mistake.where for mistake in found] == ["penalties.slop", "generator.norm", "*.nothing"]
    assert found[0].hint == "did you mean slope?"


def test_an_ablation_that_is_not_there(read: Read, toy_text: str) -> None:
    (mistake,) = refused(read, ablation="residual")
    assert (mistake.where, mistake.hint) == ("ablation.residual", "known here: free, plain")
    (mistake,) = refused(read, text=toy_text.split("[ablation")[0], ablation="plain")
    assert mistake.hint == "this recipe has none"


def test_paths_without_quotes(read: Read, toy_text: str) -> None:
    text = toy_text.replace('"*.attention" = "none"', 'generator.attention = "none"')
    for arguments in ({}, {"ablation": "plain"}):
        (mistake,) = refused(read, text=text, **arguments)
        assert mistake.where == "ablation.plain.set"
        assert 'write "generator.attention" = …' in mistake.rule + mistake.hint


def extended(tmp_path: Path, toys: Any, parent: str, child: str) -> Recipe:
    (tmp_path / "parent.toml").write_text(parent)
    (tmp_path / "child.toml").write_text(child)
    return read_recipe(tmp_path / "child.toml", registry=toys)


def test_a_child_changes_what_it_says(tmp_path: Path, toys: Any, toy_text: str, read: Read) -> None:
    child = """extends = "parent.toml"
    title = "child"
    [generator]
    attention = { heads = 2 }
    [discriminator.attention]
    heads = 3
    [penalties.slope]
    weight = { use = "linear", start = 1, end = 0 }
    """
    recipe: Any = extended(tmp_path, toys, toy_text, child)
    assert (recipe.title, recipe.generator.attention.heads, recipe.generator.attention.reduction) == ("child", 2, 4)
    assert recipe.discriminator.network.attention.heads == 3
    assert recipe.penalties["slope"].weight == LinearSchedule(start=1.0, end=0.0)
    assert recipe.training == read().training


def test_another_use_replaces_the_table(tmp_path: Path, toys: Any, toy_text: str) -> None:
    child = 'extends = "parent.toml"\n[generator.attention]\nuse = "none"\n[update]\nuse = "turns"\nsteps = 2\n'
    recipe: Any = extended(tmp_path, toys, toy_text, child)
    assert type(recipe.generator.attention).__name__ == "Plain"
    assert recipe.update.steps == 2


def test_mistakes_stand_in_the_file_that_makes_them(tmp_path: Path, toys: Any, toy_text: str) -> None:
    parent = toy_text.replace("reduction = 4", "reduction = 0")
    with pytest.raises(RecipeError) as caught:
        extended(tmp_path, toys, parent, 'extends = "parent.toml"\n[training]\nbatch = 0\n')
    sources = {mistake.where: mistake.source for mistake in caught.value.mistakes}
    assert sources["generator.attention.reduction"] == f"{tmp_path}/parent.toml:6"
    assert sources["training.batch"] == f"{tmp_path}/child.toml:3"


def test_at_most_one_parent(tmp_path: Path, toys: Any, toy_text: str) -> None:
    for parent in ("other.toml", "child.toml", "parent.toml"):
        with pytest.raises(RecipeError, match="at most one parent"):
            extended(tmp_path, toys, f'extends = "{parent}"\n{toy_text}', 'extends = "parent.toml"\n')
    with pytest.raises(RecipeError, match="at most one parent"):
        extended(tmp_path, toys, toy_text, 'extends = "child.toml"\n')


@pytest.mark.parametrize(
    "name",
    [
        "'../out.toml'",
        "'./parent.toml'",
        "'/etc/passwd'",
        "'..'",
        "'.'",
        "''",
        "'..\\out.toml'",
        "'C:out.toml'",
        "'sub/in.toml'",
        '"zero\\u0000"',
        "'link.toml'",
        '"\\u202Eout.toml"',
        "'～/out.toml'",
        "'‥/out.toml'",
        "'%2e%2e/out.toml'",
        "'file:out.toml'",
        "'https://example.org/x.toml'",
        "'dirlink/in.toml'",
        "'absent.toml'",
        "'sub'",
        "3",
        "['parent.toml']",
        "true",
    ],
)
def test_a_parent_is_a_file_in_the_same_folder(tmp_path: Path, toys: Any, toy_text: str, name: str) -> None:
    folder = tmp_path / "recipes"
    (folder / "sub").mkdir(parents=True)
    (tmp_path / "out.toml").write_text(toy_text)
    shutil.copy(tmp_path / "out.toml", folder / "sub" / "in.toml")
    (folder / "link.toml").symlink_to(tmp_path / "out.toml")
    (folder / "dirlink").symlink_to(folder / "sub")
    (folder / "child.toml").write_text(f"extends = {name}\n")
    with pytest.raises(RecipeError) as caught:
        read_recipe(folder / "child.toml", registry=toys)
    (mistake,) = caught.value.mistakes
    assert mistake.where == "extends"
    assert str(caught.value).isprintable()


SHIPPED = sorted((Path(__file__).parents[2] / "recipes").glob("*.toml"))
ABLATIONS = [(path, name) for path in SHIPPED for name in tomllib.loads(path.read_text()).get("ablation", {})]


@pytest.mark.statement(104)
@pytest.mark.parametrize(("path", "name"), ABLATIONS, ids=lambda part: getattr(part, "stem", part))
def test_an_ablation_applied_and_taken_back_is_the_recipe(path: Path, name: str) -> None:
    registry = discover()
    base, ablated = read_recipe(path, registry=registry), read_recipe(path, ablation=name, registry=registry)
    assert ablated != base
    before, after = (tomllib.loads(write_recipe(recipe, registry)) for recipe in (base, ablated))
    back = {
        f"{section}.{key}": before[section][key]
        for section in ("generator", "discriminator", "penalties", "update", "training")
        for key in before.get(section, ())
        if before[section][key] != after.get(section, {}).get(key)
    }
    assert back
    assert read_recipe(path, ablation=name, overrides=back, registry=registry) == base
    assert read_recipe(path, registry=registry) == base
