"""Plot a run's curves: both losses, the discriminator's logits, and γ of every attention block, over images seen.

    python docs/scripts/draw_curves.py runs/sagan docs/images/sagan-curves.png

Thin lines are single steps, thick lines are running means over 50.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

PANELS = {
    "losses": ("discriminator/loss", "generator/loss"),
    "the discriminator's mean logit": ("discriminator/real", "discriminator/fake"),
    "γ of the attention blocks": ("gamma/",),
}
"""Title -> names of metrics, or prefixes of names."""
WINDOW = 50


def read(path: Path) -> dict[str, tuple[list[int], list[float]]]:
    """Return metric -> (images seen, values)."""
    found: dict[str, tuple[list[int], list[float]]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        for name, value in record.items():
            if isinstance(value, float):
                seen, values = found.setdefault(name, ([], []))
                seen.append(record["images"])
                values.append(value)
    return found


def draw(axes: Axes, curves: dict[str, tuple[list[int], list[float]]], wanted: Sequence[str]) -> None:
    for name in sorted(name for name in curves if name.startswith(tuple(wanted))):
        seen, values = curves[name]
        smooth = len(values) > 4 * WINDOW
        (line,) = axes.plot(seen, values, linewidth=0.5, alpha=0.3 if smooth else 1.0, label=None if smooth else name)
        if smooth:
            mean = np.convolve(values, np.ones(WINDOW) / WINDOW, mode="valid")
            axes.plot(seen[WINDOW - 1 :], mean, color=line.get_color(), label=name)
    axes.legend(fontsize=8)
    axes.set_xlabel("images seen")
    axes.locator_params(axis="x", nbins=5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    curves = read(arguments.run / "metrics.jsonl")
    figure, panels = plt.subplots(1, len(PANELS), figsize=(13, 3.6), layout="constrained")
    for axes, (title, wanted) in zip(panels, PANELS.items(), strict=True):
        draw(axes, curves, wanted)
        axes.set_title(title, fontsize=10)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(arguments.out, dpi=110)


if __name__ == "__main__":
    main()
