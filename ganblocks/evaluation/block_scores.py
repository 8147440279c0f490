"""What attention blocks of a trained generator are worth: scores with each as it is, switched off, and without selection.

Switched off, a block returns its input. With its query-mean map every position attends as all positions of the image do in the
mean, so that what is lost is what selecting per position is worth. Latents and classes are the same each time. Batch-norm
statistics are estimated anew each time, the trained form included, so that what is compared is not how far they have moved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from ganblocks.errors import UsageError
from ganblocks.evaluation.evaluator import Evaluator
from ganblocks.evaluation.report import BlockScores
from ganblocks.kinds.module_capabilities import AppliesMap
from ganblocks.training.batch_statistics import buffers_restored, estimate_statistics
from ganblocks.training.block_records import is_examined
from ganblocks.training.sampler import Sampler

TRAINED, OFF, QUERY_MEAN = "as trained", "switched off", "query-mean map"
Replacement = Callable[[nn.Module, tuple[Tensor, ...], Tensor], Tensor]
"""A forward hook: (block, inputs, output) -> other output."""


def block_scores(evaluator: Evaluator, sampler: Sampler) -> list[BlockScores]:
    """Return the scores of a generator as trained, and with each attention block switched off and with its query-mean map.

    The generator is left as it was. Raise UsageError if it has no block, or if batches are normalised by themselves.
    """
    blocks = [(path, module) for path, module in sampler.network.named_modules() if is_examined(module)]
    if not blocks:
        raise UsageError("--attention: the generator has no attention block, and no gated one")
    if evaluator.settings.batch_norm != "moving":
        raise UsageError("--attention: estimates batch-norm statistics for each form; leave --batch-norm out")
    forms = [BlockScores("", TRAINED, _scores(evaluator, sampler))]
    for path, module in blocks:
        for form, replacement in forms_of(module):
            with replaced(module, replacement):
                forms.append(BlockScores(f"generator.{path}", form, _scores(evaluator, sampler)))
    return forms


def forms_of(module: nn.Module) -> Iterator[tuple[str, Replacement]]:
    """Yield the forms of a block other than the trained one. A block that takes no other map has no query-mean map."""
    yield OFF, lambda _, inputs, output: inputs[0]
    if isinstance(module, AppliesMap):
        yield QUERY_MEAN, with_query_mean


def with_query_mean(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
    """Return the output [B, C, H, W] of a block whose map is, for every query, the mean over the queries of its own map."""
    assert isinstance(module, AppliesMap), "the caller chooses blocks that take other maps"
    attention = module.attention_map(inputs[0])[0]
    return module.with_map(inputs[0], attention.mean(-2, keepdim=True).expand_as(attention))


@contextmanager
def replaced(module: nn.Module, replacement: Replacement) -> Iterator[None]:
    """Within the block of code, let a module return what ``replacement`` does."""
    handle: Any = module.register_forward_hook(replacement)
    try:
        yield
    finally:
        handle.remove()


def _scores(evaluator: Evaluator, sampler: Sampler) -> dict[str, float]:
    with buffers_restored(sampler.network):
        settings = evaluator.settings
        estimate_statistics(sampler.network, sampler.representative(settings.truncation, settings.truncation_by))
        return evaluator.leading(sampler)
