"""The seeded faults are whole, still apply, and are the ones on the page, almost all killed. Killing them is the runner's."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATCHES = sorted((ROOT / "tests" / "faults").glob("*.patch"))
PAGE = ROOT / "docs" / "reference" / "seeded-faults.md"
ROW = re.compile(r"^\| `([\w-]+)` \| .+ \| `(\S+)` \| (?:`.+`|(\*\*survived\*\*)) \|$", re.MULTILINE)


def test_there_are_enough() -> None:
    assert len(PATCHES) >= 60


@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch.stem)
def test_a_patch_has_its_headers_and_changes_production_code(patch: Path) -> None:
    head, _, diff = patch.read_text(encoding="utf-8").partition("\n\n")
    headers = dict(line.split(": ", 1) for line in head.splitlines())
    assert {"Fault", "Witness", "Tests"} <= set(headers) <= {"Fault", "Witness", "Tests", "Survives"}
    compile(headers["Witness"], patch.name, "exec")
    assert "print(" in headers["Witness"]
    assert all((ROOT / test).exists() for test in headers["Tests"].split())
    (changed,) = re.findall(r"^\+\+\+ b/(\S+)$", diff, re.MULTILINE)
    assert changed.startswith(("ganblocks/", "plugins/"))
    assert "/tests/" not in changed


@pytest.mark.skipif(shutil.which("git") is None, reason="applying a patch takes git")
@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch.stem)
def test_a_patch_applies(patch: Path) -> None:
    # git must not take the tree for a folder of a repository further up, where it would skip the patch and say nothing
    environment = os.environ | {"GIT_CEILING_DIRECTORIES": str(ROOT.parent)}
    command = ["git", "apply", "--check", str(patch)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_page_lists_these_very_patches_and_almost_all_are_killed() -> None:
    page = PAGE.read_text(encoding="utf-8")
    rows = ROW.findall(page)
    assert [name for name, _, _ in rows] == [patch.stem for patch in PATCHES]
    for patch, (_, file, _) in zip(PATCHES, rows, strict=True):
        assert f"+++ b/{file}\n" in patch.read_text(encoding="utf-8")
    survivors = [name for name, _, survived in rows if survived]
    killed = len(rows) - len(survivors)
    assert killed / len(rows) >= 0.95
    assert f"{killed} of {len(rows)} killed ({100 * killed / len(rows):.1f} %)." in page
    for name in survivors:
        assert f"- `{name}`: no reason yet" not in page
