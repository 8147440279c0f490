"""The application: global options, the list of commands, and what becomes of errors.

Exit codes: 0 fine, 1 failure while training, 2 the user's input, 3 data or checkpoint, 4 stopped by the health rules, 130 and
143 on signals.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ganblocks.cli.context import Context, say
from ganblocks.errors import GanblocksError

app = typer.Typer(
    name="ganblocks",
    help="Train and take apart GANs: every block is a plugin, every experiment a recipe.",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

RecipePath = Annotated[Path, typer.Argument(help="A recipe (TOML).", metavar="RECIPE")]
Sets = Annotated[list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Change one value; repeatable.")]
AblationName = Annotated[str | None, typer.Option("--ablation", metavar="NAME", help="Apply one of the recipe's ablations.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Seed = Annotated[int, typer.Option(help="Seed of everything that is drawn.")]


def _version(wanted: bool) -> None:
    if wanted:
        import ganblocks

        print(f"ganblocks {ganblocks.__version__}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    plugin: Annotated[
        list[str] | None, typer.Option("-p", "--plugin", metavar="no:NAME|FILE.py", help="Keep a plugin out, or add a file.")
    ] = None,
    strict_plugins: Annotated[bool, typer.Option("--strict-plugins", help="Stop if any plugin is broken.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    context.obj = Context(plugin or (), strict_plugins)


@app.command("run")
def run_command(
    context: typer.Context,
    recipe: RecipePath,
    sets: Sets = None,
    ablation: AblationName = None,
    out: Annotated[Path | None, typer.Option(help="The run folder; by default runs/ and the recipe's name.")] = None,
    device: Device = "auto",
    seed: Seed = 0,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> None:
    """Train a recipe.  Example: ganblocks run recipes/sagan.toml --ablation residual"""
    from ganblocks.cli.run import run

    raise typer.Exit(run(context.obj, recipe, sets or [], ablation, out, device, seed, quiet))


@app.command("sample")
def sample_command(
    context: typer.Context,
    run: Annotated[Path, typer.Argument(help="A run folder.", metavar="RUN")],
    n: Annotated[int, typer.Option("--n", min=1, help="How many images.")] = 64,
    class_: Annotated[str | None, typer.Option("--class", metavar="K", help="One class, by number or name; else all.")] = None,
    seed: Seed = 0,
    truncation: Annotated[float | None, typer.Option(help="Cut latents to [-T, T]: fewer oddities, less variety.")] = None,
    out: Annotated[Path | None, typer.Option(help="The PNG to write; by default in the run folder.")] = None,
    device: Device = "cpu",
) -> None:
    """Draw images from a run.  Example: ganblocks sample runs/sagan --n 64 --class 3 --truncation 0.7"""
    from ganblocks.cli.sample import sample

    sample(context.obj, run, n, class_, seed, truncation, out, device)


@app.command("evaluate")
def evaluate_command(
    context: typer.Context,
    run: Annotated[Path, typer.Argument(help="A run folder.", metavar="RUN")],
    metric: Annotated[list[str] | None, typer.Option("--metric", help="A metric; repeatable. Else the usual ones.")] = None,
    extractor: Annotated[str | None, typer.Option(help="What the metrics see of images.")] = None,
    n: Annotated[int | None, typer.Option("--n", min=2, help="Samples; by default as many as training images.")] = None,
    truncation: Annotated[float | None, typer.Option(help="Cut latents to [-T, T].")] = None,
    batch_norm: Annotated[str, typer.Option(help="moving, batch or standing statistics.")] = "moving",
    seed: Seed = 0,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Score a run, with controls beside each number.  Example: ganblocks evaluate runs/sagan --metric kernel"""
    from ganblocks.cli.evaluate import evaluate

    options = {"truncation": truncation, "batch_norm": batch_norm, "seed": seed, "device": device, "n": n}
    evaluate(context.obj, run, metric or (), extractor, options, as_json)


@app.command("check")
def check_command(
    context: typer.Context,
    recipe: RecipePath,
    sets: Sets = None,
    ablation: AblationName = None,
    as_json: AsJson = False,
) -> None:
    """Say what a recipe costs and what would go wrong, without training.  Example: ganblocks check recipes/sagan.toml"""
    from ganblocks.cli.check import check

    check(context.obj, recipe, sets or [], ablation, as_json)


@app.command("list")
def list_command(
    context: typer.Context,
    kind: Annotated[str | None, typer.Argument(help="One kind; else all.", metavar="KIND")] = None,
    as_json: AsJson = False,
) -> None:
    """List components.  Example: ganblocks list attention"""
    from ganblocks.cli.list import list_components

    list_components(context.obj, kind, as_json)


@app.command("show")
def show_command(
    context: typer.Context,
    kind: Annotated[str, typer.Argument(metavar="KIND")],
    name: Annotated[str, typer.Argument(metavar="NAME")],
    as_json: AsJson = False,
) -> None:
    """Describe one component: what it is, its options, its owner.  Example: ganblocks show attention self_attention"""
    from ganblocks.cli.show import show

    show(context.obj, kind, name, as_json)


@app.command("plugins")
def plugins_command(
    context: typer.Context,
    as_json: AsJson = False,
    verify: Annotated[bool, typer.Option("--verify", help="Import every component as well.")] = False,
) -> None:
    """List plugins, and say what is wrong with broken ones.  Example: ganblocks plugins --verify"""
    from ganblocks.cli.plugins import plugins

    plugins(context.obj, as_json, verify)


@app.command("new-plugin")
def new_plugin_command(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The new package's name, such as acme-blocks.", metavar="NAME")],
    into: Annotated[Path, typer.Option(help="Where to make its folder.")] = Path(),
) -> None:
    """Write a package with an attention block of your own, and its tests.  Example: ganblocks new-plugin acme-blocks"""
    from ganblocks.cli.new_plugin import new_plugin

    new_plugin(context.obj, name, into)


@app.command("conform")
def conform_command(
    context: typer.Context,
    plugin: Annotated[str, typer.Argument(help="A plugin, distribution or module.", metavar="MODULE_OR_DISTRIBUTION")],
    as_json: AsJson = False,
    examples: Annotated[int | None, typer.Option(min=1, help="Examples of each promise; by default about 10.")] = None,
) -> None:
    """Try every component of a plugin against all that its kind promises.  Example: ganblocks conform acme-blocks"""
    from ganblocks.cli.conform import conform

    raise typer.Exit(conform(context.obj, plugin, as_json, examples))


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code. A user's mistake prints its message and no traceback."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        app(arguments)
    except GanblocksError as error:
        if "--debug" in arguments:
            raise
        say("\n".join(f"error: {line}" for line in str(error).splitlines()))
        return error.exit_code
    except SystemExit as exit_:  # how typer ends every command
        return exit_.code if isinstance(exit_.code, int) else 0
    return 0
