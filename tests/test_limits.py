"""What counts towards the size of a network, and what does not."""

from __future__ import annotations

from contextlib import AbstractContextManager

import pytest
from torch import nn

from ganblocks import PlacementError
from ganblocks.limits import VARIABLE, within_limits


def at_most(monkeypatch: pytest.MonkeyPatch, numbers: int) -> AbstractContextManager[None]:
    monkeypatch.setenv(VARIABLE, str(numbers))
    return within_limits("here")


def test_what_two_modules_share_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with at_most(monkeypatch, 110):
        linear, other = nn.Linear(10, 10), nn.Module()
        other.weight = linear.weight
    with pytest.raises(PlacementError, match="more than 219"), at_most(monkeypatch, 219):
        nn.Sequential(nn.Linear(10, 10), nn.Linear(10, 10))


def test_buffers_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of batch norm: a mean and a variance for each channel, and a count of batches."""
    with at_most(monkeypatch, 21):
        nn.BatchNorm2d(10, affine=False)
    with pytest.raises(PlacementError, match="more than 20"), at_most(monkeypatch, 20):
        nn.BatchNorm2d(10, affine=False)


def test_nothing_is_counted_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    with at_most(monkeypatch, 2):
        nn.Linear(1, 1)
    nn.BatchNorm2d(10)
