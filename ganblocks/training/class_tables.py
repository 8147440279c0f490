"""Tensors that have an entry per class, and how they go from one run's classes to another's: by name.

Which dimension of a tensor counts classes is read off the recipe's own networks: it is the one that has one entry more where
there is one class more. A size that happens to be the number of classes is none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

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
    """Which of their classes are which of ours."""

    ours: Sequence[str]
    theirs: Sequence[str]

    @property
    def exchanged(self) -> bool:
        """Whether a class has another number there, or is missing on one side."""
        return tuple(self.ours) != tuple(self.theirs)

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """(our number, their number) of every class that both have."""
        place = {name: number for number, name in enumerate(self.theirs)}
        return [(number, place[name]) for number, name in enumerate(self.ours) if name in place]

    def words(self) -> Iterator[str]:
        """What became of the classes, where they are not the same."""
        sides = (
            ("are taken over by name", [name for name in self.ours if name in set(self.theirs)]),
            ("start anew", [name for name in self.ours if name not in set(self.theirs)]),
            ("of the other run are left out", [name for name in self.theirs if name not in set(self.ours)]),
        )
        yield from (f"{_some(names)} {what}" for what, names in sides if names)


@torch.no_grad()
def carried(mine: Tensor, other: Tensor, dimension: int, matching: Matching) -> Tensor | None:
    """``mine`` with the entries of every class that both have; None where none is, or where not only the classes differ.

    Along ``dimension`` the classes come last, behind what both have in the same number.
    """
    before = mine.shape[dimension] - len(matching.ours)
    expected = list(mine.shape)
    expected[dimension] = before + len(matching.theirs)
    if list(other.shape) != expected or not matching.pairs:
        return None
    shared = [(place, place) for place in range(before)] + [(before + i, before + j) for i, j in matching.pairs]
    to, source = torch.tensor(shared, dtype=torch.int64).view(-1, 2).unbind(1)
    return mine.index_copy(dimension, to.to(mine.device), other.index_select(dimension, source).to(mine))


def class_dimensions(session: Session, player: Player) -> dict[str, int | None]:
    """Name of every tensor of a player's network that depends on the number of classes -> the dimension that counts them.

    None where it cannot be told which entries are a class's: they are not as many as classes, and nobody says that they come
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
    """The dimension that has one entry more, if it is the only one that differs."""
    if len(shape) != len(grown):
        return None
    differing = [place for place, (one, other) in enumerate(zip(shape, grown, strict=True)) if one != other]
    return differing[0] if len(differing) == 1 and grown[differing[0]] == shape[differing[0]] + 1 else None


def _known(network: nn.Module, name: str, before: int) -> bool:
    """Whether the classes are all that there is, or stand behind ``before`` others by their module's own word."""
    parts = name.split(".")
    holders = (network.get_submodule(".".join(parts[:end])) for end in range(len(parts)))
    return before == 0 or any(isinstance(each, AppendsClasses) for each in holders)


def of_player(state: Mapping[str, Tensor], player: Player) -> dict[str, Tensor]:
    """The part of a game's state that is one network's."""
    prefix = f"{player}."
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
