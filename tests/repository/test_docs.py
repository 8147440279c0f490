"""Every command and every program in the documentation runs, on a tiny scale; every link leads somewhere."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from PIL import Image

from ganblocks.kinds import KINDS
from tests.cli.commands import ROOT, ganblocks, tiny

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("plugins/**/*.md")])
HOW_TO = ROOT / "docs" / "how-to"
RUNNABLE = [
    ROOT / "README.md",
    ROOT / "docs" / "tutorial" / "run-sagan.md",
    HOW_TO / "compare-blocks.md",
    HOW_TO / "fine-tune.md",
]
SMALL = tiny(**{"training.images": "16"})
DIGITS = {"flags": "3", "smileys": "1"}
"""What stands for the classes of the pages: the tiny recipe has digits."""


def commands(page: Path) -> list[list[str]]:
    """The command lines in a page's code blocks that call ganblocks, or the script that checks samples."""
    blocks = re.findall(r"^```\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [shlex.split(line, comments=True) for line in lines if line.startswith(("ganblocks ", "python "))]


@pytest.mark.parametrize("page", RUNNABLE, ids=lambda page: page.name)
def test_every_command_of_a_page_runs_in_order(page: Path, tmp_path: Path) -> None:
    (tmp_path / "recipes").symlink_to(ROOT / "recipes")
    found = commands(page)
    assert len(found) >= 5
    if page.name == "README.md":
        assert ganblocks("run", "recipes/sagan.toml", *SMALL, cwd=tmp_path).returncode == 0  # the first command of the page
    for command in found:
        if command[0] == "python":
            script = [sys.executable, str(ROOT / command[1]), *command[2:], "--epochs", "1", "--per-class", "4"]
            done = subprocess.run(script, cwd=tmp_path, capture_output=True, text=True, check=False)
            assert "of samples recovered" in done.stdout, done.stderr
            continue
        arguments = [DIGITS.get(word, word) for word in command[1:]]
        done = ganblocks(*arguments, *shrunk(arguments, tmp_path), cwd=tmp_path)
        assert done.returncode == 0, (command, done.stderr)


def shrunk(arguments: list[str], folder: Path) -> list[str]:
    """What makes a command small: a tiny run, or a study of two cells."""
    if "recipes/fine-tune.toml" in arguments:
        return fine_tuned(folder) if arguments[0] == "run" else []
    if arguments[0] == "run":
        return SMALL
    if arguments[0] != "ablate":
        return []
    if "--dry-run" in arguments:
        return ["--seeds", "0", "--variants", "attention16"]
    options = [*SMALL, "--seeds", "0", "--variants", "attention16", "--set", "evaluation.every=16"]
    if any("image_folder" in word for word in arguments):
        photos(folder)
        place = options.index('data.use="digits"') - 1
        del options[place : place + 2]
        options += ["--set", "generator.multipliers=[1, 1, 1, 1]", "--set", "discriminator.attention_at=[16]"]
    return options


def fine_tuned(folder: Path) -> list[str]:
    """A tiny run of the fine-tuning recipe, on photos as large as the digits that its origin was trained on."""
    photos(folder)
    options = [word.replace("discriminator.", "discriminator.network.") for word in SMALL]
    place = options.index('data.use="digits"')
    return [*options[: place - 1], *options[place + 1 :], "--set", "data.size=8"]


def photos(folder: Path) -> None:
    """Forty pictures of each of two classes."""
    for name in ("cats", "dogs"):
        (folder / "photos" / name).mkdir(parents=True, exist_ok=True)
        for shade in range(40):
            Image.new("RGB", (32, 32), (6 * shade, 90, 200)).save(folder / "photos" / name / f"{shade}.png")


def test_the_how_to_for_images_runs(tmp_path: Path) -> None:
    (tmp_path / "recipes").symlink_to(ROOT / "recipes")
    photos(tmp_path)
    found = commands(ROOT / "docs" / "how-to" / "check-your-images.md")
    assert len(found) == 3
    for command in found:
        done = ganblocks(*command[1:], cwd=tmp_path)
        assert done.returncode == 0, (command, done.stderr)
        assert "same bytes as in another class" in done.stdout


def python(arguments: list[str], cwd: Path, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})}
    return subprocess.run([sys.executable, *arguments], cwd=cwd, env=variables, capture_output=True, text=True, check=False)


def test_the_how_to_for_plugins_runs_from_nothing(tmp_path: Path) -> None:
    """Every command of the page, in order, in an empty folder; pip installs beside the environment, not into it."""
    (tmp_path / "recipes").symlink_to(ROOT / "recipes")
    page = (ROOT / "docs" / "how-to" / "write-a-plugin.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    found = [shlex.split(line) for block in blocks for line in block.splitlines()]
    assert [command[0] for command in found].count("ganblocks") >= 7
    environment = {"PYTHONPATH": str(tmp_path / "site")}
    for command in found:
        if command[:2] == ["pip", "install"]:
            options = ["--quiet", "--no-deps", "--no-build-isolation", "--target", str(tmp_path / "site"), command[-1]]
            done = python(["-m", "pip", "install", *options], tmp_path)
        elif command[0] == "pytest":
            done = python(["-m", "pytest", "-p", "no:cacheprovider", *command[1:]], tmp_path, environment)
            assert " passed" in done.stdout, done.stdout
        else:
            assert command[0] == "ganblocks"
            small = {"run": SMALL, "conform": ["--examples", "2"]}  # pytest acme-blocks has tried as many as it takes
            done = ganblocks(*command[1:], *small.get(command[1], ()), cwd=tmp_path, environment=environment)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        assert command[1] != "list" or "acme_attention" in done.stdout
    assert (tmp_path / "runs").is_dir()


def test_the_training_loop_of_the_how_to_for_parts_runs(tmp_path: Path) -> None:
    page = (HOW_TO / "use-the-parts.md").read_text(encoding="utf-8")
    (source,) = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert "range(1000)" in source
    done = python(["-c", source.replace("range(1000)", "range(3)") + "print(tuple(samples.shape))"], tmp_path)
    assert done.stdout == "(64, 3, 16, 16)\n", done.stderr


def test_the_hooks_of_the_how_to_are_those_of_the_kinds() -> None:
    page = (ROOT / "docs" / "how-to" / "write-a-plugin.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| \[(\w+)\]\([^)]*\) \| `(\w+)` \|", page, re.MULTILINE))
    assert rows == {kind.name: kind.hook for kind in KINDS.values()}


def test_the_block_of_the_readme_is_complete(tmp_path: Path) -> None:
    (source,) = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    assert len(source.splitlines()) <= 30
    (tmp_path / "my_block.py").write_text(source)
    arguments = ("run", ROOT / "recipes" / "sagan.toml", "--set", "*.attention=my_block", *SMALL)
    done = ganblocks("-p", "./my_block.py", *arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_the_readme_begins_with_the_two_commands() -> None:
    blocks = re.findall(r"^```\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    assert blocks[0].strip().endswith("ganblocks run recipes/sagan.toml")
    assert blocks[1].strip().endswith("-m pytest")
    assert all("\n" not in block.strip() for block in blocks[:2])
    assert "-m pytest" in (ROOT / ".ci" / "run").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{page}: {target}"


def test_every_recipe_says_paper_time_or_data_and_command() -> None:
    for recipe in (ROOT / "recipes").glob("*.toml"):
        header = recipe.read_text().split("\n\n", 1)[0] + recipe.read_text()[:2000]
        assert all(f"#   {word}" in header for word in ("paper", "data", "command")), recipe
