"""A component that raises is blamed by its plugin, in the first line."""

from __future__ import annotations

import json
from importlib.metadata import distribution
from pathlib import Path

import pytest

from tests.cli.commands import ROOT, ganblocks, tiny

PLUGIN = """
import attrs, ganblocks
from torch import nn

class Broken(nn.Module):
    def __init__(self, where):
        super().__init__()
        self.where = where
        if where == "build":
            raise KeyError("the wrong key")
    def forward(self, x):
        if self.where == "forward" and not x.is_meta:
            raise KeyError("the wrong key")
        return x
    def state_dict(self, *args, **kwargs):
        if self.where == "state_dict":
            raise KeyError("the wrong key")
        return super().state_dict(*args, **kwargs)

@attrs.frozen(kw_only=True)
class Clumsy:
    where: str = "build"
    def build(self, site):
        return Broken(self.where)

@ganblocks.hookimpl
def ganblocks_attentions():
    return {"clumsy": Clumsy}
"""


@pytest.mark.parametrize("where", ["build", "forward", "state_dict"])
def test_the_first_line_names_the_plugin(where: str, tmp_path: Path) -> None:
    (tmp_path / "acme.py").write_text(PLUGIN)
    sets = tiny(**{"*.attention": f"{{ use = 'clumsy', where = '{where}' }}"})
    file = "acme.py" if where == "build" else tmp_path / "acme.py"
    recipe = ROOT / "recipes" / "sagan.toml"
    done = ganblocks("-p", file, "run", recipe, *sets, "--out", tmp_path / "run", cwd=tmp_path)
    assert done.returncode == 1
    first = next(line for line in done.stderr.splitlines() if line.startswith("error: "))
    assert first == f"error: the plugin {tmp_path / 'acme.py'} failed: KeyError: 'the wrong key'"
    assert done.stderr.index(first) < done.stderr.index("Traceback")


def test_plugins_are_listed_with_the_hash_of_their_record() -> None:
    facts = json.loads(ganblocks("plugins", "--json").stdout)
    record = distribution("ganblocks").read_text("RECORD")
    assert all(len(fact["record"]) == (64 if record else 0) for fact in facts if fact["distribution"] == "ganblocks")
    assert len({fact["record"] for fact in facts}) == 1
