"""Papers of components, and their BibTeX."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

import ganblocks as public
from ganblocks.citing import NAME, papers, parse, references
from tests.cli.commands import ROOT, ganblocks

REGISTRY = public.discover()
OURS = [offer for offer in REGISTRY.offers() if offer.distribution == "ganblocks"]


@pytest.mark.parametrize("offer", OURS, ids=lambda offer: f"{offer.kind}-{offer.name}")
def test_every_paper_of_a_built_in_component_has_its_entry(offer: object) -> None:
    found, absent = references(offer.resolve())  # type: ignore[attr-defined]
    assert absent == []
    assert all(entry.text.count("{") == entry.text.count("}") for entry in found)


def test_an_entry_is_whole_and_there_once() -> None:
    entries = parse((ROOT / "ganblocks" / NAME).read_text(encoding="utf-8"))
    assert len(entries) >= 50
    assert len({entry.key for entry in entries}) == len(entries)
    identifiers = [each for entry in entries for each in entry.identifiers]
    assert len(set(identifiers)) == len(identifiers)
    for entry in entries:
        assert all(f" {part} = " in entry.text for part in ("title", "author", "year")), entry.key
        assert entry.text.endswith("}")


def test_numbers_and_dois_are_read_from_the_docstring() -> None:
    class Component:
        """Something.

        Source: A (2017), arXiv:1704.00028, equation 3; B (1982), doi:10.1016/0047-259X(82)90077-X. Also (10.1145/1.2).
        And arXiv 1704.00028 again.
        """

    assert papers(Component) == ("1704.00028", "10.1016/0047-259X(82)90077-X", "10.1145/1.2")
    turned = type("Turned", (), {"__doc__": "Source: A (1982), doi:10.1145/1.2; B (2017), arXiv:1704.00028."})
    assert papers(turned) == ("10.1145/1.2", "1704.00028")


def test_a_plugin_brings_its_own_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / NAME).write_text("@misc{acme, title = {A {B} c}, eprint = {9901.00001}}\n@misc{open, title = {never closed")
    package = ModuleType("acme_package")
    package.__path__ = [str(tmp_path)]
    monkeypatch.setitem(sys.modules, "acme_package", package)
    component = type("Component", (), {"__doc__": "Source: arXiv:9901.00001, arXiv:9901.00002, arXiv:1805.08318."})
    component.__module__ = "acme_package.blocks"
    found, absent = references(component)
    assert [entry.key for entry in found] == ["acme", "zhang2019sagan"]
    assert absent == ["9901.00002"]
    assert found[0].text == "@misc{acme, title = {A {B} c}, eprint = {9901.00001}}"


def test_a_plugin_s_own_entry_of_a_paper_comes_before_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / NAME).write_text("@misc{theirs, title = {SAGAN}, eprint = {1805.08318}}")
    package = ModuleType("acme_package")
    package.__path__ = [str(tmp_path)]
    monkeypatch.setitem(sys.modules, "acme_package", package)
    component = type("Component", (), {"__doc__": "Source: arXiv:1805.08318.", "__module__": "acme_package"})
    assert [entry.key for entry in references(component)[0]] == ["theirs"]


def test_a_recipe_s_papers_are_printed() -> None:
    done = ganblocks("cite", "recipes/sagan.toml")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    keys = [entry.key for entry in parse(done.stdout)]
    assert keys == sorted(set(keys))
    assert {"ganblocks", "zhang2019sagan", "miyato2018spectral", "lim2017geometric", "heusel2017gans"} <= set(keys)
    assert "mao2017least" not in keys


def test_as_json_says_who_uses_what() -> None:
    done = ganblocks("cite", "recipes/sagan.toml", "--set", "loss=least_squares", "--json")
    by_key = {each["key"]: each for each in json.loads(done.stdout)}
    assert by_key["mao2017least"]["used_by"] == ["loss least_squares"]
    assert by_key["mao2017least"]["bibtex"].startswith("@inproceedings{mao2017least,")
