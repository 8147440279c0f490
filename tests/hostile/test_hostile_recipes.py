"""A recipe is data: whatever it says, it is refused in one second, by a message, and nothing runs."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import ganblocks
from ganblocks.assembly import check
from ganblocks.cli import main
from ganblocks.errors import GanblocksError, PlacementError, RecipeError
from ganblocks.limits import VARIABLE, within_limits
from ganblocks.recipe import parse_override, read_recipe
from ganblocks.registry import Registry
from tests.cli.commands import ROOT, TINY
from tests.hostile.recipes import HOSTILE, SOUND, Make, code, size, traversal

SAGAN = ROOT / "recipes" / "sagan.toml"


@pytest.fixture(scope="module")
def registry() -> Registry:
    found = ganblocks.discover()
    read_recipe(ROOT / "tests" / "recipe" / "valid_base.toml", registry=found)
    return found


def test_the_corpus_is_as_large_as_it_says() -> None:
    assert len(list(code())) >= 40
    assert len(list(traversal())) >= 30
    assert len(list(size())) >= 30


@pytest.mark.parametrize("make", [make for _, make in HOSTILE], ids=[name[:40] for name, _ in HOSTILE])
def test_each_is_refused_within_a_second(registry: Registry, make: Make, tmp_path: Path) -> None:
    path = make(tmp_path)
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    with pytest.raises(RecipeError) as caught:
        read_recipe(path, registry=registry)
    text = str(caught.value)
    assert time.process_time() - started < 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024  # KiB
    assert all(c.isprintable() or c == "\n" for c in text)
    assert str(path) in text or "parent.toml" in text


def test_nothing_runs_while_they_are_read(tmp_path: Path) -> None:
    """No code is compiled or executed, nothing is imported, started, connected to or written."""
    for number, (_, make) in enumerate(HOSTILE):
        (tmp_path / f"{number:03}").mkdir()
        make(tmp_path / f"{number:03}")
    done = watched(tmp_path, "recipes")
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert not Path("/tmp/owned").exists()


def watched(folder: Path, what: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.hostile.watched", str(folder), what]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300, env=os.environ)


LARGEST = 2**63 - 1
ABSURD = {
    "10^12 parameters": {"generator.width": 10**6, "discriminator.width": 10**6},
    "one wide layer": {"discriminator.width": 10**9},
    "a wide latent": {"generator.latent": 10**12},
    "widths of 63 bits": {"generator.width": LARGEST},
    "widths of 62 bits of the other": {"discriminator.width": 2**62},
    "multipliers of 62 bits": {"generator.multipliers": [2**62] * 2},
    "8,000 blocks": {"discriminator.multipliers": [1] * 8_000},
    "a batch of 10^9": {"training.batch": 10**9},
    "a batch of 63 bits": {"training.batch": LARGEST},
    "10^12 samples": {"evaluation.n": 10**12},
    "samples of 63 bits": {"evaluation.n": LARGEST},
    "10^9 classes": {"data": {"use": "image_folder", "path": "x", "size": 8, "channels": 1, "classes": 10**9}},
    "classes of 62 bits": {"data": {"use": "image_folder", "path": "x", "size": 8, "channels": 1, "classes": 2**62}},
    "images of 40 bits": {"data": {"use": "image_folder", "path": "x", "size": 2**40, "classes": 2}},
}


@pytest.mark.parametrize("name", ABSURD)
def test_absurd_sizes_are_refused_on_paper(registry: Registry, name: str) -> None:
    """Before memory is touched: the peak hardly moves."""
    tiny = dict(parse_override(f"{path}={value}") for path, value in TINY.items())
    change = ABSURD[name]
    if "data" in change:
        del tiny["data.use"]
    recipe = read_recipe(SAGAN, {**tiny, **change}, registry=registry)
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    with pytest.raises(RecipeError) as caught:
        check(recipe, registry)
    assert time.process_time() - started < 20  # thousands of layers, on a slow machine
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024
    assert any(word in str(caught.value) for word in (VARIABLE, "use fewer blocks", "multipliers make"))


def test_the_limit_can_be_raised_by_the_user_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    with pytest.raises(PlacementError, match="more than 10 parameters"), torch.device("meta"), limited(monkeypatch, 10):
        torch.nn.Linear(10, 10)
    with torch.device("meta"), limited(monkeypatch, 110):
        torch.nn.Linear(10, 10)


def limited(monkeypatch: pytest.MonkeyPatch, most: int):  # type: ignore[no-untyped-def]
    monkeypatch.setenv(VARIABLE, str(most))
    return within_limits("generator")


@pytest.mark.parametrize(
    "change",
    [
        "generator.width=" + "[" * 200 + "]" * 200,
        "generator.width=" + "9" * 6_000,
        ".".join(["a"] * 5_000) + "=1",
        ".".join(["*"] * 5_000) + "=1",
        "title=" + "x" * 5_000,
        "data=[" + "1," * 20_000 + "]",
        "data.use=\x1b[31mred",
    ],
    ids=lambda change: change[:20],
)
def test_set_keeps_to_the_same_limits(change: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(SAGAN), "--set", change]) == 2
    printed = capsys.readouterr().err
    assert printed.startswith("error: ")
    assert "\x1b" not in printed
    assert "Traceback" not in printed


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=400))
@example(b"")
def test_any_bytes_are_a_recipe_or_an_error(registry: Registry, tmp_path: Path, content: bytes) -> None:
    only_our_errors(registry, tmp_path, content)


words = st.sampled_from(
    ["a", "data", "use", "[", "]", "[[", "]]", "=", ".", '"', "'''", "{", "}", ",", "\n", "1", "true", "nan"]
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(words | st.text(max_size=5), max_size=40).map(" ".join))
def test_anything_like_toml_is_a_recipe_or_an_error(registry: Registry, tmp_path: Path, text: str) -> None:
    only_our_errors(registry, tmp_path, text.encode(errors="replace"))


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, len(SOUND)), st.integers(0, 12), words | st.text(max_size=5))
def test_a_spoilt_recipe_is_a_recipe_or_an_error(registry: Registry, tmp_path: Path, place: int, cut: int, put: str) -> None:
    only_our_errors(registry, tmp_path, (SOUND[:place] + put + SOUND[place + cut :]).encode(errors="replace"))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
paths = st.sampled_from(
    ["data", "generator", "discriminator.augment", "loss", "training.batch", "average", "*.norm", "penalties"]
)


@settings(deadline=None)
@given(st.dictionaries(paths | st.text(max_size=12), values, max_size=3))
def test_any_changes_are_a_recipe_or_an_error(registry: Registry, changes: dict[str, object]) -> None:
    with suppress(GanblocksError):
        read_recipe(ROOT / "tests" / "recipe" / "valid_base.toml", changes, registry=registry)


def only_our_errors(registry: Registry, folder: Path, content: bytes) -> None:
    (folder / "recipe.toml").write_bytes(content)
    with suppress(GanblocksError):
        read_recipe(folder / "recipe.toml", registry=registry)
