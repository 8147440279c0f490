"""``[plugins]``: which versions of distributions a recipe may run with."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ganblocks import discover, read_recipe
from ganblocks.assembly import check
from ganblocks.cli import main
from ganblocks.errors import RecipeError
from ganblocks.recipe import write_recipe
from tests.cli.commands import ROOT

RECIPE = ROOT / "tests" / "fixtures" / "study.toml"


@pytest.mark.parametrize("versions", ["", ">=0.1", ">=0.1,<99", "!=0.0.1"])
def test_a_version_that_is_allowed_changes_nothing(versions: str) -> None:
    check(read_recipe(RECIPE, {"plugins.ganblocks": versions}), discover())


@pytest.mark.parametrize(
    ("name", "versions", "complaint"),
    [
        ("ganblocks", ">=99", "plugins.ganblocks: 0."),
        ("ganblocks", "==0.0.1", "plugins.ganblocks: 0."),
        ("ganblocks-nowhere", ">=1", "plugins.ganblocks-nowhere: is not installed"),
    ],
)
def test_another_one_is_refused_with_the_command_that_helps(name: str, versions: str, complaint: str) -> None:
    with pytest.raises(RecipeError, match=re.escape(complaint)) as caught:
        check(read_recipe(RECIPE, {f"plugins.{name}": versions}), discover())
    assert f'pip install "{name}{versions}"' in str(caught.value)


@pytest.mark.parametrize("versions", ["1.0", "latest", ">=", 5, ["1"], {"a": "b"}])
def test_what_names_no_versions_is_a_mistake_of_the_recipe(versions: object) -> None:
    with pytest.raises(RecipeError, match="plugins"):
        read_recipe(RECIPE, {"plugins": {"ganblocks": versions}})


def test_it_travels_with_the_run() -> None:
    recipe = read_recipe(RECIPE, {"plugins.ganblocks": ">=0.1"})
    assert '[plugins]\nganblocks = ">=0.1"' in write_recipe(recipe, discover())


def test_the_command_line_says_it_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["run", str(RECIPE), "--set", 'plugins.ganblocks-nowhere=">=1"', "--out", str(tmp_path / "run"), "--quiet"]
    assert main(arguments) == 2
    assert "plugins.ganblocks-nowhere: is not installed" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
