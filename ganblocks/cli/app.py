"""The application: global options, the list of commands, and what becomes of errors.

Exit codes: 0 fine, 1 failure while training, 2 the user's input, 3 data or checkpoint, 4 stopped by the health rules, 130 and
143 on signals.
"""

from __future__ import annotations

import sys
import traceback
import warnings
from pathlib import Path
from typing import Annotated, TextIO

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


def _json(context: typer.Context, wanted: bool) -> bool:
    """Keep stdout for the one document, whatever plugins print."""
    if wanted:
        from ganblocks.cli.output import results_only

        context.with_resource(results_only())
    return wanted


FAILED = 1
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.", callback=_json)]
RecipePath = Annotated[Path, typer.Argument(help="A recipe (TOML).", metavar="RECIPE")]
Sets = Annotated[list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Change one value; repeatable.")]
AblationName = Annotated[str | None, typer.Option("--ablation", metavar="NAME", help="Apply one of the recipe's ablations.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
FeatureCache = Annotated[
    Path | None, typer.Option("--feature-cache", metavar="DIR", help="Keep features of real images there, for others to read.")
]
NoScore = Annotated[bool, typer.Option("--no-score", help="Score nothing, whatever [evaluation] says.")]
TruncationBy = Annotated[
    str, typer.Option(help="What T means: resample until within it, scaled_resample (T times the normal cut to 2), or std.")
]
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
    feature_cache: FeatureCache = None,
    init_from: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Start from the weights of another run, where they fit.")
    ] = None,
    no_score: NoScore = False,
) -> None:
    """Train a recipe.  Example: ganblocks run recipes/sagan.toml --ablation residual"""
    from ganblocks.cli.run import run

    scored = not no_score
    code = run(context.obj, recipe, sets or [], ablation, out, device, seed, quiet, feature_cache, init_from, scored)
    raise typer.Exit(code)


@app.command("resume")
def resume_command(
    context: typer.Context,
    run: Annotated[Path, typer.Argument(help="A run folder.", metavar="RUN")],
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda; by default that of the run.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
    feature_cache: FeatureCache = None,
    exact: Annotated[
        bool, typer.Option("--exact", help="Refuse where versions, the device or an edited recipe may change bits.")
    ] = False,
    images: Annotated[
        int | None, typer.Option(min=1, help="Train until so many images were seen; by default the recipe's.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Where the run's images are now, if they have moved.")
    ] = None,
    no_score: NoScore = False,
) -> None:
    """Go on with a stopped run, as if it never had been, or longer.  Example: ganblocks resume runs/sagan --images 120000"""
    from ganblocks.cli.resume import resume

    raise typer.Exit(resume(context.obj, run, device, quiet, feature_cache, exact, images, data, not no_score))


@app.command("sample")
def sample_command(
    context: typer.Context,
    run: Annotated[Path, typer.Argument(help="A run folder.", metavar="RUN")],
    n: Annotated[int, typer.Option("--n", min=1, help="How many images.")] = 64,
    class_: Annotated[str | None, typer.Option("--class", metavar="K", help="One class, by name or number; else all.")] = None,
    seed: Seed = 0,
    start: Annotated[int, typer.Option(min=0, help="Index of the first: samples START, START + 1, … of the seed.")] = 0,
    truncation: Annotated[float | None, typer.Option(help="Cut latents to [-T, T]: fewer oddities, less variety.")] = None,
    truncation_by: TruncationBy = "resample",
    out: Annotated[Path | None, typer.Option(help="A grid: the PNG to write; by default in the run folder.")] = None,
    to: Annotated[
        Path | None, typer.Option(metavar="FOLDER|FILE.npz", help="Each image as it is: PNGs in a folder per class, or an npz.")
    ] = None,
    device: Device = "cpu",
) -> None:
    """Draw images from a run.  Example: ganblocks sample runs/sagan --n 500 --class dogs --to out"""
    from ganblocks.cli.sample import EvaluationSettings, sample

    settings = EvaluationSettings(n=n, class_=class_, seed=seed, start=start, truncation=truncation, convention=truncation_by)
    sample(context.obj, run, settings, out, to, device)


@app.command("evaluate")
def evaluate_command(
    context: typer.Context,
    run: Annotated[Path, typer.Argument(help="A run folder.", metavar="RUN")],
    metric: Annotated[list[str] | None, typer.Option("--metric", help="A metric; repeatable. Else the usual ones.")] = None,
    extractor: Annotated[str | None, typer.Option(help="What the metrics see of images.")] = None,
    n: Annotated[int | None, typer.Option("--n", min=2, help="Samples; by default as many as training images.")] = None,
    truncation: Annotated[float | None, typer.Option(help="Cut latents to [-T, T].")] = None,
    truncation_by: TruncationBy = "resample",
    batch_norm: Annotated[str, typer.Option(help="moving, batch or standing statistics.")] = "moving",
    live: Annotated[bool, typer.Option("--live", help="The generator as it was trained, not its average.")] = False,
    seed: Seed = 0,
    device: Device = "auto",
    feature_cache: FeatureCache = None,
    data: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Where the run's images are now, if they have moved.")
    ] = None,
    other_data: Annotated[
        bool, typer.Option("--other-data", help="Score against the images that are there, though the run has seen others.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Score a run, with controls beside each number.  Example: ganblocks evaluate runs/sagan --metric kernel"""
    from ganblocks.cli.evaluate import evaluate

    options = {
        "truncation": truncation,
        "truncation_by": truncation_by,
        "batch_norm": batch_norm,
        "seed": seed,
        "device": device,
        "n": n,
    }
    options |= ({"weights": "live"} if live else {}) | {"other_data": other_data}
    evaluate(context.obj, run, metric or (), extractor, options, feature_cache, data, as_json)


@app.command("check")
def check_command(
    context: typer.Context,
    recipe: Annotated[Path, typer.Argument(help="A recipe (TOML), or a folder of images.", metavar="RECIPE_OR_FOLDER")],
    sets: Sets = None,
    ablation: AblationName = None,
    as_json: AsJson = False,
    data: Annotated[bool, typer.Option("--data", help="Look at every image as well.")] = False,
) -> None:
    """Say what a recipe costs and what would go wrong, without training.  Example: ganblocks check recipes/sagan.toml"""
    from ganblocks.cli.check import check

    check(context.obj, recipe, sets or [], ablation, as_json, data)


@app.command("import")
def import_command(
    context: typer.Context,
    recipe: RecipePath,
    layout: Annotated[str, typer.Option(help="Whose names the files have: mimicry or studiogan, for resnets.")],
    out: Annotated[Path, typer.Option(help="The run folder to write.")],
    generator: Annotated[Path | None, typer.Option(metavar="FILE", help="The generator's weights.")] = None,
    discriminator: Annotated[Path | None, typer.Option(metavar="FILE", help="The discriminator's weights.")] = None,
    sets: Sets = None,
    ablation: AblationName = None,
) -> None:
    """Take over weights trained elsewhere.  Example: ganblocks import r.toml --layout mimicry --generator g.pth --out runs/g"""
    from ganblocks.cli.import_weights import import_weights

    import_weights(context.obj, recipe, sets or [], ablation, layout, generator, discriminator, out)


@app.command("cite")
def cite_command(
    context: typer.Context,
    recipe: RecipePath,
    sets: Sets = None,
    ablation: AblationName = None,
    as_json: AsJson = False,
) -> None:
    """Print the BibTeX of the papers that a recipe's components come from.  Example: ganblocks cite recipes/sagan.toml"""
    from ganblocks.cli.cite import cite

    cite(context.obj, recipe, sets or [], ablation, as_json)


@app.command("ablate")
def ablate_command(
    context: typer.Context,
    recipe: RecipePath,
    seeds: Annotated[str, typer.Option(metavar="LIST", help="Seeds of every variant: 0,1,2 or 0-9.")] = "0,1,2",
    variants: Annotated[
        str | None, typer.Option(metavar="LIST", help="Ablations of the recipe, a+b for two at once; by default all.")
    ] = None,
    sets: Sets = None,
    score: Annotated[str | None, typer.Option(metavar="NAME", help="The score of the table; by default the first.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Runs at once.")] = 1,
    out: Annotated[Path | None, typer.Option(help="Where to; by default ablations/ and the recipe's name.")] = None,
    device: Device = "auto",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check every variant and say what would run.")] = False,
    as_json: AsJson = False,
) -> None:
    """Train variants over seeds and compare them.  Example: ganblocks ablate recipes/table1.toml --seeds 0,1,2"""
    from ganblocks.cli.ablate import Options, ablate

    wanted = Options(
        sets=sets or [],
        variants=variants,
        seeds=seeds,
        score=score,
        jobs=jobs,
        out=out,
        device=device,
        dry_run=dry_run,
        as_json=as_json,
    )
    raise typer.Exit(ablate(context.obj, recipe, wanted))


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
    verify: Annotated[
        bool, typer.Option("--verify", help="Import every component as well; exit code 1 if any is faulty.")
    ] = False,
) -> None:
    """List plugins, and say what is wrong with broken ones.  Example: ganblocks plugins --verify"""
    from ganblocks.cli.plugins import plugins

    raise typer.Exit(plugins(context.obj, as_json, verify))


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


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Ours are for the user, in one line; others' stay as quiet as Python keeps them."""
    say(f"warning: {message}")


def _say_error(text: str) -> None:
    """Names of files and of plugins may hold anything: control characters are not printed."""
    from ganblocks.cli.output import printable

    say("\n".join(f"error: {printable(line)}" for line in text.splitlines()))


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code. A user's mistake prints its message and no traceback."""
    arguments = sys.argv[1:] if arguments is None else arguments
    warnings.showwarning = _show_warning
    try:
        app(arguments)
    except GanblocksError as error:
        if "--debug" in arguments:
            raise
        _say_error(str(error))
        return error.exit_code
    except Exception as error:  # a fault of ganblocks or of a plugin, for whoever wrote it
        from ganblocks.cli.error_origin import blame

        _say_error(blame(error, arguments))
        traceback.print_exc()
        return FAILED
    except SystemExit as exit_:  # how typer ends every command
        return exit_.code if isinstance(exit_.code, int) else 0
    return 0
