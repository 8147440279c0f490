"""The page docs/reference/run-folder.md names every file of a run folder and every key of metrics.jsonl."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.cli.commands import ROOT, ganblocks, tiny

PAGE = ROOT / "docs" / "reference" / "run-folder.md"
NAMES = {
    "PLAYER": "(discriminator|generator)",
    "PENALTY": r"[a-z]\w*",
    "PATH": r"(discriminator|generator)\.[\w.]+",
    "N": r"\d{10}",
    "LOGGER": r"[a-z]\w*",
}


def patterns(heading: str) -> list[re.Pattern[str]]:
    """The names in the first column of the table below a heading; words in capitals stand for any name."""
    section = PAGE.read_text(encoding="utf-8").partition(f"## {heading}\n")[2].partition("\n## ")[0]
    names = [name for row in re.findall(r"^\| (`.*?`) \|", section, re.MULTILINE) for name in re.findall(r"`([^`]+)`", row)]
    texts = [re.sub("|".join(NAMES), lambda match: NAMES[match[0]], re.escape(name)) for name in names]
    return [re.compile(text.replace(r"\-", "-")) for text in texts]


def test_the_page_names_what_a_run_writes_and_nothing_else(tmp_path: Path) -> None:
    more = {
        "training.images": "32",
        "training.statistics_every": "8",
        "*.attention": "self_attention",
        "discriminator.conditioning": "auxiliary_classifier",
        "penalties": "{r1 = { weight = 1.0 }}",
        "training.report": "true",
    }
    run = tmp_path / "run"
    done = ganblocks("run", "recipes/sagan.toml", "--out", run, "--quiet", "--log", "tensorboard", *tiny(**more))
    assert done.returncode == 0, done.stderr
    keys = {key for line in (run / "metrics.jsonl").read_text().splitlines() for key in json.loads(line)}
    files = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}
    inner = ("checkpoints/", "loggers/")
    files = {f"{Path(name).parent.as_posix()}/" if name.startswith(inner) else name for name in files}
    for heading, written in (("Files", files), ("Keys of `metrics.jsonl`", keys)):
        known = patterns(heading)
        assert len(known) >= 9
        assert not [name for name in written if not any(pattern.fullmatch(name) for pattern in known)]
        unused = [pattern.pattern for pattern in known if not any(pattern.fullmatch(name) for name in written)]
        assert unused == ([] if heading == "Files" else ["undone"])
