"""ganblocks check: counts, cross-checks and broken recipes, without data and without training."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.commands import ROOT, ganblocks

BROKEN = sorted((ROOT / "tests" / "recipe" / "broken").glob("*.toml"))


def networks(*arguments: str) -> dict[str, int]:
    done = ganblocks("check", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return {name: facts["parameters"] for name, facts in json.loads(done.stdout)["networks"].items()}


def test_the_paper_s_size_is_exact() -> None:
    done = ganblocks("check", "recipes/sagan-imagenet128.toml")
    assert done.returncode == 0, done.stderr
    assert "42,078,852" in done.stdout
    assert "39,463,618" in done.stdout
    assert "block3.attention" in done.stdout


def test_an_ablation_is_counted_in_place_of_the_recipe() -> None:
    """The counts of all papers' models are held in tests/repository/test_parameter_counts.py."""
    found = networks("recipes/sagan-imagenet128.toml", "--ablation", "feat64")
    assert found == {"generator": 42_017_412, "discriminator": 39_448_258}


def test_the_2017_networks_have_their_exact_counts() -> None:
    found = networks("recipes/acgan-imagenet128.toml")
    assert found == {"generator": 11_465_728, "discriminator": 2_525_563}
    without = networks("recipes/acgan-imagenet128.toml", "--set", "generator.final_norm=none")
    assert without["generator"] == 11_465_600


def test_costs_add_up() -> None:
    document = json.loads(ganblocks("check", "recipes/sagan.toml", "--json").stdout)
    for network in document["networks"].values():
        top = [block for block in network["blocks"] if "." not in block["name"]]
        for key in ("parameters", "flops"):
            assert sum(block[key] for block in top) == network[key]
        assert all(block["activations"] <= network["activations"] for block in network["blocks"])


def test_flops_of_an_attention_block_are_the_formula() -> None:
    document = json.loads(ganblocks("check", "recipes/sagan-imagenet128.toml", "--json").stdout)
    block = next(block for block in document["networks"]["generator"]["blocks"] if block["name"] == "block3.attention")
    # per image, N = 1024 positions, C = 256: 1.25 N C² + N (N/4) 5C/8 multiply-adds
    assert block["flops"] == 2 * (1024 * 256 * 256 * 5 // 4 + 1024 * 256 * 160)


@pytest.mark.parametrize(
    ("sets", "where", "words"),
    [
        (["generator.attention_at=[12]"], "generator", "8×8, 16×16, 32×32; set attention_at = [8]"),
        (["data.use=digits", "generator.attention_at=[16]"], "generator", "8"),
        (["update.discriminator.rate=2e-4"], "update", "alternating"),
        (["loss=wasserstein"], "loss", "spectral"),
        (["generator.width=6", "discriminator.width=6"], "attention", "reduction"),
        (["data.use=image_folder", "data.path=x", "data.size=32"], "conditional_batch", "batch"),
    ],
)
def test_what_cannot_work_is_said_with_the_fix(sets: list[str], where: str, words: str) -> None:
    done = ganblocks("check", "recipes/sagan.toml", *(part for value in sets for part in ("--set", value)))
    assert done.returncode == 2, done.stdout
    assert where in done.stderr
    assert words in done.stderr
    assert "recipes/sagan.toml" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_data_need_not_be_there() -> None:
    done = ganblocks("check", "recipes/sagan-imagenet128.toml", "--set", "data.path=/nowhere")
    assert done.returncode == 0, done.stderr


def test_an_ablation_that_nobody_asked_for_is_checked_too(tmp_path: Path) -> None:
    text = (ROOT / "recipes" / "sagan.toml").read_text() + '\n[ablation.wrong.set]\n"*.atention" = "none"\n'
    (tmp_path / "r.toml").write_text(text)
    done = ganblocks("check", tmp_path / "r.toml")
    assert done.returncode == 2
    assert "atention" in done.stderr


def test_there_are_forty_broken_recipes() -> None:
    assert len(BROKEN) >= 40


@pytest.mark.parametrize("command", ["check", "run"])
def test_a_broken_recipe_exits_2_with_file_path_and_hint(command: str, tmp_path: Path) -> None:
    """A few through the whole command line; tests/recipe reads all of them."""
    for path in BROKEN[::12]:
        expected, _, hint = path.read_text(errors="replace").splitlines()[0].removeprefix("# expect:").partition("|")
        done = ganblocks(command, path, *(("--out", tmp_path / "x") if command == "run" else ()))
        assert done.returncode == 2, path
        assert path.name in done.stderr
        assert expected.strip() in done.stderr
        assert hint.strip() in done.stderr
        assert "Traceback" not in done.stderr
    assert not (tmp_path / "x").exists()
