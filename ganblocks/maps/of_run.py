"""The attention maps of a run: of samples of its grid or of others, of real images or of files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from attrs import field, frozen
from PIL import Image, ImageOps
from torch import Tensor, nn
from torchvision.transforms.functional import pil_to_tensor

from ganblocks.batches import from_bytes
from ganblocks.devices import pick_device
from ganblocks.errors import PlacementError, UsageError
from ganblocks.maps.shown import NUMBERED, ShownNetwork, has_maps, shown_network
from ganblocks.recipe import with_data
from ganblocks.registry import Registry
from ganblocks.site import Site
from ganblocks.training.classes import class_number
from ganblocks.training.examples import Examples, GridInputs, Inputs, shown_samples
from ganblocks.training.run import Run
from ganblocks.values import ImageSpec, Player


@frozen(kw_only=True)
class Selection:
    """Which images' maps are shown."""

    n: int | None = None
    """How many; by default one of each row of the run's grid, up to 9."""
    class_: str | None = None
    """Of this class only, by name or number."""
    seed: int | None = None
    """Of the samples; None: those of the grid."""
    files: Sequence[Path] = field(factory=tuple)
    """Images that the discriminator sees instead of training images."""

    @property
    def as_in_training(self) -> bool:
        """Whether the images are those whose maps the run has kept over time."""
        return self == Selection()


def generator_maps(run: Run, selection: Selection, device: str = "cpu") -> ShownNetwork | None:
    """Return the maps of the averaged generator; None if no block of it has a map. Raise CheckpointError, UsageError."""
    sampler = run.sampler(device)
    if not has_maps(sampler.network):
        return None
    label = None if selection.class_ is None else class_number(selection.class_, run.image)
    if selection.seed is None and selection.n is None and label is None:
        grid = GridInputs.of(run.provenance["seed"], run.recipe.generator.latent, run.image.classes)
        shown = shown_samples(grid)
    else:
        shown = sampler.inputs(selection.n or 9, label, selection.seed or 0)
    numbered = sampler.representative()(NUMBERED)
    return _shown("generator", sampler.network, shown, numbered, captions_of(shown[1], len(shown[0]), run.image, "sample"))


def discriminator_maps(run: Run, selection: Selection, device: str = "cpu", data: Path | None = None) -> ShownNetwork | None:
    """Return the maps of the discriminator on training images, or on files; None if no block of it has a map.

    Raise CheckpointError, DataError if the images are missing, UsageError for a file or a class that there is not.
    """
    network = run.discriminator(device)
    if not has_maps(network):
        return None
    where = pick_device(device)
    label = None if selection.class_ is None else class_number(selection.class_, run.image)
    if selection.files:
        shown = file_inputs(selection.files, run.image, label or 0, where)
        captions: Sequence[str] = [path.name for path in selection.files]
        return _shown("discriminator", network, shown, shown, captions)
    with run.naming_data("attention"):
        dataset = (run.recipe if data is None else with_data(run.recipe, data)).data.dataset
        images = dataset.open()
        run.refuse_other_images(images, "give --image FILE to show maps of another image")
    grid = GridInputs.of(run.provenance["seed"], run.recipe.generator.latent, run.image.classes)
    examples = Examples(grid, run.image.classes, images, where)
    shown = (
        examples.shown(Player.DISCRIMINATOR)
        if selection.n is None and label is None
        else examples.real(selection.n or 9, label)
    )
    if not len(shown[0]):
        raise UsageError(f"class {selection.class_}: there are no training images of it")
    return _shown(
        "discriminator", network, shown, examples.real(NUMBERED), captions_of(shown[1], len(shown[0]), run.image, "image")
    )


def file_inputs(paths: Sequence[Path], image: ImageSpec, label: int, device: torch.device) -> Inputs:
    """Return the images [n, C, H, W] of files, and their label [n], in the size of a run.

    They are scaled to cover the size and cut at the centre. Raise UsageError for a file that is no image.
    """
    pixels = torch.stack([read_image(path, image) for path in paths])
    return from_bytes(pixels, device), torch.full((len(paths),), label, device=device) if image.classes else None


def read_image(path: Path, image: ImageSpec) -> Tensor:
    """Return the image of a file, uint8 [C, H, W], in the size and channels of a run. Raise UsageError."""
    if image.channels not in (1, 3):
        raise UsageError(f"--image {path}: the run has {image.channels} channels, and files with 1 or 3 are read")
    try:
        with Image.open(path) as opened:
            height, width = image.shape[1:]
            whole = ImageOps.exif_transpose(opened).convert("L" if image.channels == 1 else "RGB")
            pixels: Tensor = pil_to_tensor(ImageOps.fit(whole, (width, height), Image.Resampling.BICUBIC))
            return pixels
    except FileNotFoundError as error:
        raise UsageError(f"--image {path}: there is no such file") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UsageError(f"--image {path}: cannot be read as an image: {error}") from error


def captions_of(label: Tensor | None, count: int, image: ImageSpec, word: str) -> list[str]:
    """Return what each of ``count`` images is: its class, labels [n], or its number."""
    if label is None:
        return [f"{word} {number + 1}" for number in range(count)]
    names = image.class_names
    return [names[number] if names else f"class {number}" for number in label.tolist()]


def no_maps(run: Run) -> UsageError:
    """Return the error for a run without any attention map: which blocks it has, and which blocks have one."""
    sites = {path: use for path, use in run.provenance["components"].items() if path.endswith("attention")}
    used = ", ".join(f"{path} = {use['name']}" for path, use in sites.items()) or "no block"
    offered = ", ".join(components_with_maps(run.registry))
    return UsageError(f"{run.path}: no block of this run has an attention map ({used}); those that have one: {offered}")


def components_with_maps(registry: Registry) -> list[str]:
    """Return the names of the attention components whose block has a map."""
    names = []
    for offer in registry.offers("attention"):
        name = registry.short_name(offer)
        try:
            with torch.device("meta"):
                block = registry.create("attention", name).build(Site(channels=32, size=16, path="attention"))
        except (PlacementError, TypeError, ValueError):
            continue
        if has_maps(block):
            names.append(name)
    return names


def _shown(name: str, network: nn.Module, shown: Inputs, numbered: Inputs, captions: Sequence[str]) -> ShownNetwork:
    device = next(network.parameters()).device
    moved = [(first.to(device), None if label is None else label.to(device)) for first, label in (shown, numbered)]
    return shown_network(name, network, moved[0], moved[1], captions)
