"""The generated pages of docs/reference are current, and a kind stands in its four mirrored places."""

from __future__ import annotations

import importlib.util
from types import ModuleType

import pytest

from ganblocks import hookspecs
from ganblocks.kinds import KINDS
from tests.cli.commands import ROOT


@pytest.fixture(scope="module")
def writer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("write_reference", ROOT / "docs" / "scripts" / "write_reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_pages_are_current(writer: ModuleType) -> None:
    """With five examples of each promise; the plugins' own tests try all of them."""
    for name, text in writer.pages(examples=5).items():
        kept = (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8")
        assert kept == text.rstrip() + "\n", f"docs/reference/{name} is not current: run {writer.COMMAND}"


def test_no_built_in_component_breaks_a_promise() -> None:
    assert "0 broken" in (ROOT / "docs" / "reference" / "conformance.md").read_text(encoding="utf-8")


def test_a_kind_stands_in_four_places() -> None:
    """Its Protocol, its hook, its checks, its page."""
    assert {kind.hook for kind in KINDS.values()} == {name for name in vars(hookspecs) if name.startswith("ganblocks_")}
    kinds = {path.stem for path in (ROOT / "ganblocks" / "kinds").glob("*.py")} - {"__init__", "capabilities", "game"}
    checks = {path.stem for path in (ROOT / "ganblocks" / "testing" / "checks").glob("*.py")}
    pages = {path.stem for path in (ROOT / "docs" / "reference" / "kinds").glob("*.md")}
    assert kinds == checks - {"__init__", "components", "learning", "modules"} == pages == set(KINDS)
