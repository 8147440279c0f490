"""How penalties are tried, and what they promise: in turns of a real game between toy networks."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import attrs
from attrs import frozen
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from safetensors.torch import load_file, save_file
from torch import Tensor

from ganblocks.game import Term, TwoPlayerGame
from ganblocks.kinds.component_capabilities import CouplesSamples
from ganblocks.registry import Registry
from ganblocks.schedules import Constant
from ganblocks.seeding import seeded
from ganblocks.testing.cases import Case, state
from ganblocks.testing.promises import MEETING, broken, expect, expect_finite, expect_same, only_if, promise, tried_with
from ganblocks.testing.strategies import components, seeds
from ganblocks.testing.toys import ToyImages, toy_batches, toy_game
from ganblocks.values import Batch, ImageSpec, Player


@frozen(kw_only=True)
class PenaltyCase(Case):
    """A penalty in a toy game, and a batch."""

    kind: ClassVar[str] = "penalty"

    batch: int = 4
    classes: int = 4

    def facts(self) -> dict[str, Any]:
        return {"batch": self.batch, "classes": self.classes}

    def game(self) -> TwoPlayerGame:
        image = ImageSpec(channels=1, size=8, classes=self.classes)
        term = Term("penalty", self.component, self.component.build())
        return toy_game(image=image, terms=[term], seed=self.seed)

    def batch_of(self, player: Player, seed: int | None = None) -> Batch:
        """A batch for that player's turn."""
        images = ToyImages(classes=max(self.classes, 1))
        drawn = toy_batches(images, size=self.batch, seed=self.seed if seed is None else seed)(player)
        return drawn if self.classes else Batch(drawn.image, None, drawn.latent, None, drawn.seed)

    def players(self) -> list[Player]:
        return sorted(self.component.players)

    def value(self, game: TwoPlayerGame, player: Player, batch: Batch) -> Tensor:
        """The penalty itself on a batch, as the game records it."""
        return game.objective(player, batch, 0, (player,)).metrics[f"{player}/penalty"]


@tried_with("penalty")
def penalties(cls: type, registry: Registry, given: Sequence[Any] = ()) -> SearchStrategy[PenaltyCase]:
    drawn, batch = components(cls, registry, given), st.sampled_from([4, 1, 3])
    return st.builds(PenaltyCase, component=drawn, seed=seeds, batch=batch, classes=st.sampled_from([4, 0]))


@promise("penalty")
def says_whose_objective_it_joins(case: PenaltyCase) -> None:
    """`players` is a frozenset of at least one Player, and `reads_image_gradient` is a bool."""
    players, reads = case.component.players, case.component.reads_image_gradient
    valid = isinstance(players, frozenset) and players and all(isinstance(each, Player) for each in players)
    expect(valid, f"players is {players!r}, not a frozenset of Player")
    expect(isinstance(reads, bool), f"reads_image_gradient is {reads!r}, not True or False")


@promise("penalty")
def is_one_finite_number(case: PenaltyCase) -> None:
    """Its forward returns a finite 0-dim number, for any batch, with and without classes."""
    for player in case.players():
        game = case.game()
        found: list[Tensor] = []
        game.terms[0].module.register_forward_hook(lambda _module, _args, value, found=found: found.append(value))
        game.objective(player, case.batch_of(player), 0, (player,))
        expect(found[0].ndim == 0, f"has shape {list(found[0].shape)}, not 0-dim")
        expect_finite(found[0], "the penalty")


@promise("penalty")
def its_gradients_are_finite_and_for_its_player_only(case: PenaltyCase) -> None:
    """A turn with the penalty sets finite gradients for the player whose turn it is, and none for the other."""
    for player in case.players():
        game = case.game()
        game.backward(player, case.batch_of(player), 0)
        for name, parameter in game.networks[player].named_parameters():
            if parameter.grad is None:
                broken(f"{player}.{name} has no gradient")
            expect_finite(parameter.grad, f"the gradient of {player}.{name}")
        strays = [name for name, parameter in game.networks[player.other].named_parameters() if parameter.grad is not None]
        expect(not strays, f"in the {player}'s turn gradients reached the {player.other}: {', '.join(strays[:3])}")


@promise("penalty")
def is_repeatable_and_leaves_no_trace(case: PenaltyCase) -> None:
    """Equal batches give equal values, whatever else was drawn, and evaluating changes no buffer of networks or penalty."""
    for player in case.players():
        game, batch = case.game(), case.batch_of(player)
        modules = [*game.networks.values(), game.terms[0].module]
        before = [state(module) for module in modules]
        with seeded(1):
            once = case.value(game, player, batch)
        case.value(game, player, case.batch_of(player, seed=case.seed + 1))
        with seeded(2):
            again = case.value(game, player, batch)
        expect_same(again, once, "the penalty on an equal batch")
        for module, was in zip(modules, before, strict=True):
            for name, value in state(module).items():
                expect_same(value, was[name], f"{name} after the penalty was evaluated")


@promise("penalty")
def its_state_goes_through_a_file(case: PenaltyCase) -> None:
    """What it remembers of turns stands in its buffers: saved as safetensors and loaded, the penalty goes on alike."""
    player = case.players()[0]
    game = case.game()
    for seed in range(3):
        game.backward(player, case.batch_of(player, seed), seed * case.batch)
    other = case.game()
    with tempfile.TemporaryDirectory() as folder:
        save_file({name: value.contiguous() for name, value in game.state_dict().items()}, Path(folder) / "game.safetensors")
        other.load_state_dict(load_file(Path(folder) / "game.safetensors"))
    batch = case.batch_of(player, seed=9)
    expect_same(case.value(other, player, batch), case.value(game, player, batch), "the penalty after loading")


@promise("penalty")
def samples_meet_only_if_it_says_so(case: PenaltyCase) -> None:
    """What changing one sample adds to it does not depend on another sample, so that microbatches add up; or it inherits
    CouplesSamples.
    """
    only_if(not isinstance(case.component, CouplesSamples), "says that samples meet in it")
    case = case.but(batch=max(case.batch, 2))
    for player in case.players():
        game, batch, other = case.game(), case.batch_of(player), case.batch_of(player, case.seed + 1)
        values = {}
        for changed in ((), (0,), (1,), (0, 1)):
            image, latent = batch.image.clone(), batch.latent.clone()
            for i in changed:
                image[i], latent[i] = other.image[i], other.latent[i]
            values[changed] = case.value(game, player, attrs.evolve(batch, image=image, latent=latent)).detach().double()
        alone = values[0,] + values[1,] - values[()]
        tolerance = 1e-4 * max(abs(value) for value in values.values()) + 1e-6
        found = f"two changed samples together give {values[0, 1]:.6g}, and by what each adds alone it is {alone:.6g}"
        expect(abs(values[0, 1] - alone) <= tolerance, f"{found}{MEETING}")


@promise("penalty")
def weights_scale_it(case: PenaltyCase) -> None:
    """The recipe's weight scales what it adds to the objective, and nothing else."""
    for player in case.players():
        batch, totals = case.batch_of(player), []
        for weight in (0.0, 1.0, 3.0):
            game = case.game()
            game.terms = [Term("penalty", case.component, game.terms[0].module, weight=Constant(weight))]
            totals.append(float(game.objective(player, batch, 0, (player,)).total.detach()))
        expect(
            abs((totals[2] - totals[0]) - 3 * (totals[1] - totals[0])) <= 1e-4 * (1 + sum(map(abs, totals))),
            f"objectives at weights 0, 1 and 3: {totals}",
        )
