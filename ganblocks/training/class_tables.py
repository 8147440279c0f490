"""Tensors with an entry per class, and how to carry them from one run's classes to another's by name.

Which dimension of a tensor counts classes follows from the recipe's own networks: the one that grows by one entry with one
class more. A size that merely equals the number of classes does not count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs
import torch
from attrs import frozen
from torch import Tensor, nn

from ganblocks.assembly import Session, build_discriminator, build_generator
from ganblocks.kinds.module_capabilities import AppendsClasses
from ganblocks.values import Player

BUILD = {Player.GENERATOR: build_generator, Player.DISCRIMINATOR: build_discriminator}


@frozen
class Matching:
    """Which classes of another run are which of this one, by name."""

    ours: Sequence[str]
    theirs: Sequence[str]

    @property
    def exchanged(self) -> bool:
        """Whether a class has another number in the other run, or is missing in one of them."""
        return tuple(self.ours) != tuple(self.theirs)

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """(our number, their number) of every class that both runs have."""
        numbers = {name: number for number, name in enumerate(self.theirs)}
        return [(number, numbers[name]) for number, name in enumerate(self.ours) if name in numbers]

    def summary(self) -> str:
        """Return what happens to the classes of both runs in one line."""
        fates = {
            "are taken over by name": [name for name in self.ours if name in set(self.theirs)],
            "start anew": [name for name in self.ours if name not in set(self.theirs)],
            "of the other run are left out": [name for name in self.theirs if name not in set(self.ours)],
        }
        return "; ".join(f"{_first_names(names)} {fate}" for fate, names in fates.items() if names)


@torch.no_grad()
def carried(mine: Tensor, other: Tensor, dimension: int, matching: Matching) -> Tensor | None:
    """Return tensor ``mine`` of any shape with ``other``'s entries of the classes that both runs have.

    None if there is no such class, or if the shapes differ in more than the number of classes. Along ``dimension`` the classes
    come last, behind entries of which both have equally many.
    """
    before = mine.shape[dimension] - len(matching.ours)
    expected = list(mine.shape)
    expected[dimension] = before + len(matching.theirs)
    if list(other.shape) != expected or not matching.pairs:
        return None
    shared = [(index, index) for index in range(before)] + [(before + i, before + j) for i, j in matching.pairs]
    to, source = torch.tensor(shared, dtype=torch.int64).view(-1, 2).unbind(1)
    return mine.index_copy(dimension, to.to(mine.device), other.index_select(dimension, source).to(mine))


def class_dimensions(session: Session, player: Player) -> dict[str, int | None]:
    """Return name -> dimension that counts classes, for every tensor of a player's network that depends on their number.

    None if it is unknown which entries belong to classes: there are more of them, and no module declares that the classes come
    last (``AppendsClasses``).
    """
    count = session.image.classes
    if not count:
        return {}
    more = attrs.evolve(session.facts.image, classes=count + 1, class_names=())
    with torch.device("meta"):
        grown = BUILD[player](session.recipe, more, seed=0).state_dict()
    network = session.game.networks[player]
    changed = {
        name: _dimension(value.shape, grown[name].shape)
        for name, value in network.state_dict().items()
        if name in grown and grown[name].shape != value.shape
    }
    own = network.state_dict()
    return {
        name: at if at is not None and _known(network, name, own[name].shape[at] - count) else None
        for name, at in changed.items()
    }


def _dimension(shape: Sequence[int], grown: Sequence[int]) -> int | None:
    """Return the dimension that has one more entry, if no other differs."""
    if len(shape) != len(grown):
        return None
    differing = [dim for dim, (one, other) in enumerate(zip(shape, grown, strict=True)) if one != other]
    return differing[0] if len(differing) == 1 and grown[differing[0]] == shape[differing[0]] + 1 else None


def _known(network: nn.Module, name: str, before: int) -> bool:
    """Return whether all entries are classes, or a module declares that the classes follow ``before`` others."""
    parts = name.split(".")
    holders = (network.get_submodule(".".join(parts[:end])) for end in range(len(parts)))
    return before == 0 or any(isinstance(module, AppendsClasses) for module in holders)


def of_player(state: Mapping[str, Tensor], player: Player) -> dict[str, Tensor]:
    """Return the part of a game's state, tensors of any shape by name, that belongs to a player's network."""
    prefix = f"{player}."
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def _first_names(names: Sequence[str]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
