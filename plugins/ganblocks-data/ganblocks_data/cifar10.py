"""CIFAR-10, from a local copy."""

from __future__ import annotations

from pathlib import Path

import attrs
import numpy as np
import torch

from ganblocks import DataError, Images, ImageSpec, option
from ganblocks_data.memory import in_memory

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


@attrs.frozen(kw_only=True)
class Cifar10:
    """CIFAR-10: 60,000 colour photographs of 32 x 32 pixels in ten classes; the 10,000 test images are held out.

    torchvision reads it, and compares every file with its known MD5 sum before unpickling.

    Use it to compare with papers at 32 pixels, most of which report CIFAR-10. For a run without a download use emoji.

    Source: Krizhevsky (2009), "Learning Multiple Layers of Features from Tiny Images", University of Toronto,
    https://www.cs.toronto.edu/~kriz/learning-features-2009-TR.pdf, chapter 3.

    Options:
        path: the folder that holds ``cifar-10-batches-py``.
        download: whether to fetch missing files (170 MB).
    """

    path: Path = option(Path("data"), converter=Path)
    download: bool = option(False)

    def describe(self) -> ImageSpec:
        """Return the facts of the images."""
        return ImageSpec(channels=3, size=32, classes=len(CLASSES), class_names=CLASSES)

    def open(self) -> Images:
        """Read all images. Raise DataError if files are missing, damaged, or cannot be downloaded."""
        from torchvision.datasets import CIFAR10  # takes seconds to import

        root = self.path.expanduser()
        try:
            train, test = (CIFAR10(root, train=side, download=self.download) for side in (True, False))
        except (RuntimeError, OSError) as error:
            reason, folder = str(error).partition(". ")[0], root.absolute()
            raise DataError(
                f"CIFAR-10 is not whole in {folder / 'cifar-10-batches-py'}: {reason}. Unpack its Python version "
                f"(cifar-10-python.tar.gz) in {folder}, or set download = true under [data]"
            ) from error
        pixels = torch.from_numpy(np.concatenate([train.data, test.data]).transpose(0, 3, 1, 2))
        held_out = torch.arange(len(pixels)) >= len(train.data)
        return in_memory(pixels, torch.tensor(train.targets + test.targets), held_out)
