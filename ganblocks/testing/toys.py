"""Toys: components and games small enough to train within a test, with the same interfaces as the real ones."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from math import prod
from typing import Any, ClassVar

import torch
from attrs import define, evolve, field, frozen
from torch import Tensor, nn
from torch.nn.functional import interpolate, leaky_relu, relu, softplus

from ganblocks.game import Term, TwoPlayerGame
from ganblocks.kinds.attention import Attention
from ganblocks.kinds.conditioning import Conditioning
from ganblocks.kinds.initialization import Initialization
from ganblocks.kinds.loss import Loss
from ganblocks.kinds.norm import Norm
from ganblocks.kinds.weight_norm import WeightNorm
from ganblocks.options.declare import option, socket
from ganblocks.seeding import seed_of
from ganblocks.site import Site
from ganblocks.sizes import sides
from ganblocks.values import Batch, Classes, Images, ImageSpec, Metrics, Objective, Player, Score

TOY_IMAGE = ImageSpec(channels=1, size=8, classes=4)
"""What :class:`ToyImages` has by default."""


@frozen(kw_only=True)
class Identity:
    """An attention block that does nothing."""

    def build(self, site: Site) -> nn.Module:
        """Return the identity."""
        return nn.Identity()


@frozen(kw_only=True)
class LinearHead:
    """A head that ignores the class: one linear unit on the pooled features."""

    def build(self, site: Site) -> nn.Module:
        """Return a module: forward(features [B, C], label [B] or None) -> Score."""
        return _LinearHead(site)


class _LinearHead(nn.Module):
    def __init__(self, site: Site) -> None:
        super().__init__()
        self.linear = site.layer(nn.Linear(site.channels, 1), "linear")

    def forward(self, features: Tensor, label: Tensor | None) -> Score:
        return Score(self.linear(features).squeeze(1).float(), features=features)


@frozen(kw_only=True)
class Logistic:
    """The non-saturating loss.

    Source: Goodfellow et al. 2014, arXiv 1406.2661, section 3.
    """

    generator_reads_real: ClassVar[bool] = False

    def for_discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return E[softplus(-D(x))] + E[softplus(D(G(z)))], 0-dim, of logits [B]."""
        return softplus(-real).mean() + softplus(fake).mean()

    def for_generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        """Return E[softplus(-D(G(z)))], 0-dim, of logits [B]."""
        return softplus(-fake).mean()


@frozen(kw_only=True)
class ToyGenerator:
    """A generator of a few hundred weights: linear, attention at half the size, upsample, convolution.

    Options:
        latent: length of the latent vector.
        width: channels of the feature map.
        attention: block at half the image's size.
        norm: norm of the feature map; absent: none.
    """

    latent: int = option(6, low=1)
    width: int = option(8, low=1)
    attention: Attention = socket("attention", default="none")
    norm: Norm | None = socket("norm", optional=True)

    def build(self, image: ImageSpec, site: Site) -> nn.Module:
        """Return a module: forward(z [B, N], label [B] or None) -> image [B, C, H, W]."""
        if image.height % 2 or image.width % 2:
            raise site.unfit(image.size, "needs even sides", lambda size: not any(side % 2 for side in sides(size)))
        return _ToyGenerator(self, image, site)


