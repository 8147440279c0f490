"""Train the desk-scale recipes, and write docs/gallery.md: grid of the first seed, scores of all, time and command.

    python docs/scripts/make_gallery.py --runs runs/gallery

Finished runs are kept, and interrupted ones resumed, so that several of these may share the recipes between them. The
descriptions of the grids are in docs/data/gallery-notes.toml.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import ganblocks

ROOT = Path(__file__).parents[2]
PAGE, NOTES, PICTURES = (
    ROOT / "docs" / "gallery.md",
    ROOT / "docs" / "data" / "gallery-notes.toml",
    ROOT / "docs" / "images" / "gallery",
)
NOT_ALONE = ("figure3", "long-range", "table1", "table1-64", "table2", "attention-blocks")
"""Recipes for `ganblocks ablate`, whose variants are compared elsewhere."""
EMBEDDED = ("emoji", "digits")


def desk_scale() -> list[Path]:
    """Return the recipes on embedded data that represent one system each."""
    recipes = sorted((ROOT / "recipes").glob("*.toml"))
    return [path for path in recipes if data_of(path) in EMBEDDED and path.stem not in NOT_ALONE]


def data_of(path: Path) -> str | None:
    """Return the data set of a recipe, or of the one that it extends."""
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    named: str | None = table.get("data", {}).get("use")
    return named if named or "extends" not in table else data_of(path.parent / table["extends"])


def command(recipe: Path, images: int | None, seed: int) -> list[str]:
    """Return the words after ``ganblocks`` that train a recipe."""
    shorter = [] if images is None else ["--set", f"training.images={images}"]
    return ["run", f"recipes/{recipe.name}", *shorter, "--seed", str(seed)]


def run_of(runs: Path, recipe: Path, seed: int) -> Path:
    """Return the run folder of a recipe and seed."""
    return runs / f"{recipe.stem}-seed-{seed}"


def finished(run: Path) -> bool:
    """Return whether a run has ended and is scored."""
    health = run / "health.json"
    return health.is_file() and "gates" in json.loads(health.read_text()) and (run / "scores.json").is_file()


def train(recipe: Path, run: Path, images: int | None, seed: int) -> None:
    """Run or resume a recipe, unless it is finished."""
    if finished(run):
        return
    words = (
        ["resume", str(run), "--quiet"]
        if list(run.glob("checkpoints/images-*"))
        else [*command(recipe, images, seed), "--out", str(run), "--quiet"]
    )
    if words[0] == "run" and run.exists():
        shutil.rmtree(run)
    print("ganblocks", *words, flush=True)
    subprocess.run([sys.executable, "-m", "ganblocks", *words], cwd=ROOT, check=False)  # noqa: S603


def shortened(recipe: Path, run: Path) -> int | None:
    """Return the number of images of a run, if it differs from its recipe's."""
    wanted, done = (ganblocks.read_recipe(path).training.images for path in (recipe, run / "recipe.toml"))
    return None if wanted == done else done


def score_of(run: Path) -> dict[str, Any]:
    """Return the first number of a run's last report."""
    score: dict[str, Any] = json.loads((run / "scores.json").read_text())[-1]["scores"][0]
    return score


def entry(recipe: Path, runs: dict[int, Path], note: str) -> list[str]:
    """Return the lines of one system; ``runs``: seed -> run, of which the first is shown."""
    run = next(iter(runs.values()))
    images = shortened(recipe, run)
    facts: dict[str, Any] = json.loads((run / "provenance.json").read_text())
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    score = score_of(run)
    values = ", ".join(f"{score_of(other)['value']:.3g}" for other in runs.values())
    grid = max((run / "samples").glob("*.png"))
    PICTURES.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(grid, PICTURES / f"{recipe.stem}.png")
    settings = tomllib.loads((run / "recipe.toml").read_text(encoding="utf-8"))
    health = json.loads((run / "health.json").read_text())
    events = [f"{event['event']} at {event['images']:,} images" for event in health["events"]]
    met = f" Health: {', '.join(events)}." if events else ""
    last = records[-1]
    return [
        f"## {settings['title']}",
        "",
        f"![Samples of recipes/{recipe.name}](images/gallery/{recipe.stem}.png)",
        "",
        "```text",
        f"ganblocks {' '.join(command(recipe, images, facts['seed']))}",
        "```",
        "",
        f"`{score['name']}` {values} for seeds {', '.join(map(str, runs))} (held-out real {score['held_out']:.2g}, noise"
        f" {score['noise']:.3g}; protocol {score['id']}); {last['images']:,} images in {last['step']:,} steps,"
        f" {last['seconds']:.0f} s in {settings['training']['precision']}, {threads(facts['threads'])}.{met}",
        "",
        *([note, ""] if note else []),
    ]


def threads(count: int) -> str:
    return f"{count} thread" + ("s" if count != 1 else "")


HEAD = """# Gallery

*Written by `python docs/scripts/make_gallery.py`; the descriptions are written by hand.*

Systems at desk scale: 1,716 emoji of 32 pixels in 9 classes, seed 0, **one run each**, trained for as long as the recipe says
unless the command sets the number of images. Networks, learning rates and numbers of images differ, and a single run is only
one example, so this is not a comparison: for that see [does attention help](explanation/does-attention-help.md), where the
spread over seeds exceeds most of the differences here, and [what scores mean here](explanation/scores.md). Lower is better.
Noise itself has 8.9, and the first images of a generator are farther from real images than noise is: a score below 8.9 means
closer to emoji than noise is, and nothing here comes close to real images. The rows of a grid are classes if the network is
class-conditional; samples are from the averaged generator. Times were measured on a server CPU with bfloat16 arithmetic, on
one core (two where it says 2 threads), with other load.

Grids and scores are from commit a5a0c58, which used the averaged weights with the batch-norm statistics of the live network.
With their own statistics, as in later commits, the same weights score differently, by up to a few units in either direction
([how much](explanation/statistics-of-the-average.md)). They will be measured again.
recipes/sagan.toml has changed since: its present picture is in the README. So have acgan-resnet, biggan, contragan and reacgan,
which now take more and smaller steps; the headers of these recipes say what they reach.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("recipes", nargs="*", help="names without .toml; by default all")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "gallery")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--images", type=int, help="fewer images than the recipes say")
    parser.add_argument("--only-write", action="store_true", help="train nothing")
    wanted = parser.parse_args()
    recipes = [path for path in desk_scale() if not wanted.recipes or path.stem in wanted.recipes]
    for seed in [] if wanted.only_write else wanted.seeds:
        for recipe in recipes:
            train(recipe, run_of(wanted.runs, recipe, seed), wanted.images, seed)
    notes = tomllib.loads(NOTES.read_text(encoding="utf-8")) if NOTES.is_file() else {}
    lines = []
    for recipe in desk_scale():
        runs = {seed: run_of(wanted.runs, recipe, seed) for seed in wanted.seeds}
        if done := {seed: run for seed, run in runs.items() if finished(run)}:
            lines += entry(recipe, done, notes.get(recipe.stem, ""))
    PAGE.write_text(HEAD + "\n" + "\n".join(lines).rstrip() + "\n", encoding="utf-8")
    print(PAGE.relative_to(ROOT))


if __name__ == "__main__":
    main()
