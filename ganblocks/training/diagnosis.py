"""Where a number that is not finite came from: the state, or the first module that produces one when the step is repeated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ganblocks.assembly import Session
from ganblocks.training.checkpoint import split_tensors
from ganblocks.training.hooks import observing
from ganblocks.values import Batch, Player


def where_not_finite(session: Session, average: nn.Module, drawn: Mapping[Player, int], turns: Mapping[Player, int]) -> str:
    """Return the first cause of a number that is not finite, in words; empty if none can be named.

    Args:
        session: after the step that went wrong.
        average: the averaged generator.
        drawn: samples of each player before the step.
        turns: turns of each player before the step.
    """
    networks = {str(player): network for player, network in session.game.networks.items()}
    for name, network in networks.items():
        if parameter := _first(network.named_parameters()):
            return f"the parameter {name}.{parameter}"
    moments: dict[str, Tensor] = {}
    split_tensors(session.updater.state_dict(), moments)
    if moment := _first(moments.items()):
        return f"the state of the update rule, {moment}"
    if parameter := _first(average.named_parameters()):
        return f"the average's {parameter}"
    buffers = ((name, _first(network.named_buffers())) for name, network in networks.items())
    return _repeated(session, drawn, turns) or next((f"the buffer {name}.{buffer}" for name, buffer in buffers if buffer), "")


def _first(tensors: Any) -> str:
    return next((name for name, tensor in tensors if not bool(torch.isfinite(tensor).all())), "")


def _repeated(session: Session, drawn: Mapping[Player, int], turns: Mapping[Player, int]) -> str:
    """Repeat the turns of the step on their batches, each with its number: a penalty may be due in some of them only."""
    batches, now = session.batches, dict(session.game.turns)
    try:
        for player, start in drawn.items():
            for i, position in enumerate(range(start, batches.drawn[player], batches.size)):
                session.game.turns[player] = turns[player] + min(i, max(now[player] - turns[player] - 1, 0))
                if cause := _of_batch(session, player, batches.at(player, position)):
                    return f"{cause}, in the {player}'s turn"
    except Exception as error:  # out of memory, for example: then only the cause stays unknown
        return f"something that could not be repeated ({type(error).__name__})"
    finally:
        session.game.turns.update(now)
    return ""


def _of_batch(session: Session, player: Player, batch: Batch) -> str:
    if session.game.reads_real(player) and not bool(torch.isfinite(batch.image).all()):
        return "the real images of the batch"
    parts = batch.split(session.game.microbatch or len(batch))
    return next((cause for part in parts if (cause := _of_part(session, player, part))), "")


def _of_part(session: Session, player: Player, batch: Batch) -> str:
    networks = {str(owner): network for owner, network in session.game.networks.items()}
    offenders: list[str] = []

    def check(path: str, module: nn.Module, inputs: Any, output: Any) -> None:
        if not _finite(output) and _finite(inputs):
            offenders.append(path)

    modules = [(f"{owner}.{path}".rstrip("."), m) for owner, network in networks.items() for path, m in network.named_modules()]
    with observing(modules, check):
        total = session.game.objective(player, batch, session.batches.images_seen, (player,)).total
    if offenders:
        return f"the output of {offenders[0]}"
    if not bool(torch.isfinite(total)):
        return "the loss, or a penalty"
    names, parameters = zip(*networks[player].named_parameters(), strict=True)
    gradients = torch.autograd.grad(
        total, [parameter for parameter in parameters if parameter.requires_grad], materialize_grads=True
    )
    trained = [name for name, parameter in zip(names, parameters, strict=True) if parameter.requires_grad]
    name = _first(zip(trained, gradients, strict=True))
    return f"the gradient of {player}.{name}" if name else ""


def _finite(value: Any) -> bool:
    if isinstance(value, Tensor):
        return not value.is_floating_point() or bool(torch.isfinite(value).all())
    return all(_finite(item) for item in value) if isinstance(value, tuple | list) else True
