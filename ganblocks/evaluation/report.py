"""A report: numbers, the protocol behind each, and the controls beside them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import attrs
from attrs import frozen

SAMPLES, HELD_OUT, NOISE = "samples", "held-out real", "noise"
"""Columns of a report."""
DERIVED = ("id", "no_better_than_noise")
"""Keys of a number in JSON that follow from its fields."""
UNTRAINED = "not trained yet; do not compare"


def id_of(protocol: Mapping[str, str]) -> str:
    """Return twelve hexadecimal digits that are equal for equal protocols only."""
    text = json.dumps(dict(protocol), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@frozen
class MetricValue:
    """One number with its protocol, and the same number for held-out real images and for noise."""

    name: str
    """Metric and extractor: ``kd[efficientnet-lite0]``."""
    value: float
    protocol: Mapping[str, str]
    """All that the number depends on, except the evaluated weights."""
    better: str = ""
    """``higher`` or ``lower``; empty for numbers that only accompany another."""
    held_out: float | None = None
    """The same number for held-out real images: a bound from above on quality."""
    noise: float | None = None
    """The same number for images of noise: a bound from below."""

    @property
    def id(self) -> str:
        """The id of the protocol: numbers with different ids are not comparable."""
        return id_of(self.protocol)

    @property
    def no_better_than_noise(self) -> bool | None:
        """Whether noise scores at least as well.

        None where that is unknown: without noise or a direction, or if the metric does not rank held-out images above noise.
        """
        if self.noise is None or self.better not in ("higher", "lower"):
            return None
        if self.held_out is not None and not self._beats(self.held_out, self.noise):
            return None
        return not self._beats(self.value, self.noise)

    def _beats(self, one: float, other: float) -> bool:
        return one > other if self.better == "higher" else one < other


@frozen
class Missing:
    """Numbers that could not be computed."""

    names: tuple[str, ...]
    """Their names, such as ``is[efficientnet-lite0]``."""
    reason: str
    """The reason, and the fix."""
    column: str = SAMPLES
    """The column that lacks them: the samples, or a control."""

    def message(self) -> str:
        """Return one sentence: the names, the column and the reason."""
        images = "" if self.column == SAMPLES else f" of {self.column} images"
        return f"no {', '.join(self.names)}{images}: {self.reason}"


@frozen
class BlockScores:
    """The leading numbers of a generator with one of its blocks in another form."""

    path: str
    """Of the block; empty for the generator as it was trained."""
    form: str
    """``as trained``, ``switched off`` or ``query-mean map``."""
    scores: Mapping[str, float]
    """Name, such as ``kd[efficientnet-lite0]`` -> number of the samples."""


@frozen
class Report:
    """The result of one evaluation."""

    scores: tuple[MetricValue, ...]
    nearest: float | None = None
    """Mean distance of samples to their nearest training image, over that of held-out images: far below 1, G has memorised."""
    images: int = 0
    """Images that the evaluated weights were trained on."""
    missing: tuple[Missing, ...] = ()
    blocks: tuple[BlockScores, ...] = ()
    """Numbers with each attention block in other forms, if they were asked for."""

    def protocol_ids(self) -> set[str]:
        """Return the ids of the protocols of its numbers."""
        return {score.id for score in self.scores}

    def names(self) -> set[str]:
        """Return the names of the samples' numbers, including those that are missing."""
        missing = (name for item in self.missing if item.column == SAMPLES for name in item.names)
        return {score.name for score in self.scores} | set(missing)

    def untrained(self) -> str:
        """Return a sentence if the samples score no better than noise, else an empty string.

        Numbers with a held-out control decide, because a metric without it may rank noise above real images. If none has one,
        the first number decides.
        """
        known = [score for score in self.scores if score.no_better_than_noise is not None]
        known = [score for score in known if score.held_out is not None] or known[:1]
        worse = [score for score in known if score.no_better_than_noise]
        if not worse:
            return ""
        numbers = "; ".join(f"{score.name} {score.value:.4g}, noise {score.noise:.4g}" for score in worse)
        return f"no better than noise ({numbers}): {UNTRAINED if worse[0] is known[0] else 'do not compare by it'}"

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON types."""
        scores = [attrs.asdict(score) | {name: getattr(score, name) for name in DERIVED} for score in self.scores]
        missing = [attrs.asdict(item) | {"names": list(item.names)} for item in self.missing]
        blocks = {"blocks": [attrs.asdict(block) for block in self.blocks]} if self.blocks else {}
        return {"images": self.images, "nearest": self.nearest, "scores": scores, "missing": missing, **blocks}

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> Report:
        """Return the report that :meth:`to_dict` wrote; earlier versions wrote no missing numbers."""
        scores = (MetricValue(**{key: value for key, value in row.items() if key not in DERIVED}) for row in table["scores"])
        missing = (Missing(**{**row, "names": tuple(row["names"])}) for row in table.get("missing", ()))
        blocks = (BlockScores(**row) for row in table.get("blocks", ()))
        return cls(tuple(scores), table["nearest"], table["images"], tuple(missing), tuple(blocks))
