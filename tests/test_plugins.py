"""Sixteen kinds of broken plugin beside the good ones: every command works, and each fault is shown with its reason."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import pytest

from ganblocks import BrokenPlugin, UnknownComponent, discover
from ganblocks.cli import context
from ganblocks.cli.context import Context
from tests.cli.commands import ganblocks, tiny

GOOD = "import ganblocks\nfrom attrs import frozen\n\n@frozen\nclass Block:\n    def build(self, site): return site\n\n"
HOOK = "@ganblocks.hookimpl\ndef ganblocks_attentions(): return {%s}\n"

BROKEN = {
    "import_error": ("import no_such_thing\n", "No module named 'no_such_thing'"),
    "syntax_error": ("def broken(:\n", "SyntaxError"),
    "exits": ("import sys\nsys.exit(3)\n", "SystemExit"),
    "exiting_hook": (GOOD + HOOK % '"a": exit(3)', "ganblocks_attentions failed: SystemExit: 3"),
    "list_hook": (GOOD + HOOK.replace("{%s}", '[("a", Block)]'), "returns a list, and must return a dict"),
    "forgetful_hook": (GOOD + HOOK.replace("return {%s}", "{}"), "returns nothing, and must return a dict"),
    "hides": (
        GOOD + HOOK % '"a": Block' + "def __getattr__(name): raise RuntimeError(name)\n",
        "cannot be asked what it offers",
    ),
    "raising_hook": (GOOD + HOOK % '"a": 1 / 0', "ZeroDivisionError"),
    "wrong_argument": (GOOD + "@ganblocks.hookimpl\ndef ganblocks_attentions(registry): return {}\n", "registry"),
    "misspelt_hook": (GOOD + "@ganblocks.hookimpl\ndef ganblocks_atentions(): return {}\n", "ganblocks_atentions"),
    "no_marker": (GOOD + 'def ganblocks_attentions(): return {"a": Block}\n', "not marked"),
    "wrong_api": ("GANBLOCKS_API = 2\n" + GOOD + HOOK % '"a": Block', "pip install -U ganblocks"),
    "not_a_component": (GOOD + HOOK % '"a": object()', "not a class"),
    "bad_name": (GOOD + HOOK % '"Not.A-Name": Block', "lower case"),
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
    exits = next(fact["reason"] for fact in facts if fact["name"] == "exits")
    assert exits == "cannot be imported: SystemExit: 3"
    slow = next(fact for fact in facts if fact["name"] == "slow")
    assert slow["components"] == 1
    assert slow["seconds"] >= 0.3


def test_a_slow_plugin_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    wait = "import time\ntime.sleep(0.6)\n"
    install(tmp_path, "ganblocks-slow", "slow", wait + GOOD + HOOK % '"slow": Block')
    install(tmp_path, "ganblocks-quick", "quick", GOOD + HOOK % '"quick": Block')
    monkeypatch.syspath_prepend(str(tmp_path))
    Context().registry()
    assert capsys.readouterr().err == ""
    monkeypatch.delitem(sys.modules, "plugin_ganblocks_slow")
    monkeypatch.setattr(context, "SLOW", 0.5)
    Context().registry()
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert said[0].startswith('warning: the plugin slow takes 0.6 s to import; with "package.module:Class"')


@pytest.mark.parametrize("wanted", ["Not.A-Name", "not_a_name", "bad_name:NotAName"])
def test_a_name_that_was_refused_says_so_where_it_is_asked_for(
    broken: Path, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(broken))
    with pytest.raises(UnknownComponent) as caught:
        discover(block=["slow"]).get("attention", wanted)
    reason = "the plugin bad_name offers 'Not.A-Name', which is refused: a name is lower case letters, digits and underscores"
    assert f"no attention is called {wanted!r}; {reason}" in str(caught.value)
    assert "raising_hook" in str(caught.value)  # whose hook might have offered it
    with pytest.raises(UnknownComponent, match="there are"):
        discover(block=["slow"]).get("norm", wanted)


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
    assert "attention:residual" in asked.stderr
    told = ganblocks("show", "attention", "attention:residual", environment=in_site(broken))
    assert told.returncode == 0, told.stderr


def test_a_blocked_plugin_is_not_imported(tmp_path: Path) -> None:
    install(tmp_path, "ganblocks-loud", "loud", "print('LOUD IS IMPORTED')\n" + GOOD + HOOK % '"loud": Block')
    assert "LOUD IS IMPORTED" in ganblocks("list", environment=in_site(tmp_path)).stderr
    for done in (
        ganblocks("-p", "no:loud", "plugins", environment=in_site(tmp_path)),
        ganblocks("plugins", environment={**in_site(tmp_path), "GANBLOCKS_BLOCK": "loud,other"}),
    ):
        assert done.returncode == 0
        assert "LOUD IS IMPORTED" not in done.stdout + done.stderr
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
    install(tmp_path, "ganblocks-leaving", "leaving", "import ganblocks\n" + HOOK % '"leaving": "leaving_module:Block"')
    (tmp_path / "leaving_module.py").write_text("import sys\nprint('LEAVING')\nsys.exit(4)\n")
    done = ganblocks("plugins", "--verify", "--json", environment=in_site(tmp_path))
    facts = json.loads(done.stdout)
    faults = {fact["name"]: fact["warnings"] for fact in facts if fact["warnings"]}
    assert list(faults) == ["hollow", "leaving"]
    assert faults["leaving"][0].endswith("cannot be imported: SystemExit: 4")
    assert done.returncode == 1


def test_verify_finds_nothing_wrong_with_what_is_built_in() -> None:
    done = ganblocks("plugins", "--verify")
    assert done.returncode == 0, done.stdout


PRINTS = """
import sys
print("MODULE")
import ganblocks
from attrs import frozen
from torch import nn

class Loud(nn.Module):
    def __init__(self):
        super().__init__()
        print("BUILT")
    def forward(self, x):
        sys.stdout.write("CALLED")
        return x

@frozen
class Block:
    def __attrs_post_init__(self):
        print("MADE")
    def build(self, site):
        return Loud()

@ganblocks.hookimpl
def ganblocks_attentions():
    print("HOOK")
    return {"loud": Block}
"""


def test_what_a_plugin_prints_stays_out_of_a_document(tmp_path: Path) -> None:
    file = tmp_path / "loud.py"
    file.write_text(PRINTS)
    words = ("check", "recipes/sagan.toml", "--json", *tiny(**{"*.attention": "loud"}))
    done = ganblocks("-p", file, *words)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["title"]
    assert all(word in done.stderr for word in ("MODULE", "HOOK", "MADE", "BUILT"))
    listed = ganblocks("-p", file, "list", "attention")
    assert "loud" in listed.stdout
    assert "MODULE" in listed.stderr
    assert not any(word in listed.stdout for word in ("MODULE", "HOOK"))


def test_discover_in_python_takes_the_same_options() -> None:
    assert discover().get("attention", "none")
    with pytest.raises(UnknownComponent, match="the plugins attention"):
        discover(block=["attention"]).get("attention", "none")
    discover(strict=True)
    with pytest.raises(BrokenPlugin):
        discover(files=["absent.py"], strict=True)
