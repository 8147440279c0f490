"""Numbers are drawn on the processor and used where the images are, whatever torch's default device is."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from ganblocks_augments.ada import ADA
from ganblocks_augments.diffaug import DiffAug
from ganblocks_augments.flip import Flip
from ganblocks_augments.flip_translation import FlipTranslation

components = pytest.mark.parametrize("component", [DiffAug(), Flip(), FlipTranslation(), ADA(probability=0.5)])


@components
def test_the_default_device_changes_nothing(component: Any) -> None:
    image, augment = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0)), component.build()
    expected = augment(image, torch.Generator().manual_seed(1))
    with torch.device("meta"):
        assert torch.equal(augment(image, torch.Generator("cpu").manual_seed(1)), expected)


@components
def test_images_stay_on_their_device(component: Any) -> None:
    image = torch.empty(4, 3, 8, 8, device="meta")
    changed = component.build()(image, torch.Generator().manual_seed(1))
    assert changed.device == image.device
    assert changed.shape == image.shape


def test_a_flip_of_probability_zero_never_happens_even_at_a_draw_of_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "rand", lambda *shape, **_: torch.zeros(shape))
    image = torch.arange(2.0).expand(3, 1, 1, 2)
    assert torch.equal(Flip(probability=0.0).build()(image, torch.Generator()), image)
