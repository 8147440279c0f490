"""A recipe's names are those of the run: whatever the class behind a name is called, and wherever it is defined."""

from __future__ import annotations

import json
import shutil
import sys
import tomllib
from pathlib import Path

import pytest

import ganblocks as public
from ganblocks.citing import references
from ganblocks.testing import checks_of
from tests.cli.commands import ROOT, ganblocks, tiny
from tests.test_plugins import in_site, install

BLOCKS = '''
"""Blocks."""
from attrs import frozen
from torch import nn

class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.by = nn.Parameter(nn.Parameter(__import__("torch").ones(())))
    def forward(self, x, condition=None):
        return self.by * x

@frozen
class Block:
    """A block. Source: arXiv:1805.08318."""
    def build(self, site):
        return Scaled()

def made(size):
    @frozen
    class Inner:
        """Made in a function. Source: arXiv:1802.05957."""
        def build(self, site):
            return Scaled()
    return Inner
'''
HOOKS = """
import ganblocks
from acme_package.blocks import Block, made
Two, Made = Block, made(3)

@ganblocks.hookimpl
def ganblocks_attentions():
    return {"aaa_block": Block, "reexported": "acme_package:Two", "made": Made, "dual": Block, "residual": Block}

@ganblocks.hookimpl
def ganblocks_norms():
    return {"zzz_block": "acme_package:Two", "dual": Block}

@ganblocks.hookimpl
def ganblocks_metrics():
    return {"a_kernel": "ganblocks_metrics.kernel:Kernel"}
"""
NAMES = {
    "generator.norm": "zzz_block",
    "generator.attention": "reexported",
    "discriminator.norm": "dual",
    "discriminator.attention": "acme:residual",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package whose names and classes go their own ways."""
    folder = tmp_path_factory.mktemp("site")
    install(folder, "acme-package", "acme", "")
    (folder / "acme_package-1.0.dist-info" / "entry_points.txt").write_text("[ganblocks]\nacme = acme_package\n")
    package = folder / "acme_package"
    package.mkdir()
    (package / "__init__.py").write_text(HOOKS)
    (package / "blocks.py").write_text(BLOCKS)
    return folder


@pytest.fixture(scope="module")
def run(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    more = {"training.images": "32", "training.checkpoint_every": "16", "evaluation.n": "32"}
    sets = tiny(**NAMES, **more, **{"generator.attention_at": "[8]", "discriminator.attention_at": "[4]"})
    done = ganblocks("run", "recipes/sagan.toml", "--out", folder, "--quiet", *sets, environment=in_site(site))
    assert done.returncode == 0, done.stderr
    return folder


def test_the_run_is_written_under_the_names_that_the_recipe_used(run: Path) -> None:
    recipe = tomllib.loads((run / "recipe.toml").read_text())
    components = json.loads((run / "provenance.json").read_text())["components"]
    for place, name in NAMES.items():
        section, key = place.split(".")
        assert recipe[section][key] == name
        assert (components[place]["name"], components[place]["owner"]) == (name, "acme")
        assert (components[place]["distribution"], components[place]["version"]) == ("acme-package", "1.0")
    assert recipe["evaluation"]["metrics"]["kernel"]["use"] == "kernel"
    assert "kernel(" in json.loads((run / "scores.json").read_text())[-1]["scores"][0]["protocol"]["metric"]


def test_it_resumes_and_samples(run: Path, site: Path) -> None:
    last = max((run / "checkpoints").iterdir())
    before = (last / "game.safetensors").read_bytes()
    shutil.rmtree(last)
    done = ganblocks("resume", run, "--quiet", environment=in_site(site))
    assert done.returncode == 0, done.stderr
    assert "bit-exact" not in done.stderr
    assert (last / "game.safetensors").read_bytes() == before
    sampled = ganblocks("sample", run, "--n", "2", environment=in_site(site))
    assert sampled.returncode == 0, sampled.stderr
    with pytest.raises(public.CheckpointError, match=r"of acme-package 1.0, which is not here: install acme-package"):
        public.load(run)


def test_it_is_cited_and_evaluated_under_these_names(run: Path, site: Path) -> None:
    environment = in_site(site)
    cited = json.loads(ganblocks("cite", run / "recipe.toml", "--json", environment=environment).stdout)
    users = {entry["key"]: entry["used_by"] for entry in cited}["zhang2019sagan"]
    assert {"norm zzz_block", "attention reexported", "norm dual", "attention acme:residual"} <= set(users)
    scored = ganblocks("evaluate", run, "--metric", "a_kernel", "--n", "32", "--json", environment=environment)
    assert scored.returncode == 0, scored.stderr
    assert all(score["protocol"]["metric"].startswith("a_kernel(") for score in json.loads(scored.stdout)["scores"])


def test_the_kit_tries_each_under_its_name(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(site))
    checks = checks_of("acme-package", public.discover())
    chosen = [check for check in checks if check.tested.name == "its_options_go_through_toml"]
    names = {(each.kind, each.component) for each in (check.verdict(2) for check in chosen) if each.status == "kept"}
    attentions = {"aaa_block", "reexported", "made", "dual", "acme:residual"}
    assert names == {("attention", name) for name in attentions} | {
        ("norm", "zzz_block"),
        ("norm", "dual"),
        ("metric", "a_kernel"),
    }


FILE = """
from __future__ import annotations
import ganblocks
from attrs import frozen
from torch import nn

@frozen
class Option:
    depth: int = 1

@frozen(kw_only=True)
class Block:
    '''A block. Source: arXiv:9901.00001.'''
    option: Option = Option()
    def build(self, site):
        return nn.Identity()

@ganblocks.hookimpl
def ganblocks_attentions():
    return {"mine": "%s:Block"}
"""


@pytest.mark.parametrize("name", ["random", "copy", "torch", "ganblocks", "my block"])
def test_a_single_file_shadows_no_module(name: str, tmp_path: Path) -> None:
    file = tmp_path / f"{name}.py"
    file.write_text(FILE % name if " " not in name else FILE.replace('"%s:Block"', "Block"))
    (tmp_path / "references.bib").write_text("@misc{mine, title = {Mine}, eprint = {9901.00001}}\n")
    before = dict(sys.modules)
    registry = public.discover(files=[file])
    block = registry.get("attention", "mine")
    assert all(sys.modules[module] is value for module, value in before.items())
    assert registry.create("attention", "mine", option={"depth": 3}).option.depth == 3
    assert [entry.key for entry in references(block)[0]] == ["mine"]
    assert registry.find("attention", "mine").owner == name


def test_a_file_named_as_a_module_runs_and_samples(tmp_path: Path) -> None:
    (tmp_path / "random.py").write_text(FILE % "random")
    out, sets = tmp_path / "run", tiny(**{"*.attention": "mine", "training.images": "8"})
    recipe = ROOT / "recipes" / "sagan.toml"
    done = ganblocks("-p", "random.py", "run", recipe, "--out", out, *sets, "--quiet", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    facts = json.loads((out / "provenance.json").read_text())["components"]["generator.attention"]
    assert facts["distribution"] == str(tmp_path / "random.py")
    assert facts["version"].startswith("sha256:")
    with pytest.raises(public.CheckpointError, match=f"give -p {tmp_path / 'random.py'}"):
        public.load(out)
    assert ganblocks("-p", tmp_path / "random.py", "sample", out, "--n", "2").returncode == 0
