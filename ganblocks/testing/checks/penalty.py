"""How penalties are tested, and their properties: in turns of a real game between toy networks."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

import attrs
import torch
from attrs import frozen
from hypothesis import strategies as st
from torch import Tensor

from ganblocks.game import Term, TwoPlayerGame
from ganblocks.kinds.component_capabilities import CouplesSamples
from ganblocks.schedules import Constant
from ganblocks.testing import expect
from ganblocks.testing.cases import Case, drawn, expect_state, load_from_file, repeat, state
from ganblocks.testing.checks.learning import LEARNING
from ganblocks.testing.properties import properties
from ganblocks.testing.toys import ToyImages, toy_batches, toy_game
from ganblocks.values import Batch, ImageSpec, Player


@frozen(kw_only=True)
class PenaltyCase(Case):
    """A penalty in a toy game, and a batch."""

    kind: ClassVar[str] = "penalty"

    batch: int = 4
    classes: int = 4

    def game(self, weight: float = 1.0) -> TwoPlayerGame:
        """Return a toy game with the penalty."""
        image = ImageSpec(channels=1, size=8, classes=self.classes)
        term = Term("penalty", self.component, self.component.build(), weight=Constant(weight))
        return toy_game(image=image, terms=[term], seed=self.seed)

    def batch_of(self, player: Player, seed: int | None = None) -> Batch:
        """Return a batch for that player's turn."""
        images = ToyImages(classes=max(self.classes, 1))
        batch = toy_batches(images, size=self.batch, seed=self.seed if seed is None else seed)(player)
        return batch if self.classes else Batch(batch.image, None, batch.latent, None, batch.seed)

    def players(self) -> list[Player]:
        """Return the players whose objective the penalty joins."""
        return sorted(self.component.players)

    def value(self, game: TwoPlayerGame, player: Player, batch: Batch) -> Tensor:
        """Return the penalty itself on a batch (0-dim), as the game records it."""
        return game.objective(player, batch, 0, (player,)).metrics[f"{player}/penalty"]


def says_whose_objective_it_joins(case: PenaltyCase) -> None:
    """`players` is a frozenset of at least one Player, and `reads_image_gradient` is a bool."""
    players, reads = case.component.players, case.component.reads_image_gradient
    valid = isinstance(players, frozenset) and players and all(isinstance(player, Player) for player in players)
    expect.that(valid, f"players is {players!r}, not a frozenset of Player")
    expect.that(isinstance(reads, bool), f"reads_image_gradient is {reads!r}, not True or False")


def is_one_finite_number(case: PenaltyCase) -> None:
    """Its forward returns a finite 0-dim number, for any batch, with and without classes."""
    for player in case.players():
        game, values = case.game(), list[Tensor]()
        game.terms[0].module.register_forward_hook(lambda _module, _args, value, values=values: values.append(value))
        game.objective(player, case.batch_of(player), 0, (player,))
        expect.that(values[0].ndim == 0, f"has shape {list(values[0].shape)}, not 0-dim")
        expect.finite(values[0], "the penalty")


def its_gradients_are_finite_and_for_its_player_only(case: PenaltyCase) -> None:
    """A turn with the penalty sets finite gradients for the player whose turn it is, and none for the other."""
    for player in case.players():
        game = case.game()
        game.backward(player, case.batch_of(player), 0)
        for name, parameter in game.networks[player].named_parameters():
            if parameter.grad is None:
                expect.fail(f"{player}.{name} has no gradient")
            expect.finite(parameter.grad, f"the gradient of {player}.{name}")
        strays = [name for name, parameter in game.networks[player.other].named_parameters() if parameter.grad is not None]
        expect.that(not strays, f"in the {player}'s turn gradients reached the {player.other}: {', '.join(strays[:3])}")


def is_repeatable_and_leaves_no_trace(case: PenaltyCase) -> None:
    """Equal batches give equal values, whatever the state of global random numbers; evaluating it changes no buffer."""
    for player in case.players():
        game, batch = case.game(), case.batch_of(player)
        modules = [*game.networks.values(), game.terms[0].module]
        before = [state(module) for module in modules]
        once, again = repeat(partial(case.value, game, player, batch))
        case.value(game, player, case.batch_of(player, case.seed + 1))
        expect.same(again, once, "the penalty on an equal batch")
        expect.same(case.value(game, player, batch), once, "the penalty on an equal batch after another")
        for module, was in zip(modules, before, strict=True):
            expect_state(module, was, "after the penalty was evaluated")


def its_state_goes_through_a_file(case: PenaltyCase) -> None:
    """What it remembers of turns is in its buffers: saved as safetensors and loaded, it gives the same value."""
    player, game, other = case.players()[0], case.game(), case.game()
    for seed in range(3):
        game.backward(player, case.batch_of(player, seed), seed * case.batch)
    load_from_file(other, game)
    batch = case.batch_of(player, seed=9)
    expect.same(case.value(other, player, batch), case.value(game, player, batch), "the penalty after loading")


def samples_meet_only_if_it_says_so(case: PenaltyCase) -> None:
    """What changing one sample adds to it does not depend on another sample, so that microbatches add up; or it inherits
    CouplesSamples.
    """
    expect.only_if(not isinstance(case.component, CouplesSamples), "inherits CouplesSamples")
    case = case.but(batch=max(case.batch, 2))
    for player in case.players():
        game, batch, other = case.game(), case.batch_of(player), case.batch_of(player, case.seed + 1)
        values = []
        for changed in ([], [0], [1], [0, 1]):
            image, latent = batch.image.clone(), batch.latent.clone()
            image[changed], latent[changed] = other.image[changed], other.latent[changed]
            values.append(case.value(game, player, attrs.evolve(batch, image=image, latent=latent)).detach().double())
        alone = values[1] + values[2] - values[0]
        text = f"two changed samples together give {values[3]:.6g}, and by what each adds alone it is {alone:.6g}"
        tolerance = 1e-4 * torch.stack(values).abs().max() + 1e-6
        expect.that(abs(values[3] - alone) <= tolerance, f"{text}{expect.HINT}")


def weights_scale_it(case: PenaltyCase) -> None:
    """The recipe's weight scales what it adds to the objective, and nothing else."""
    for player in case.players():
        batch, totals = case.batch_of(player), []
        for weight in (0.0, 1.0, 3.0):
            totals.append(float(case.game(weight).objective(player, batch, 0, (player,)).total.detach()))
        gap = abs((totals[2] - totals[0]) - 3 * (totals[1] - totals[0]))
        expect.that(gap <= 1e-4 * (1 + sum(map(abs, totals))), f"objectives at weights 0, 1 and 3: {totals}")


CASES = drawn(PenaltyCase, batch=st.sampled_from([4, 1, 3]), classes=st.sampled_from([4, 0]))
PROPERTIES = (
    *properties(
        says_whose_objective_it_joins,
        is_one_finite_number,
        its_gradients_are_finite_and_for_its_player_only,
        is_repeatable_and_leaves_no_trace,
        its_state_goes_through_a_file,
        samples_meet_only_if_it_says_so,
        weights_scale_it,
    ),
    *LEARNING,
)
