"""Networks of torch-mimicry and PyTorch-StudioGAN themselves against what ``ganblocks import`` makes of their weights.

No test collects this file: it takes some minutes, and needs what is not in the package.

    python tests/peers/compare.py                              # mimicry 0.1.16, from its source distribution, by pip
    python tests/peers/compare.py --studiogan ~/PyTorch-StudioGAN   # and a checkout of StudioGAN

Nothing is installed. mimicry's top-level import fails on current torch, so that its ``nets`` and ``modules`` are loaded alone,
from a temporary folder. All networks are narrow, in float64, with statistics and vectors as after some training. It prints the
table of docs/how-to/import-weights.md, and ends with 1 where outputs differ by more than 1e-9 of the largest.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import importlib
import subprocess
import sys
import tarfile
import tempfile
import types
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import ganblocks
from ganblocks import Classes, ImageSpec, Player, Site
from ganblocks.errors import GanblocksError

VERSION = "0.1.16"
TOLERANCE = 1e-9
CLASSES, BATCH, Z, SHARED = 5, 4, 12, 6
Row = tuple[str, Player, Callable[[], nn.Module], dict[str, Any], bool]
"""What it is called; its player; how theirs is made; the options of ours; whether it takes labels."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mimicry", type=Path, help="an unpacked source distribution; by default pip fetches one")
    parser.add_argument("--studiogan", type=Path, help="a checkout")
    given = parser.parse_args()
    print("| network | player | largest difference, of the largest output |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        rows = [("mimicry", row) for row in mimicry(given.mimicry or fetched(Path(folder)))]
        rows += [("studiogan", row) for row in (studiogan(given.studiogan) if given.studiogan else ())]
        worst = [report(layout, row) for layout, row in rows]
    return int(not all(difference <= TOLERANCE for difference in worst))


def fetched(folder: Path) -> Path:
    """mimicry's source distribution, unpacked."""
    arguments = [
        "download",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--no-binary",
        ":all:",
        f"torch-mimicry=={VERSION}",
        "--dest",
        str(folder),
    ]
    subprocess.run([sys.executable, "-m", "pip", *arguments], check=True)
    with tarfile.open(next(folder.glob("torch*mimicry*.tar.gz"))) as archive:
        archive.extractall(folder, filter="data")
    return folder / f"torch_mimicry-{VERSION}"


def mimicry(source: Path) -> Iterator[Row]:
    package = types.ModuleType("torch_mimicry")
    package.__path__ = [str(source / "torch_mimicry")]
    sys.modules["torch_mimicry"] = package
    plain = {"upsampling": "bilinear", "norm": "batch", "weight_norm": "none"}
    discriminator = {"hidden": "in", "shortcut": "activated", "weight_norm": "spectral"}
    for size, width in ((32, 16), (64, 64), (128, 64)):
        five = {"halvings": 5} if size == 64 else {}
        for family in ("sngan", "ssgan", "infomax_gan", "wgan_gp"):
            yield mimicry_row(family, Player.GENERATOR, size, width, False, plain)
        yield mimicry_row("sngan", Player.DISCRIMINATOR, size, width, False, discriminator | five | {"conditioning": "none"})
        means = {"conditioning": "none", "pooling": "mean", "weight_norm": "none"}
        yield mimicry_row("wgan_gp", Player.DISCRIMINATOR, size, width, False, discriminator | five | means)
    for size, width in ((32, 16), (128, 128)):
        labelled = {"upsampling": "bilinear", "norm": "conditional_batch"}
        yield mimicry_row("cgan_pd", Player.GENERATOR, size, width, True, labelled)
        yield mimicry_row("cgan_pd", Player.DISCRIMINATOR, size, width, True, discriminator)
        sizes = {32: (16, 8), 128: (32, 32)}[size]
        attentive = labelled | {"weight_norm": "spectral", "attention_at": [sizes[0]]}
        yield mimicry_row("sagan", Player.GENERATOR, size, width, True, attentive)
        yield mimicry_row("sagan", Player.DISCRIMINATOR, size, width, True, discriminator | {"attention_at": [sizes[1]]})


def mimicry_row(family: str, player: Player, size: int, width: int, labels: bool, options: dict[str, Any]) -> Row:
    """mimicry counts channels from the widest map, ours from the narrowest."""
    module = importlib.import_module(f"torch_mimicry.nets.{family}.{family}_{size}")
    name = f"{family.upper().replace('_', '')}{player.capitalize()}{size}"
    made = next(cls for known, cls in vars(module).items() if known.upper() == name.upper())
    given = {"nz": Z, "ngf": width} if player is Player.GENERATOR else {"ndf": width}
    make = functools.partial(made, **given, **({"num_classes": CLASSES} if labels else {}))
    options = options | ({"latent": Z} if player is Player.GENERATOR else {})
    return (
        f"mimicry {made.__name__}",
        player,
        make,
        options | {"width": width if size == 32 else width // 16, "size": size},
        labels,
    )


def studiogan(checkout: Path) -> Iterator[Row]:
    misc: Any = types.ModuleType("utils.misc")
    misc.dummy_context_mgr = contextlib.nullcontext
    sys.modules["utils.misc"] = misc
    sys.path.insert(0, str(checkout / "src"))
    for size, dim, block in ((32, 4, 2), (64, 8, 3), (128, 8, 3)):
        for attended, normalised, labels in ((False, False, False), (True, True, True), (False, False, True)):
            yield studiogan_generator("resnet", size, dim, block if attended else 0, normalised, labels)
        for attended, labels in ((False, False), (True, True)):
            yield studiogan_discriminator("resnet", size, dim, attended, labels)
        yield studiogan_generator("big_resnet", size, dim, block, True, True)
        yield studiogan_discriminator("big_resnet", size, dim, True, True)


def studiogan_generator(backbone: str, size: int, dim: int, block: int, normalised: bool, labels: bool) -> Row:
    latent = {32: 4, 64: 5, 128: 6}[size] * 3 if backbone == "big_resnet" else Z
    make = functools.partial(
        importlib.import_module(f"models.{backbone}").Generator,
        *(latent, SHARED, size, dim),
        attn_g_loc=[block],
        g_cond_mtd="cBN" if labels else "W/O",
        g_init="ortho",
        g_depth=None,
        **common(bool(block), normalised, labels),
    )
    norm = {"use": "conditional_batch" if labels else "batch", "eps": 1e-4}
    options = {"width": dim * (4 if size == 32 else 1), "size": size, "latent": latent}
    options |= {"norm": norm, "final_norm": {"use": "batch", "eps": 1e-4}, "weight_norm": "spectral" if normalised else "none"}
    options |= {"attention_at": [4 * 2**block]} if block else {}
    options |= {"use": "biggan", "shared": SHARED} if backbone == "big_resnet" else {}
    return named(backbone, size, bool(block), normalised, labels), Player.GENERATOR, make, options, labels


def studiogan_discriminator(backbone: str, size: int, dim: int, attended: bool, labels: bool) -> Row:
    how = {"attn_d_loc": [1], "d_cond_mtd": "PD" if labels else "W/O", "aux_cls_type": "W/O", "d_embed_dim": None}
    make = functools.partial(
        importlib.import_module(f"models.{backbone}").Discriminator,
        *(size, dim, True),
        **how | {"normalize_d_embed": False, "d_init": "ortho", "d_depth": None},
        **common(attended, True, labels),
    )
    options = {"shortcut": "activated", "weight_norm": "spectral", "width": dim * (2 if size == 32 else 1), "size": size}
    options |= {"conditioning": "projection" if labels else "none"} | ({"attention_at": [size // 2]} if attended else {})
    return named(backbone, size, attended, True, labels), Player.DISCRIMINATOR, make, options, labels


def named(backbone: str, size: int, attended: bool, normalised: bool, labels: bool) -> str:
    return f"StudioGAN {backbone}, {size} px{', attention' * attended}{', spectral norm' * normalised}{', classes' * labels}"


def common(attended: bool, normalised: bool, labels: bool) -> dict[str, Any]:
    """What both players of StudioGAN's take, most of it from its configuration."""
    model = types.SimpleNamespace(info_type="N/A", g_info_injection="N/A")
    parts = modules(importlib.import_module("utils.ops"), normalised, labels)
    return {"mixed_precision": False, "MODULES": parts, "MODEL": model, "num_classes": CLASSES, "apply_attn": attended}


def modules(ops: Any, normalised: bool, labels: bool) -> types.SimpleNamespace:
    """Which layers networks are made of, as StudioGAN's configuration would say it."""
    sn = {True: "sn", False: ""}
    layers = {f"g_{name}": getattr(ops, sn[normalised] + name) for name in ("conv2d", "linear")}
    layers |= {f"d_{name}": getattr(ops, f"sn{name}") for name in ("conv2d", "linear")}
    layers |= {"d_embedding": ops.sn_embedding, "g_bn": ops.ConditionalBatchNorm2d if labels else ops.batchnorm_2d}
    return types.SimpleNamespace(**layers, g_act_fn=nn.ReLU(inplace=True), d_act_fn=nn.ReLU(inplace=True))


def report(layout: str, row: Row) -> float:
    what, player, make, options, labels = row
    torch.manual_seed(0)
    theirs = make()
    size = options.pop("size")
    image = ImageSpec(3, size, CLASSES if labels else 0)
    latent = options.get("latent", 0)
    draw = functools.partial(inputs, player, size, latent, labels, layout)
    trained(theirs, draw)
    component = ganblocks.discover().create(str(player), options.pop("use", "resnet"), **options)
    site = Site(channels=3, size=size, player=player, path=str(player), condition=Classes(CLASSES) if labels else None)
    network = component.build(image, site).double()
    try:
        network.load_state_dict(component.from_foreign(layout, network, theirs.state_dict()))
    except (GanblocksError, KeyError) as error:
        print(f"| {what} | {player} | refused: {error} |")
        return float("inf")
    given = draw()
    copies = [None if part is None else part.clone() for part in given]  # activations in place may reach the input
    with torch.no_grad():
        expected, actual = (
            answer(theirs.eval()(*copies)),
            answer(network.eval()(*given)),
        )
    difference = float((expected - actual).abs().max() / expected.abs().max())
    print(f"| {what} | {player} | {difference:.0e} |", flush=True)
    return difference


def inputs(player: Player, size: int, latent: int, labels: bool, layout: str) -> list[Any]:
    x = torch.randn(BATCH, latent).double() if player is Player.GENERATOR else torch.rand(BATCH, 3, size, size).double() * 2 - 1
    label = torch.randint(CLASSES, (BATCH,)) if labels else None
    return [x] if layout == "mimicry" and not labels else [x, label]


def trained(theirs: nn.Module, draw: Callable[[], list[Any]]) -> None:
    """As after some training: weights and statistics that have moved, gates that are open, vectors that have settled."""
    with torch.no_grad():
        for parameter in theirs.double().parameters():
            parameter.add_(0.1 * torch.randn_like(parameter) * parameter.std(correction=0) if parameter.ndim else 0.7)
            parameter.add_(0.7 if parameter.numel() == 1 else 0)
        for module in theirs.modules():
            if isinstance(module, nn.Linear):  # StudioGAN's classes are in float32
                module.register_forward_pre_hook(lambda layer, given: (given[0].to(layer.weight.dtype),))
        for _ in range(5):
            theirs.train()(*draw())
        for module in theirs.modules():
            if hasattr(module, "sn_u"):
                module.sn_u.copy_(torch.linalg.svd(module.weight.flatten(1), full_matrices=False)[0][:, 0])
            if hasattr(module, "weight_u"):
                u, _, vh = torch.linalg.svd(module.weight_orig.flatten(1), full_matrices=False)
                module.weight_u.copy_(u[:, 0])
                module.weight_v.copy_(vh[0])


def answer(output: Any) -> Tensor:
    """Images, or logits [B]."""
    if isinstance(output, dict):
        output = output["adv_output"]
    result: Tensor = getattr(output, "logits", output)
    return result if result.ndim == 4 else result.flatten()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(main())