class _ToyGenerator(nn.Module):
    def __init__(self, component: ToyGenerator, image: ImageSpec, site: Site) -> None:
        super().__init__()
        half = (image.height // 2, image.width // 2)
        self.grid = (component.width, *half)
        self.embed: nn.Module | None = None
        if isinstance(site.condition, Classes):
            self.embed = site.layer(nn.Embedding(site.condition.count, component.latent), "embed")
        self.linear = site.layer(nn.Linear(component.latent, component.width * prod(half)), "linear")
        block = site.at("attention", channels=component.width, size=half)
        self.attention = block.build(component.attention)
        self.norm = None if component.norm is None else block.at("norm").build(component.norm)
        self.to_image = site.layer(nn.Conv2d(component.width, image.channels, 3, padding=1), "to_image")

    def forward(self, z: Tensor, label: Tensor | None) -> Tensor:
        if self.embed is not None and label is not None:
            z = z + self.embed(label)
        x = self.linear(z).view(-1, *self.grid)
        if self.norm is not None:
            x = self.norm(x, label)
        x = self.attention(relu(x))
        return torch.tanh(self.to_image(interpolate(x, scale_factor=2.0)))


@frozen(kw_only=True)
class ToyDiscriminator:
    """A discriminator of a few hundred weights: two strided convolutions with attention between them, sum pooling, head.

    Options:
        width: channels after the first convolution; the second doubles them.
        attention: block at half the image's size.
        conditioning: the head.
    """

    width: int = option(8, low=1)
    attention: Attention = socket("attention", default="none")
    conditioning: Conditioning = socket("conditioning", default="none")

    def build(self, image: ImageSpec, site: Site) -> nn.Module:
        """Return a module: forward(image [B, C, H, W], label [B] or None) -> Score."""
        return _ToyDiscriminator(self, image, site)


class _ToyDiscriminator(nn.Module):
    def __init__(self, component: ToyDiscriminator, image: ImageSpec, site: Site) -> None:
        super().__init__()
        width = component.width
        self.first = site.layer(nn.Conv2d(image.channels, width, 4, stride=2, padding=1), "first")
        half = (image.height // 2, image.width // 2)
        self.attention = site.at("attention", channels=width, size=half).build(component.attention)
        self.second = site.layer(nn.Conv2d(width, 2 * width, 4, stride=2, padding=1), "second")
        self.head = site.at("head", channels=2 * width, size=1).build(component.conditioning)

    def forward(self, image: Tensor, label: Tensor | None) -> Score:
        x = self.attention(leaky_relu(self.first(image), 0.2))
        score: Score = self.head(leaky_relu(self.second(x), 0.2).mean(dim=(2, 3)), label)
        return score


@frozen(kw_only=True)
class ToyImages:
    """Labelled images without files: a bright disc whose position depends on the class, on noise.

    Options:
        count: number of images; the first tenth is held out, except images that are the only ones of their class.
        size: height and width in pixels.
        classes: number of classes.
        seed: draws the labels and the noise.
    """

    count: int = option(64, low=2)
    size: int = option(8, low=4)
    classes: int = option(4, low=1)
    seed: int = option(0)

    def describe(self) -> ImageSpec:
        """Return the images' shape and classes."""
        return ImageSpec(channels=1, size=self.size, classes=self.classes)

    def open(self) -> Images:
        """Return the images uint8 [B, 1, H, W] with labels [B]."""
        rng = torch.Generator().manual_seed(self.seed)
        labels = torch.randint(self.classes, (self.count,), generator=rng)
        pixels = (255 * self._draw(labels, rng)).to(torch.uint8)
        held_out = torch.arange(self.count) < -(-self.count // 10)
        held_out &= torch.isin(labels, labels[~held_out])
        split = {"train": torch.nonzero(~held_out).flatten(), "held_out": torch.nonzero(held_out).flatten()}
        fingerprint = f"{seed_of('toy', self.count, self.size, self.classes, self.seed):016x}"
        return Images(pixels.__getitem__, labels, fingerprint, split)

    def _draw(self, labels: Tensor, rng: torch.Generator) -> Tensor:
        """Return images [B, 1, S, S] in [0, 1]."""
        angle = 2 * torch.pi * labels / self.classes
        centre = (self.size - 1) / 2 + self.size / 4 * torch.stack([angle.sin(), angle.cos()], dim=1)
        rows, columns = torch.meshgrid(torch.arange(self.size), torch.arange(self.size), indexing="ij")
        distance = (rows - centre[:, 0, None, None]) ** 2 + (columns - centre[:, 1, None, None]) ** 2
        noise = torch.rand(self.count, 1, self.size, self.size, generator=rng)
        return 0.8 * torch.exp(-distance / self.size)[:, None] + 0.2 * noise


def root_site(player: Player, image: ImageSpec, seed: int) -> Site:
    """Return the root site of a player's network."""
    condition = Classes(image.classes) if image.classes else None
    return Site(image.channels, image.size, image.channels, player, str(player), condition, seed=seed)


def toy_game(
    generator: Any = None,
    discriminator: Any = None,
    image: ImageSpec = TOY_IMAGE,
    loss: Loss | None = None,
    terms: Sequence[Term] = (),
    augment: nn.Module | None = None,
    seed: int = 0,
    weight_norm: WeightNorm | None = None,
    initialization: Initialization | None = None,
    **options: Any,
) -> TwoPlayerGame:
    """Return a game between two toy networks, or those given; ``options`` go to :class:`ganblocks.game.TwoPlayerGame`."""
    generator = generator or ToyGenerator(attention=Identity())
    discriminator = discriminator or ToyDiscriminator(attention=Identity(), conditioning=LinearHead())
    networks = {}
    for player, component in ((Player.GENERATOR, generator), (Player.DISCRIMINATOR, discriminator)):
        site = root_site(player, image, seed)
        networks[player] = component.build(image, evolve(site, weight_norm=weight_norm, initialization=initialization))
    return TwoPlayerGame(networks, loss or Logistic(), terms, augment, **options)


def toy_batches(images: ToyImages | None = None, size: int = 8, latent: int = 6, seed: int = 0) -> Callable[[Player], Batch]:
    """Return a ``NextBatch`` whose batches depend on ``seed`` and on how many were drawn before."""
    opened = (images or ToyImages()).open()
    rng = torch.Generator().manual_seed(seed)

    def next_batch(player: Player) -> Batch:
        real, fake = (torch.randint(len(opened.labels), (size,), generator=rng) for _ in range(2))
        image = opened.read(real).float() / 127.5 - 1
        noise = torch.randn(size, latent, generator=rng)
        draw = int(torch.randint(2**31, (), generator=rng))
        return Batch(image, opened.labels[real], noise, opened.labels[fake], seed_of(draw, player))

    return next_batch


class _Point(nn.Module):
    def __init__(self, value: Tensor) -> None:
        super().__init__()
        self.value = nn.Parameter(value.clone())


@define(eq=False)
class BilinearGame:
    """The smallest game on which update rules differ: L_G = xᵀAy = −L_D, where x is the generator and y the discriminator.

    Alternating descent circles, simultaneous descent spirals outwards by √(1 + η²) per step, and methods that look ahead
    converge to (0, 0): Gidel et al. 2019, arXiv 1802.10551, section 3. Batches are ignored, and every call is recorded.
    """

    x: Tensor = field(factory=lambda: torch.ones(1, dtype=torch.float64))
    y: Tensor = field(factory=lambda: torch.ones(1, dtype=torch.float64))
    matrix: Tensor | None = None
    """A, [length of x, length of y]; None: the identity."""
    networks: Mapping[Player, nn.Module] = field(init=False)
    calls: list[tuple[Player, Batch, int]] = field(init=False, factory=list)
    """(player, batch, images_seen) of each real turn."""

    def __attrs_post_init__(self) -> None:
        self.networks = {Player.GENERATOR: _Point(self.x), Player.DISCRIMINATOR: _Point(self.y)}

    def point(self, player: Player) -> nn.Parameter:
        """Return the player's parameter."""
        return next(self.networks[player].parameters())

    @property
    def distance(self) -> float:
        """Distance of both players together from (0, 0), the solution where A is invertible."""
        return float(torch.cat([self.point(player).detach() for player in Player]).norm())

    def objective(self, player: Player, batch: Batch, images_seen: int, through: Collection[Player]) -> Objective:
        """Return the player's loss (0-dim), differentiable by the players in ``through``."""
        points = {key: self.point(key) if key in through else self.point(key).detach() for key in Player}
        x, y = points[Player.GENERATOR], points[Player.DISCRIMINATOR]
        value = (x * y).sum() if self.matrix is None else x @ self.matrix @ y
        total = value if player is Player.GENERATOR else -value
        return Objective(total, {f"{player}/loss": total.detach()})

    def backward(self, player: Player, batch: Batch, images_seen: int, observe: bool = True) -> Metrics:
        """Set the player's gradient."""
        if observe:
            self.calls.append((player, batch, images_seen))
        objective = self.objective(player, batch, images_seen, (player,))
        self.point(player).grad = torch.autograd.grad(objective.total, self.point(player))[0]
        return objective.metrics
