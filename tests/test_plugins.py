"""Twelve kinds of broken plugin beside the good ones: every command works, and each fault is shown with its reason."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import pytest

from ganblocks import BrokenPlugin, UnknownComponent, discover
from tests.cli.commands import ganblocks, tiny

GOOD = "import ganblocks\nfrom attrs import frozen\n\n@frozen\nclass Block:\n    def build(self, site): return site\n\n"
HOOK = "@ganblocks.hookimpl\ndef ganblocks_attentions(): return {%s}\n"

BROKEN = {
    "import_error": ("import no_such_thing\n", "No module named 'no_such_thing'"),
    "syntax_error": ("def broken(:\n", "SyntaxError"),
    "exits": ("import sys\nsys.exit(3)\n", "SystemExit"),
    "raising_hook": (GOOD + HOOK % '"a": 1 / 0', "ZeroDivisionError"),
    "wrong_argument": (GOOD + "@ganblocks.hookimpl\ndef ganblocks_attentions(registry): return {}\n", "registry"),
    "misspelt_hook": (GOOD + "@ganblocks.hookimpl\ndef ganblocks_atentions(): return {}\n", "ganblocks_atentions"),
    "no_marker": (GOOD + 'def ganblocks_attentions(): return {"a": Block}\n', "not marked"),
    "wrong_api": ("GANBLOCKS_API = 2\n" + GOOD + HOOK % '"a": Block', "pip install -U ganblocks"),
    "not_a_component": (GOOD + HOOK % '"a": object()', "not a class"),
    "bad_name": (GOOD + HOOK % '"Not-A-Name": Block', "lower case"),
    "offers_nothing": ("import ganblocks\n", "registers nothing"),
    "twin": (GOOD + HOOK % '"twin": Block', "already provides"),
}
"""Plugin -> (its module, what must be said of it). ``twin`` is installed by two distributions; ``doubled`` (below) offers a
built-in's name."""


def install(folder: Path, distribution: str, plugin: str, source: str) -> None:
    """A distribution as pip would leave it, in a folder of its own."""
    module = f"plugin_{distribution.replace('-', '_')}"
    (folder / f"{module}.py").write_text(source)
    info = folder / f"{distribution.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[ganblocks]\n{plugin} = {module}\n")


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    for name, (source, _) in BROKEN.items():
        install(folder, f"ganblocks-{name.replace('_', '-')}", name, source)
    install(folder, "ganblocks-twin-second", "twin", GOOD + HOOK % '"twin": Block')
    install(folder, "ganblocks-doubled", "doubled", GOOD + HOOK % '"residual": Block')
    install(folder, "ganblocks-slow", "slow", "import time\ntime.sleep(0.3)\n" + GOOD + HOOK % '"slow": Block')
    return folder


def in_site(folder: Path) -> dict[str, str]:
    return {"PYTHONPATH": str(folder)}


def test_every_broken_plugin_is_shown_with_its_reason_and_breaks_nothing(broken: Path) -> None:
    done = ganblocks("plugins", "--json", environment=in_site(broken))
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    for name, (_, reason) in BROKEN.items():
        said = " ".join(f"{fact['reason']} {fact['warnings']}" for fact in facts if fact["name"] == name)
        assert reason in said, (name, said)
        assert all(fact["distribution"].startswith("ganblocks-") for fact in facts if fact["name"] == name)
        assert all(fact["version"] == "1.0" for fact in facts if fact["name"] == name)
    assert all(fact["status"] == "ok" and not fact["warnings"] for fact in facts if fact["distribution"] == "ganblocks")
    assert next(fact for fact in facts if fact["name"] == "slow")["components"] == 1


@pytest.mark.parametrize("command", [("--help",), ("list",), ("plugins",)])
def test_unrelated_commands_work_beside_broken_plugins(broken: Path, command: tuple[str, ...]) -> None:
    done = ganblocks(*command, environment=in_site(broken))
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


