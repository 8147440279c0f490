"""Which modules read the class, and that a mixture is refused where one of them cannot read it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from ganblocks import MixesClasses, class_rows
from ganblocks.class_mixtures import class_weights
from ganblocks.errors import UsageError
from ganblocks.training.class_mixing import label_readers, refuse_unmixable

Z, LABEL = torch.zeros(2, 3), torch.tensor([1, 0])


class Mixing(nn.Module, MixesClasses):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.arange(12.0).view(4, 3))

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        return x + class_rows(self.table, label)


class Rounding(nn.Module):
    """Takes weights without an error, and makes of them what it can: the capability is inherited, never guessed."""

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        return x + label.long().flatten()[0]


class Ignoring(nn.Module):
    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        return x + len(label) + label.shape[0] + label.ndim


class Embedded(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(4, 3)

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        return x + self.table(label)


class Stacking(nn.Module):
    """Reads the label by an operation that takes a list."""

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        return x + torch.stack([label, label]).sum()


class Generator(nn.Module):
    """Passes the label on."""

    def __init__(self, *blocks: nn.Module) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.idle = nn.Sequential()

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        for block in self.blocks:
            z = self.idle(block(z, label))
        return z


def test_readers_are_the_modules_whose_operations_take_the_label() -> None:
    network = Generator(Mixing(), Ignoring(), Rounding(), Embedded(), Generator(Stacking(), Mixing()))
    readers = label_readers(network, Z, LABEL)
    assert list(readers) == ["blocks.0", "blocks.2", "blocks.3.table", "blocks.4.blocks.0", "blocks.4.blocks.1"]
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())
    assert list(label_readers(Rounding(), Z, LABEL)) == [""]


def test_generators_whose_readers_all_mix_are_taken() -> None:
    refuse_unmixable(Generator(Mixing(), Ignoring(), Generator(Mixing())), Z, LABEL)


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (Generator(Mixing(), Rounding()), r"generator\.blocks\.1 \(Rounding\) reads the class and takes no mixture.*--class K"),
        (Generator(Embedded()), r"generator\.blocks\.0\.table \(Embedding\)"),
        (Generator(Mixing(), Stacking()), r"generator\.blocks\.1 \(Stacking\).*ganblocks\.MixesClasses"),
        (Rounding(), r"generator \(Rounding\)"),
        (Generator(Ignoring()), "does not read the class: all its classes are the same"),
    ],
)
def test_another_reader_is_named(network: nn.Module, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        refuse_unmixable(network, Z, LABEL)


def test_rows_and_weights_of_both_forms() -> None:
    table = torch.randn(4, 3, requires_grad=True)
    hard, soft = torch.tensor([2, 0]), torch.tensor([[0, 0, 1.0, 0], [1, 0, 0, 0]])
    assert torch.equal(class_rows(table, hard), table[hard])
    assert torch.equal(class_rows(table, soft), table[hard])
    assert torch.equal(class_weights(hard, 4, torch.float32), soft)
    assert class_weights(soft, 4, torch.float64).dtype == torch.float64
    half = class_rows(table.double(), torch.tensor([[0.5, 0.5, 0, 0]]))
    torch.testing.assert_close(half[0], (table[0] + table[1]).double() / 2)
