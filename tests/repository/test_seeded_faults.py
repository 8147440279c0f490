"""Every seeded fault is complete and occurs in the tree, and the pages list them, almost all killed. The runner kills them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.faults.faults import ROOT, WIRING, Fault, locate, read_faults, read_sources, seed

FAULTS, SOURCES = read_faults(), read_sources()
ROW = re.compile(r"^\| `([\w-]+)` \| (.+) \| `(\S+)` \| (?:`(\S+?)(?:::(\w+))?`|\*\*survived\*\*) \|$", re.MULTILINE)
A_FAULT = Fault(
    name="a",
    fault="it subtracts",
    file="ganblocks/a.py",
    old="if x:\n    return y",
    new="if not x:\n    return -y",
    tests=(),
    area="b",
)


def test_names_differ() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 360


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_whole_and_changes_one_text_of_production_code(fault: Fault) -> None:
    located = locate(fault, SOURCES)
    text = SOURCES[located.file]
    seeded = seed(located, text)
    assert seeded != text
    compile(seeded, located.file, "exec")
    if fault.area != WIRING:
        compile(fault.witness, fault.name, "exec")
        assert "print(" in fault.witness
    assert fault.tests
    assert all((ROOT / test).exists() for test in fault.tests)


def test_a_text_is_found_where_it_moved_to_at_any_indentation(tmp_path: Path) -> None:
    (tmp_path / "ganblocks" / "deeper").mkdir(parents=True)
    (tmp_path / "ganblocks" / "a.py").write_text("x = 1\n")
    moved = tmp_path / "ganblocks" / "deeper" / "b.py"
    moved.write_text("def f(x, y):\n    while True:\n        if x:\n\n            return y\n")
    located = locate(A_FAULT, sources := read_sources(tmp_path))
    assert located.file == "ganblocks/deeper/b.py"
    seeded = seed(located, sources[located.file])
    assert seeded == "def f(x, y):\n    while True:\n        if not x:\n            return -y\n"
    (tmp_path / "ganblocks" / "c.py").write_text(moved.read_text())
    with pytest.raises(LookupError, match=r"a \(b\.toml\).*exactly once.*'ganblocks/c\.py': 1"):
        locate(A_FAULT, read_sources(tmp_path))


def test_a_text_within_a_line_is_replaced_there() -> None:
    fault = Fault(name="a", fault="", file="a.py", old="(y, 2)", new="(y, 3)", tests=(), area="b")
    assert seed(fault, "if x:\n    f(y, 2).g()\n") == "if x:\n    f(y, 3).g()\n"


@pytest.mark.parametrize("page", ["seeded-faults", "wiring-faults"])
def test_the_pages_list_these_faults_and_almost_all_are_killed(page: str) -> None:
    text = (ROOT / "docs" / "reference" / f"{page}.md").read_text(encoding="utf-8")
    rows = ROW.findall(text)
    faults = [fault for fault in FAULTS if (fault.area == WIRING) == (page == "wiring-faults")]
    assert [row[:3] for row in rows] == [(fault.name, fault.fault, fault.file) for fault in faults]
    survivors = re.findall(r"^\| `([\w-]+)` .*\*\*survived\*\* \|$", text, re.MULTILINE)
    killed = len(rows) - len(survivors)
    assert killed >= 0.95 * len(rows)
    assert f"{killed} of {len(rows)} killed ({100 * killed / len(rows):.1f} %)." in text
    for name in survivors:
        assert f"- `{name}`: no reason yet" not in text
    for *_, file, test in rows:
        assert not test or f"def {test}(" in (ROOT / file).read_text(encoding="utf-8")
