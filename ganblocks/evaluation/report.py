"""A report: numbers, the protocol that they follow, and the controls beside them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

import attrs
from attrs import frozen

from ganblocks.errors import UsageError


def id_of(protocol: Mapping[str, str]) -> str:
    """Twelve digits that are equal for equal protocols only."""
    text = json.dumps(dict(protocol), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@frozen
class Score:
    """One number, its protocol, and what the same metric says of real and of meaningless images."""

    name: str
    """Metric and extractor: ``kd[efficientnet-lite0]``."""
    value: float
    protocol: Mapping[str, str]
    """All that the number depends on, beside the weights that were judged."""
    better: str = ""
    """``higher`` or ``lower``; empty for numbers that only accompany another."""
    held_out: float | None = None
    """The same number for real images that were held out: as good as it gets."""
    noise: float | None = None
    """The same number for images of noise: as bad as it gets."""

    @property
    def id(self) -> str:
        """Twelve digits: numbers of other digits do not compare with this one."""
        return id_of(self.protocol)


@frozen
class Report:
    """What one evaluation found."""

    scores: tuple[Score, ...]
    nearest: float | None = None
    """Mean distance of samples to their nearest training image, over that of held-out images: far below 1, it has memorised."""
    images: int = 0
    """Images seen by the weights that were judged."""

    def plain(self) -> dict[str, Any]:
        """As JSON can hold it."""
        scores = [{**attrs.asdict(score), "id": score.id} for score in self.scores]
        return {"images": self.images, "nearest": self.nearest, "scores": scores}

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Report:
        """The report that :meth:`plain` wrote."""
        scores = tuple(Score(**{key: value for key, value in score.items() if key != "id"}) for score in plain["scores"])
        return cls(scores, plain["nearest"], plain["images"])


def refuse_unlike(reports: Iterable[Report]) -> None:
    """Raise UsageError, naming the first difference, where a number stands in two reports under different protocols."""
    first: dict[str, Score] = {}
    for score in (score for report in reports for score in report.scores):
        other = first.setdefault(score.name, score)
        if score.id != other.id:
            names = sorted(set(other.protocol) | set(score.protocol))
            name = next(name for name in names if other.protocol.get(name) != score.protocol.get(name))
            ours, theirs = (each.protocol.get(name, "nothing") for each in (other, score))
            rule = f"{score.name}: protocols {other.id} and {score.id} do not compare: {name} is {ours!r} and {theirs!r}"
            raise UsageError(f"{rule}; evaluate both alike")
