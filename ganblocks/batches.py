"""Batches as a stateless function of (seed, player, samples drawn): the only state is two counts."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial

import torch
from torch import Tensor, nn

from ganblocks.quasirandom import normal, stratified_labels
from ganblocks.seeding import seed_of
from ganblocks.values import Batch, Images, Player


class Batches:
    """Draws each player's batches; calling it returns the next one, ``next_batch(player)``.

    A batch reads its real images when its turn asks for them: most losses of the generator never do. Where the data set can
    read in the background, the player's next batch is begun as soon as one has been read, so that it is read while the step
    computes.

    Args:
        images: the opened data set; its ``"train"`` split is used.
        size: samples per batch.
        latent: Z.
        classes: number of classes; 0: batches carry no labels.
        uniform: draw the classes of fakes uniformly instead of by their frequency in the training data.
        augment: applied to real images, with random numbers of its own; None for nothing.
        device: of the batches.
        seed: of the run.
    """

    def __init__(
        self,
        images: Images,
        size: int,
        latent: int,
        classes: int,
        uniform: bool = False,
        augment: nn.Module | None = None,
        device: torch.device | str = "cpu",
        seed: int = 0,
    ) -> None:
        self.images, self.size, self.latent, self.classes = images, size, latent, classes
        self.uniform, self.augment, self.device, self.seed = uniform, augment, torch.device(device), seed
        self._first_seed = seed
        self.train = images.split["train"]
        self.drawn = dict.fromkeys(Player, 0)
        """Samples drawn so far for each player: the whole state."""
        self._order = lru_cache(maxsize=4)(self._permutation)
        self._begun: dict[Player, tuple[Tensor, Callable[[], Tensor]]] = {}
        """Per player: the indices of the batch that is read ahead, and the function that waits for it."""

    @property
    def images_seen(self) -> int:
        """Real images that the discriminator has seen: the clock of the run."""
        return self.drawn[Player.DISCRIMINATOR]

    def fork(self, number: int) -> None:
        """Switch to other random numbers, which follow from ``number``; 0 returns to those of the seed."""
        self.seed = seed_of(self._first_seed, "fork", number) if number else self._first_seed
        self._order.cache_clear()

    def __call__(self, player: Player) -> Batch:
        start = self.drawn[player]
        self.drawn[player] += self.size
        return self.at(player, start)

    def at(self, player: Player, start: int) -> Batch:
        """Return the batch at sample ``start`` of a player's stream: images [B, C, H, W], latents [B, Z] and labels [B]."""
        rng = torch.Generator().manual_seed(seed_of(self.seed, "batch", player, start))
        index = self._indices(player, start)
        latent = moved(torch.randn(self.size, self.latent, generator=rng), self.device)
        label = fake_label = None
        if self.classes:
            label = moved(self.images.labels[index], self.device)
            fake_label = moved(self._fake_labels(rng), self.device)
        image = partial(self._real, player, start, index)
        return Batch(image, label, latent, fake_label, seed_of(self.seed, "turn", player, start))

    def representative(self, n: int) -> tuple[Tensor, Tensor | None]:
        """Return quasi-random latents [n, Z] and labels [n] distributed as those of fakes; the same throughout a run."""
        seed = seed_of(self._first_seed, "representative")
        latent = normal(n, self.latent, seed).to(self.device)
        if not self.classes:
            return latent, None
        population = torch.arange(self.classes) if self.uniform else self.images.labels[self.train]
        return latent, stratified_labels(n, population, seed).to(self.device)

    def _real(self, player: Player, start: int, index: Tensor) -> Tensor:
        """Return the real images [B, C, H, W] of the batch at ``start``, changed by the augment."""
        image = from_bytes(self._bytes(player, start, index), self.device)
        if self.augment is None:
            return image
        changed: Tensor = self.augment(image, torch.Generator().manual_seed(seed_of(self.seed, "augment", player, start)))
        return changed

    def _bytes(self, player: Player, start: int, index: Tensor) -> Tensor:
        """Return the images uint8 [B, C, H, W] of ``index``, int64 [B], and begin to read those of the player's next batch.

        A batch that was begun is used only for the indices that it was begun for, so that nothing else need be remembered when
        a run is restored or forked.
        """
        if self.images.begin is None:
            return self.images.read(index)
        begun = self._begun.pop(player, None)
        raw = begun[1]() if begun is not None and torch.equal(begun[0], index) else self.images.read(index)
        following = self._indices(player, start + self.size)
        self._begun[player] = following, self.images.begin(following)
        return raw

    def _fake_labels(self, rng: torch.Generator) -> Tensor:
        if self.uniform:
            return torch.randint(self.classes, (self.size,), generator=rng)
        return self.images.labels[self.train[torch.randint(len(self.train), (self.size,), generator=rng)]]

    def _indices(self, player: Player, start: int) -> Tensor:
        """Return the images at positions start … start + size of the player's endless sequence of shuffled epochs."""
        parts: list[Tensor] = []
        missing, count = self.size, len(self.train)
        while missing:
            epoch, offset = divmod(start, count)
            parts.append(self._order(player, epoch)[offset : offset + missing])
            start, missing = start + len(parts[-1]), missing - len(parts[-1])
        return self.train[torch.cat(parts)]

    def _permutation(self, player: Player, epoch: int) -> Tensor:
        rng = torch.Generator().manual_seed(seed_of(self.seed, "order", player, epoch))
        return torch.randperm(len(self.train), generator=rng)


def from_bytes(raw: Tensor, device: torch.device) -> Tensor:
    """Return images uint8 [B, C, H, W] as float32 in [-1, 1], channels last, on the device (bytes are what is transferred)."""
    return moved(raw, device).contiguous(memory_format=torch.channels_last).float().div_(127.5).sub_(1.0)


def moved(tensor: Tensor, device: torch.device) -> Tensor:
    """Return a CPU tensor of any shape on the device; a GPU copies it from pinned memory, and the host does not wait."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)
