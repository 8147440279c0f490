"""Rates that move are read at the images seen when an iteration starts, by every rule and for both players."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
import torch
from ganblocks_update_rules.alternating import Alternating
from ganblocks_update_rules.optimizers import SGD
from ganblocks_update_rules.simultaneous import Simultaneous
from ganblocks_update_rules.ttur import TTUR
from torch import nn

from ganblocks import Facts, ImageSpec, LinearSchedule, Player
from ganblocks.testing.toys import BilinearGame

rising, falling = LinearSchedule(start=0.1, end=0.3, images=10), LinearSchedule(start=0.4, end=0.0, images=10)


@pytest.mark.parametrize("seen", [0, 5, 10])
@pytest.mark.parametrize(
    ("rule", "rates", "alternates"),
    [
        (Alternating(generator=SGD(rate=rising), discriminator=SGD(rate=falling)), (rising, falling), True),
        (Simultaneous(generator=SGD(rate=rising), discriminator=SGD(rate=falling)), (rising, falling), False),
        (
            TTUR(generator=SGD(rate=1.0), discriminator=SGD(rate=1.0), rate_factor=rising),
            (rising, rising),
            True,
        ),
    ],
)
def test_rates_are_those_of_the_images_seen(
    rule: Any, rates: tuple[LinearSchedule, LinearSchedule], alternates: bool, seen: int
) -> None:
    game = BilinearGame()  # x = y = 1; the generator minimises xy, the discriminator -xy
    rule.start(game).step(lambda player: None, seen)
    slow, fast = (rate.at(seen) for rate in rates)
    y = 1 + fast
    x = 1 - slow * (y if alternates else 1)
    assert game.point(Player.DISCRIMINATOR).item() == pytest.approx(y)
    assert game.point(Player.GENERATOR).item() == pytest.approx(x)
    assert [images for _, _, images in game.calls] == [seen, seen]


def test_simultaneous_descent_reports_both_players() -> None:
    game = BilinearGame()
    metrics = Simultaneous(generator=SGD(), discriminator=SGD()).start(game).step(lambda player: None, 0)
    names = ("loss", "gradient_norm")
    assert set(metrics) == {f"{player}/{name}" for player in Player for name in names}


class Stranger:
    """An optimizer that keeps its rate to itself."""

    def __init__(self, rate: float) -> None:
        self.hidden = rate

    def start(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.SGD(parameters, lr=self.hidden)

    def settings(self, images_seen: int) -> dict[str, Any]:
        return {"lr": self.hidden}


@pytest.mark.parametrize(("slow", "fast", "words"), [(1.0, 2.0, None), (1.0, 1.0, "both rates are 1"), (2.0, 1.0, "wrong way")])
def test_ttur_asks_an_optimizer_for_its_settings_not_for_an_attribute(slow: float, fast: float, words: str | None) -> None:
    rule = TTUR(generator=Stranger(slow), discriminator=Stranger(fast))
    complaints = list(rule.check(Facts(ImageSpec(1, 8), ())))
    assert len(complaints) == (words is not None)
    assert all(str(words) in complaint for complaint in complaints)
