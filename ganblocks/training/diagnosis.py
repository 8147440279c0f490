"""Where a number that is not finite came from: the state itself, or the first module that makes one in a repeated step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ganblocks.assembly import Session
from ganblocks.training.checkpoint import split_tensors
from ganblocks.values import Batch, Player


def where_not_finite(session: Session, average: nn.Module, drawn: Mapping[Player, int], turns: Mapping[Player, int]) -> str:
    """Words for the first thing that is not finite, causes before effects; empty where nothing is found.

    Args:
        session: after the step that went wrong.
        average: the averaged generator.
        drawn: what each player had drawn before the step.
        turns: how many turns each had taken.
    """
    networks = {str(player): network for player, network in session.game.networks.items()}
    for name, network in networks.items():
        if found := _first(network.named_parameters()):
            return f"the parameter {name}.{found}"
    moments: dict[str, Tensor] = {}
    split_tensors(session.updater.state_dict(), moments)
    if found := _first(moments.items()):
        return f"the state of the update rule, {found}"
    if found := _first(average.named_parameters()):
        return f"the average's {found}"
    return _repeated(session, drawn, turns) or next(
        (f"the buffer {name}.{found}" for name, network in networks.items() if (found := _first(network.named_buffers()))), ""
    )


def _first(tensors: Any) -> str:
    return next((name for name, tensor in tensors if not bool(torch.isfinite(tensor).all())), "")


def _repeated(session: Session, drawn: Mapping[Player, int], turns: Mapping[Player, int]) -> str:
    """What the same batches show, one after the other, in turns of the same number: a penalty may be due in some of them."""
    batches, now = session.batches, dict(session.game.turns)
    try:
        for player, start in drawn.items():
            for i, place in enumerate(range(start, batches.drawn[player], batches.size)):
                session.game.turns[player] = turns[player] + min(i, max(now[player] - turns[player] - 1, 0))
                if found := _of_batch(session, player, batches.at(player, place)):
                    return f"{found}, in the {player}'s turn"
    except Exception as error:  # out of memory, say: the verdict is known, and only its reason is not
        return f"something that cannot be repeated ({type(error).__name__})"
    finally:
        session.game.turns.update(now)
    return ""


def _of_batch(session: Session, player: Player, batch: Batch) -> str:
    if not bool(torch.isfinite(batch.image).all()):
        return "the real images of the batch"
    parts = batch.split(session.game.microbatch or len(batch))
    return next((found for part in parts if (found := _of_part(session, player, part))), "")


def _of_part(session: Session, player: Player, batch: Batch) -> str:
    networks = {str(each): network for each, network in session.game.networks.items()}
    with first_offender(networks) as found:
        total = session.game.objective(player, batch, session.batches.images_seen, (player,)).total
    if found:
        return f"what {found[0]} gives"
    if not bool(torch.isfinite(total)):
        return "the loss, or a penalty"
    names, parameters = zip(*networks[player].named_parameters(), strict=True)
    gradients = torch.autograd.grad(total, [each for each in parameters if each.requires_grad], materialize_grads=True)
    trained = [name for name, each in zip(names, parameters, strict=True) if each.requires_grad]
    name = _first(zip(trained, gradients, strict=True))
    return f"the gradient of {player}.{name}" if name else ""


@contextmanager
def first_offender(networks: Mapping[str, nn.Module]) -> Iterator[list[str]]:
    """Within the block the paths of modules that turn finite inputs into something that is not, in the order of their calls."""
    found: list[str] = []
    handles = []
    for player, network in networks.items():
        for path, module in network.named_modules():

            def record(module: nn.Module, inputs: Any, output: Any, name: str = f"{player}.{path}".rstrip(".")) -> None:
                if not _finite(output) and _finite(inputs):
                    found.append(name)

            handles.append(module.register_forward_hook(record))
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def _finite(value: Any) -> bool:
    if isinstance(value, Tensor):
        return not value.is_floating_point() or bool(torch.isfinite(value).all())
    return all(_finite(each) for each in value) if isinstance(value, tuple | list) else True
