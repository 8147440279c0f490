"""The faults of wiring still apply, and are those on the page, almost all of them noticed. Seeding them is the runner's."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FAULTS = tomllib.loads((ROOT / "tests" / "faults" / "wiring.toml").read_text(encoding="utf-8"))["fault"]
PAGE = (ROOT / "docs" / "reference" / "wiring-faults.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault["name"])
def test_a_fault_changes_a_text_that_stands_once_in_production_code(fault: dict[str, str]) -> None:
    assert fault["file"].startswith(("ganblocks/", "plugins/"))
    text = (ROOT / fault["file"]).read_text(encoding="utf-8")
    assert text.count(fault["old"]) == 1
    compile(text.replace(fault["old"], fault["new"]), fault["file"], "exec")
    assert all((ROOT / test).exists() for test in fault["tests"])


def test_the_page_lists_these_and_almost_all_are_noticed() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \| .+ \| `(\S+)` \| (`.+`|\*\*unnoticed\*\*) \|$", PAGE, re.MULTILINE)
    assert [(name, file) for name, file, _ in rows] == [(fault["name"], fault["file"]) for fault in FAULTS]
    noticed = sum(found != "**unnoticed**" for _, _, found in rows)
    assert len(rows) >= 40
    assert noticed >= 0.95 * len(rows)
    assert f"{noticed} of {len(rows)} noticed." in PAGE
    for _, _, found in rows:
        place = found.strip("`").partition("::")
        assert f"def {place[2]}(" in (ROOT / place[0]).read_text(encoding="utf-8")
