"""What each command imports, in processes of their own; tests/cli/commands.py imports torch and more beforehand."""

from __future__ import annotations

import gc
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest

from ganblocks.cli import app, main
from ganblocks.cli.collection import FEW
from ganblocks.cli.commands import BRIEF, COMMANDS
from tests.cli.commands import ROOT

ELSEWHERE = {"torchvision", "torch_fidelity", "torch._dynamo", "torch._inductor", "scipy", "matplotlib", "hypothesis"}
"""Large packages that a few components, ``ablate`` and ``conform`` need."""
COMPUTING = {"sympy", "torch.utils.flop_counter", "triton"}
"""What torch imports to compute shapes, and to count operations."""
LISTING = ELSEWHERE | COMPUTING | {"torch", "numpy", "PIL", "safetensors"}

SAMPLE = f"sample {ROOT / 'tests' / 'fixtures' / 'run-of-format-1'} --n 64 --out sample.png"
RECIPE = ROOT / "recipes" / "sagan.toml"
KEPT_OUT = {
    "--help": LISTING | {"rich"},
    "run --help": LISTING | {"rich"},
    "--version": LISTING | {"rich"},
    "new-plugin acme-blocks": LISTING | {"rich"},
    "list attention --json": LISTING | {"rich"},
    "list": LISTING,
    "plugins": LISTING,
    SAMPLE: ELSEWHERE | COMPUTING,
    "show attention self_attention": ELSEWHERE | COMPUTING,
    "show metric kernel": ELSEWHERE | COMPUTING,
    f"cite {RECIPE}": ELSEWHERE | COMPUTING,
    "schema --out schema.json": ELSEWHERE | COMPUTING,
    f"check {RECIPE}": ELSEWHERE,
}
"""Command -> modules that must not be imported. One process runs them in this order: each may import more than those before."""

IN_ORDER = """
import sys
from ganblocks.cli import main
for line in sys.stdin:
    command, modules = line.strip().split("|")
    assert main(command.split()) == 0, command
    imported = [module for module in modules.split() if module in sys.modules]
    assert not imported, f"ganblocks {command} imports {imported}"
"""
COSTS_TWICE = """
import sys
from ganblocks import discover, read_recipe
from ganblocks.meta import MARK, _kernels
from ganblocks.summary import network_costs
recipe = read_recipe(sys.argv[1], registry=discover())
image = recipe.data.dataset.describe()
costs = network_costs(recipe, image)
assert "torch._dynamo" not in sys.modules
assert _kernels()
assert not any(MARK in vars(kernel) for kernel in _kernels())
import torch._dynamo
assert network_costs(recipe, image) == costs
assert any(MARK in vars(kernel) for kernel in _kernels())
"""


def python(code: str, *arguments: str | Path, cwd: Path, text: str = "") -> None:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=cwd, input=text, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_command_imports_what_it_needs(tmp_path: Path) -> None:
    lines = "\n".join(f"{command}|{' '.join(sorted(modules))}" for command, modules in KEPT_OUT.items())
    python(IN_ORDER, cwd=tmp_path, text=lines)


def test_no_command_may_import_more_than_those_after_it() -> None:
    """Otherwise a module that is kept out could have been imported by an earlier command."""
    assert all(before >= after for before, after in pairwise(KEPT_OUT.values()))


def test_costs_are_the_same_with_the_compiler_and_nothing_stays_marked(tmp_path: Path) -> None:
    python(COSTS_TWICE, RECIPE, cwd=tmp_path)


def test_importing_the_public_words_does_not_import_torch(tmp_path: Path) -> None:
    python("import sys, ganblocks; ganblocks.discover(); assert 'torch' not in sys.modules", cwd=tmp_path)


@pytest.mark.parametrize(("name", "arguments"), [("check", ["r.toml"]), ("run", ["r.toml"]), ("sample", ["run"])])
def test_garbage_is_collected_as_ever_while_a_command_works(
    name: str, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While its module is imported, and in commands that end soon after that, it is collected rarely."""
    before, thresholds = gc.get_threshold(), []

    def work(*_: object) -> None:
        thresholds.append(gc.get_threshold())

    def imported(module: str) -> SimpleNamespace:
        work()
        return SimpleNamespace(**{COMMANDS[name][1].partition(":")[2]: work})

    monkeypatch.setattr(gc, "freeze", work)
    monkeypatch.setattr(app, "import_module", imported)
    assert main([name, *arguments]) == 0
    assert thresholds == [FEW, FEW, FEW if name in BRIEF else before]
    assert gc.get_threshold() == before


def test_brief_commands_are_commands() -> None:
    assert set(COMMANDS) > BRIEF
