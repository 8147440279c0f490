"""What docs/how-to/write-a-plugin.md shows of update rules is a whole one: it keeps its promises, runs and resumes."""

from __future__ import annotations

import re
import shutil
import textwrap
from pathlib import Path

import ganblocks as public
from ganblocks.testing import checks_of
from tests.cli.commands import ROOT, ganblocks, tiny

AROUND = '''
"""A rule."""
import ganblocks
from attrs import frozen
from ganblocks import Optimizer, Player, guarded_step, socket

%s

@frozen(kw_only=True)
class Rule:
    """Both players at once; its option is its optimizer."""

    optimizer: Optimizer = socket("optimizer", default="adam")

    def start(self, game):
        return Together(game, self.optimizer)

@ganblocks.hookimpl
def ganblocks_update_rules():
    return {"together": "a_rule:Rule"}
'''


def test_the_rule_of_the_guide_is_whole(tmp_path: Path) -> None:
    guide = (ROOT / "docs" / "how-to" / "write-a-plugin.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    file = tmp_path / "a_rule.py"
    file.write_text(AROUND % textwrap.dedent(code))
    verdicts = [check.verdict(2) for check in checks_of("a_rule", public.discover(files=[file]))]
    assert {verdict.status for verdict in verdicts} == {"kept"}, list(map(str, verdicts))
    sets = tiny(update="{ use = 'together' }", **{"training.images": "32", "training.checkpoint_every": "16"})
    run = tmp_path / "run"
    done = ganblocks("-p", file, "run", "recipes/sagan.toml", "--out", run, "--quiet", *sets)
    assert done.returncode == 0, done.stderr
    last = max((run / "checkpoints").iterdir())
    before = (last / "game.safetensors").read_bytes()
    shutil.rmtree(last)
    done = ganblocks("-p", file, "resume", run, "--quiet")
    assert done.returncode == 0, done.stderr
    assert (last / "game.safetensors").read_bytes() == before