def test_a_run_works_beside_broken_plugins(broken: Path, tmp_path: Path) -> None:
    arguments = ("run", "recipes/sagan.toml", "--out", tmp_path / "run", *tiny(**{"training.images": "8"}))
    done = ganblocks(*arguments, environment=in_site(broken))
    assert done.returncode == 0, done.stderr


def test_strict_mode_refuses_them(broken: Path) -> None:
    for done in (
        ganblocks("--strict-plugins", "list", environment=in_site(broken)),
        ganblocks("list", environment={**in_site(broken), "GANBLOCKS_STRICT_PLUGINS": "1"}),
    ):
        assert done.returncode == 2
        assert all(name in done.stderr for name in BROKEN)
        assert "Traceback" not in done.stderr


@pytest.mark.statement(101)
def test_a_name_offered_twice_is_an_error_only_when_it_is_asked_for(broken: Path) -> None:
    asked = ganblocks("check", "recipes/sagan.toml", "--ablation", "residual", environment=in_site(broken))
    assert asked.returncode == 2
    assert "doubled:residual" in asked.stderr
    assert "self_attention:residual" in asked.stderr
    told = ganblocks("show", "attention", "self_attention:residual", environment=in_site(broken))
    assert told.returncode == 0, told.stderr


def test_a_blocked_plugin_is_not_imported(tmp_path: Path) -> None:
    install(tmp_path, "ganblocks-loud", "loud", "print('LOUD IS IMPORTED')\n" + GOOD + HOOK % '"loud": Block')
    assert "LOUD IS IMPORTED" in ganblocks("list", environment=in_site(tmp_path)).stdout
    for done in (
        ganblocks("-p", "no:loud", "plugins", environment=in_site(tmp_path)),
        ganblocks("plugins", environment={**in_site(tmp_path), "GANBLOCKS_BLOCK": "loud,other"}),
    ):
        assert done.returncode == 0
        assert "LOUD IS IMPORTED" not in done.stdout
        assert "blocked" in done.stdout


def test_the_order_of_discovery_does_not_follow_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = []
    for index in range(5):
        folders.append(tmp_path / str(index))
        folders[-1].mkdir()
        install(folders[-1], f"ganblocks-same-{index}", "same", GOOD + HOOK % f'"block{index}": Block')
    seen = set()
    for seed in range(20):
        shuffled = random.Random(seed).sample(folders, len(folders))
        monkeypatch.setattr(sys, "path", [*map(str, shuffled), *(p for p in sys.path if p not in map(str, folders))])
        registry = discover()
        seen.add((registry.offers(), registry.plugins))
    assert len(seen) == 1
    assert discover().names("attention").count("block0") == 1


def test_a_single_file_is_a_plugin_for_one_command(tmp_path: Path) -> None:
    file = tmp_path / "my_block.py"
    file.write_text(GOOD + HOOK % '"mine": Block')
    assert "mine" in ganblocks("-p", file, "list", "attention").stdout
    assert "mine" not in ganblocks("list", "attention").stdout
    file.write_text("import no_such_thing\n")
    done = ganblocks("-p", file, "list")
    assert done.returncode == 2
    assert "no_such_thing" in done.stderr
    assert ganblocks("-p", tmp_path / "absent.py", "list").returncode == 2
    assert "no:NAME" in ganblocks("-p", "word", "list").stderr


def test_verify_resolves_every_component(tmp_path: Path) -> None:
    install(tmp_path, "ganblocks-hollow", "hollow", "import ganblocks\n" + HOOK % '"hollow": "no_such_module:Block"')
    assert "no_such_module" not in ganblocks("plugins", environment=in_site(tmp_path)).stdout
    done = ganblocks("plugins", "--verify", "--json", environment=in_site(tmp_path))
    facts = json.loads(done.stdout)
    assert [fact["name"] for fact in facts if fact["warnings"]] == ["hollow"]


def test_discover_in_python_takes_the_same_options() -> None:
    assert discover().get("attention", "none")
    with pytest.raises(UnknownComponent, match="self_attention"):
        discover(block=["self_attention"]).get("attention", "none")
    discover(strict=True)
    with pytest.raises(BrokenPlugin):
        discover(files=["absent.py"], strict=True)
