"""No recipe's step pools with padding: in channels_last its gradient on CUDA has been wrong without a word.

The calls are watched below autograd, so that those of the backward passes and of penalties are seen as well.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch.utils._python_dispatch import TorchDispatchMode

from ganblocks import Recipe, discover, read_recipe
from ganblocks.assembly import assemble
from ganblocks.options.fields import options_of
from tests.test_recipes import RECIPES, SMALL

REGISTRY = discover()


class Pooling(TorchDispatchMode):
    """Collects every pooling operator that runs within it, and those among them that pad."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.padded: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: object, args: Any = (), kwargs: Any = None) -> Any:
        names = [argument.name for argument in func._schema.arguments]
        given = dict(zip(names, args, strict=False)) | (kwargs or {})
        if "_pool" in func.name():
            self.seen.add(func.name())
            if any(torch.atleast_1d(torch.tensor(given.get("padding", 0))).tolist()):
                self.padded.add(func.name())
        return func(*args, **(kwargs or {}))


def narrow(path: Path, folder: Path) -> Recipe:
    """The recipe on small batches; with narrow networks, on noise, where its own images are not in the package."""
    recipe = read_recipe(path, SMALL, registry=REGISTRY)
    if "path" not in options_of(type(recipe.data.dataset)):
        return recipe
    size = recipe.data.dataset.describe().size
    for name in ("a/1", "a/2", "b/1", "b/2"):
        file = folder / f"{name}.png"
        file.parent.mkdir(exist_ok=True)
        Image.effect_noise((size, size), 64).convert("RGB").save(file)
    changes: dict[str, Any] = {"data": {"use": "image_folder", "path": str(folder), "size": size, "classes": 2}}
    for player, network in (("generator", recipe.generator), ("discriminator", recipe.discriminator.network)):
        narrow = {"width": 8, "widths": [16, 16, 16, 16]}.items()
        changes |= {f"{player}.{name}": value for name, value in narrow if name in options_of(type(network))}
    return read_recipe(path, SMALL | {"training.batch": 2, "training.microbatch": 2} | changes, registry=REGISTRY)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_no_step_of_a_recipe_pools_with_padding(path: Path, tmp_path: Path) -> None:
    session = assemble(narrow(path, tmp_path), REGISTRY)
    with Pooling() as pooling:
        session.updater.step(session.batches, 0)
    assert not pooling.padded


def test_the_watch_sees_padding_forwards_and_backwards() -> None:
    x = torch.ones(1, 2, 4, 4).contiguous(memory_format=torch.channels_last).requires_grad_()
    with Pooling() as plain:
        torch.nn.functional.avg_pool2d(x, 2).sum().backward()
    with Pooling() as pooling:
        torch.nn.functional.avg_pool2d(x, 2, padding=1).sum().backward()
        torch.nn.functional.max_pool2d(x, 3, 1, (0, 1)).sum().backward()
    assert plain.seen
    assert not plain.padded
    both = {f"aten::{name}{backward}" for name in ("avg_pool2d", "max_pool2d_with_indices") for backward in ("", "_backward")}
    assert pooling.padded == both
