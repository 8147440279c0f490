"""What cannot have an effect is refused with the reason, never taken and ignored."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from ganblocks.errors import UsageError
from ganblocks.limits import MOST_NUMBERS, most_numbers, within_limits
from tests.cli.commands import ROOT, ganblocks

STUDY = ROOT / "tests" / "fixtures" / "study.toml"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run whose recipe has no [evaluation]."""
    folder = shutil.copytree(ROOT / "tests" / "fixtures" / "run-of-format-1", tmp_path / "run")
    recipe = folder / "recipe.toml"
    recipe.write_text(recipe.read_text().partition("[evaluation]")[0])
    return folder


@pytest.mark.parametrize("given", [("--set", "data.size=8"), ("--ablation", "nonsense")], ids=lambda given: given[0])
def test_a_folder_has_no_values_to_change(given: tuple[str, str], tmp_path: Path) -> None:
    refused("is a folder of images", f"leave {given[0]} out", "check", tmp_path, *given)


def test_a_dry_run_has_no_table(tmp_path: Path) -> None:
    refused("--score", "leave it out", "ablate", STUDY, "--dry-run", "--score", "nonsense", "--out", tmp_path / "out")


@pytest.mark.parametrize("command", ["run", "resume"])
def test_features_are_only_kept_where_there_is_an_evaluation(command: str, run: Path, tmp_path: Path) -> None:
    arguments = ("run", run / "recipe.toml", "--out", tmp_path / "x") if command == "run" else ("resume", run)
    before = sorted(tmp_path.rglob("*"))
    refused("--feature-cache", "add [evaluation]", *arguments, "--feature-cache", tmp_path / "cache")
    assert sorted(tmp_path.rglob("*")) == before


def test_a_plugin_that_is_not_there_cannot_be_kept_out() -> None:
    refused("-p no:loses: no plugin is called that", "did you mean losses?", "-p", "no:loses", "list")


def test_an_extractor_without_a_name_is_not_the_usual_one(run: Path) -> None:
    refused("no feature_extractor is called ''", "", "evaluate", run, "--extractor", "")


def test_a_limit_that_is_no_number_is_not_the_usual_limit() -> None:
    rule = "is '1e3', and must be a whole number from 1 on, in digits, such as 20000000000; unset it for the usual 10,000,000"
    refused("GANBLOCKS_MOST_NUMBERS", rule, "check", STUDY, environment={"GANBLOCKS_MOST_NUMBERS": "1e3"})


@pytest.mark.parametrize("given", ["1e3", "-1", "0", "007", "1_000", "²", "٣", "many", " ", "1\n", "9" * 19, "9" * 5000])
def test_no_other_writing_is_taken_for_a_limit(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANBLOCKS_MOST_NUMBERS", given)
    with pytest.raises(UsageError, match="GANBLOCKS_MOST_NUMBERS"):
        most_numbers()
    with pytest.raises(UsageError, match="GANBLOCKS_MOST_NUMBERS"), within_limits("generator"):
        pass


@pytest.mark.parametrize(("given", "limit"), [("", MOST_NUMBERS), ("1", 1), ("20000000000", 20_000_000_000)])
def test_a_limit_is_taken(given: str, limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANBLOCKS_MOST_NUMBERS", given)
    assert most_numbers() == limit


def test_a_wish_for_strict_plugins_that_is_neither_yes_nor_no() -> None:
    refused("GANBLOCKS_STRICT_PLUGINS", "must be 1 or 0", "list", environment={"GANBLOCKS_STRICT_PLUGINS": "true"})


def test_a_dry_run_prints_one_document_of_what_would_run(tmp_path: Path) -> None:
    done = ganblocks("ablate", STUDY, "--seeds", "0,3", "--dry-run", "--json", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert (plan["seeds"], plan["out"]) == ([0, 3], str(tmp_path / "out"))
    rows = {row["variant"]: row for row in plan["variants"]}
    assert rows["residual"]["against"] == "attention"
    for name, row in rows.items():
        assert f"  {name}: {row['parameters']:,} parameters, {row['flops'] / 1e6:,.1f} M FLOPs / image" in done.stderr
    assert plan["cells"] == [{"variant": name, "seed": seed} for seed in (0, 3) for name in rows]
    assert not (tmp_path / "out").exists()


def refused(what: str, why: str, *arguments: str | Path, environment: dict[str, str] | None = None) -> None:
    done = ganblocks(*arguments, environment=environment)
    assert done.returncode == 2, done.stdout + done.stderr
    assert what in done.stderr
    assert why in done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout
