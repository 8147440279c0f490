"""The generated pages of docs/reference are current, and a kind stands in its four mirrored places."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

import ganblocks as public
from ganblocks import hookspecs
from ganblocks.kinds import KINDS
from ganblocks.testing.checks import PROPERTIES
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
    pages = writer.pages()
    assert {path.name for path in (ROOT / "docs" / "reference" / "components").rglob("*.md")} <= {
        Path(name).name for name in pages
    }
    for name, text in pages.items():
        kept = (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8")
        assert kept == text.rstrip() + "\n", f"docs/reference/{name} is not current: run {writer.COMMAND}"


def test_the_page_of_verdicts_has_every_component_and_every_property() -> None:
    """The plugins' own tests try them; that takes minutes, so the page is not made again here."""
    page = (ROOT / "docs" / "reference" / "conformance.md").read_text(encoding="utf-8")
    registry = public.discover()
    for kind in KINDS:
        names = sorted(offer.name for offer in registry.offers(kind) if offer.distribution == "ganblocks")
        head = f"| property | {' | '.join(f'`{name}`' for name in names)} |"
        _, _, table = page.partition(f"## [{kind}](kinds/{kind}.md)\n\n")
        rows = table.partition("\n\n")[0].splitlines()
        assert rows[0] == head, kind
        statements = [item.statement for item in PROPERTIES[kind]]
        assert [row.split(" | ")[0].removeprefix("| ") for row in rows[2:]] == statements, kind


def test_no_built_in_component_lacks_a_property() -> None:
    assert "0 broken" in (ROOT / "docs" / "reference" / "conformance.md").read_text(encoding="utf-8")


def test_a_kind_stands_in_four_places() -> None:
    """Its Protocol, its hook, its checks, its page."""
    assert {kind.hook for kind in KINDS.values()} == {name for name in vars(hookspecs) if name.startswith("ganblocks_")}
    kinds = {path.stem for path in (ROOT / "ganblocks" / "kinds").glob("*.py")} - {
        "__init__",
        "component_capabilities",
        "game",
        "module_capabilities",
    }
    checks = {path.stem for path in (ROOT / "ganblocks" / "testing" / "checks").glob("*.py")}
    pages = {path.stem for path in (ROOT / "docs" / "reference" / "kinds").glob("*.md")}
    assert kinds == checks - {"__init__", "components", "learning", "modules"} == pages == set(KINDS)
