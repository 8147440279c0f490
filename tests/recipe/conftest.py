"""A toy registry: components that hold options and do nothing, under names of their own."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
from attrs import field, frozen
from attrs.validators import ge, instance_of

from ganblocks.errors import UnknownComponent
from ganblocks.kinds.attention import Attention
from ganblocks.kinds.norm import Norm
from ganblocks.kinds.optimizer import Optimizer
from ganblocks.options.declare import moving, socket
from ganblocks.recipe import Recipe, read_recipe
from ganblocks.schedules import Moving


def count(default: int) -> Any:
    return field(default=default, validator=[instance_of(int), ge(1)])


@frozen(kw_only=True)
class Pictures:
    size: Literal[16, 32] = 32


@frozen(kw_only=True)
class Look:
    heads: int = count(1)
    reduction: int = count(8)


@frozen(kw_only=True)
class Plain:
    pass


@frozen(kw_only=True)
class Scale:
    groups: int = count(4)
    gain: float = 1.0


@frozen(kw_only=True)
class Maker:
    latent: int = count(6)
    attention: Attention = socket("attention", default="look")
    norm: Norm = socket("norm", default="scale")


@frozen(kw_only=True)
class Evaluator:
    width: int = count(8)
    widths: tuple[int, ...] = ()
    attention: Attention = socket("attention", default="look")


@frozen(kw_only=True)
class Simple:
    generator_reads_real: ClassVar[bool] = False


@frozen(kw_only=True)
class Slope:
    target: float = 0.0


@frozen(kw_only=True)
class Descent:
    rate: Moving = moving(1e-2, above=0)
    betas: tuple[float, float] = (0.0, 0.9)


@frozen(kw_only=True)
class Turns:
    generator: Optimizer = socket("optimizer", default="descent")
    discriminator: Optimizer = socket("optimizer", default="descent")
    steps: int = count(1)


@frozen(kw_only=True)
class Flip:
    differentiable: ClassVar[bool] = True
    probability: float = 0.5


@frozen(kw_only=True)
class Jpeg:
    differentiable: ClassVar[bool] = False


@frozen(kw_only=True)
class Greedy:
    """A network with an option that its section keeps for itself."""

    augment: int = 1


class Toys:
    """As much of a registry as recipes need."""

    offers: ClassVar[dict[tuple[str, str], type]] = {
        ("dataset", "pictures"): Pictures,
        ("attention", "look"): Look,
        ("attention", "none"): Plain,
        ("norm", "scale"): Scale,
        ("norm", "none"): Plain,
        ("generator", "maker"): Maker,
        ("discriminator", "judge"): Evaluator,
        ("discriminator", "greedy"): Greedy,
        ("loss", "simple"): Simple,
        ("penalty", "slope"): Slope,
        ("optimizer", "descent"): Descent,
        ("update_rule", "turns"): Turns,
        ("augment", "flip"): Flip,
        ("augment", "jpeg"): Jpeg,
    }

    def get(self, kind: str, name: str) -> type:
        if (kind, name) in self.offers:
            return self.offers[kind, name]
        close = difflib.get_close_matches(name, [offered for of, offered in self.offers if of == kind])
        raise UnknownComponent(f"no {kind} is called {name!r}", f"did you mean {close}?")

    def name_of(self, kind: str, component: object) -> str:
        return next(name for (of, name), cls in self.offers.items() if of == kind and cls is type(component))


TOY = """\
title = "toy"
[data]
use = "pictures"
[generator]
use = "maker"
attention = { use = "look", reduction = 4 }
[discriminator]
use = "judge"
attention = "look"
augment = "flip"
[loss]
use = "simple"
[penalties.slope]
weight = 2.0
[update]
use = "turns"
[training]
images = 100
batch = 4
[ablation.plain.set]
"*.attention" = "none"
[ablation.free]
remove = ["penalties.*", "discriminator.augment"]
"""


@pytest.fixture(scope="session")
def toys() -> Toys:
    return Toys()


@pytest.fixture
def toy_text() -> str:
    return TOY


@pytest.fixture
def read(tmp_path: Path, toys: Toys) -> Callable[..., Recipe]:
    """read(text, **arguments of read_recipe): the file is called x.toml."""

    def read_text(text: str = TOY, **arguments: Any) -> Recipe:
        (tmp_path / "x.toml").write_text(text, encoding="utf-8")
        return read_recipe(tmp_path / "x.toml", registry=toys, **arguments)  # type: ignore[arg-type]

    return read_text
