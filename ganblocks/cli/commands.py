"""The options of every command: one frozen class each, whose docstring is the command's help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from attrs import converters, field, frozen


def _json(context: typer.Context, wanted: bool) -> bool:
    """Keep stdout for the one document, whatever plugins print."""
    if wanted:
        from ganblocks.cli.output import results_only

        context.with_resource(results_only())
    return wanted


AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.", callback=_json)]
RecipePath = Annotated[Path, typer.Argument(help="A recipe (TOML).", metavar="RECIPE")]
RunPath = Annotated[Path, typer.Argument(help="A run folder.", metavar="RUN")]
Sets = Annotated[list[str], typer.Option("--set", metavar="PATH=VALUE", help="Change one value; repeatable.")]
AblationName = Annotated[str | None, typer.Option("--ablation", metavar="NAME", help="Apply one of the recipe's ablations.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress.")]
FeatureCache = Annotated[
    Path | None,
    typer.Option(
        "--feature-cache", metavar="DIR", help="Keep features of real images there; by default in the user's cache folder."
    ),
]
NoScore = Annotated[bool, typer.Option("--no-score", help="Do not score, whatever [evaluation] says.")]
Log = Annotated[
    list[str], typer.Option("--log", metavar="NAME", help="Show the run elsewhere too: see ganblocks list logger; repeatable.")
]
Data = Annotated[Path | None, typer.Option(metavar="PATH", help="Where the run's images are now, if they have moved.")]
Truncation = Annotated[float | None, typer.Option(help="Truncate latents to [-T, T]: higher fidelity, less variety.")]
TruncationBy = Annotated[
    str,
    typer.Option(help="How to truncate: resample until within T, scaled_resample (T x normal truncated at 2), or std."),
]
Seed = Annotated[int, typer.Option(help="Random seed.")]


def repeatable() -> list[str]:
    """An option that may be given several times; none by default."""
    strings: list[str] = field(default=None, converter=converters.default_if_none(factory=list))
    return strings


def repeatable_paths() -> list[Path]:
    """An option of paths that may be given several times; none by default."""
    paths: list[Path] = field(default=None, converter=converters.default_if_none(factory=list))
    return paths


@frozen(kw_only=True)
class RunOptions:
    """Train a recipe.  Example: ganblocks run recipes/sagan.toml --ablation residual"""

    recipe: RecipePath
    sets: Sets = repeatable()
    ablation: AblationName = None
    out: Annotated[Path | None, typer.Option(help="The run folder; by default runs/ and the recipe's name.")] = None
    device: Device = "auto"
    seed: Seed = 0
    quiet: Quiet = False
    feature_cache: FeatureCache = None
    init_from: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Start from the weights of another run, where they fit.")
    ] = None
    no_score: NoScore = False
    log: Log = repeatable()


@frozen(kw_only=True)
class ResumeOptions:
    """Resume an interrupted run, bit for bit, or train longer.  Example: ganblocks resume runs/sagan --images 120000"""

    run: RunPath
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda; by default that of the run.")] = None
    quiet: Quiet = False
    feature_cache: FeatureCache = None
    exact: Annotated[
        bool, typer.Option("--exact", help="Refuse where versions, the device or an edited recipe may change the result.")
    ] = False
    images: Annotated[int | None, typer.Option(min=1, help="Train until this many images; by default the recipe's.")] = None
    data: Data = None
    no_score: NoScore = False
    log: Log = repeatable()


@frozen(kw_only=True)
class SampleOptions:
    """Draw images from a run.  Example: ganblocks sample runs/sagan --n 500 --class dogs --to out"""

    run: RunPath
    n: Annotated[
        int | None, typer.Option("--n", min=1, help="How many samples; by default 64, and fewer for a walk or a sweep.")
    ] = None
    class_: Annotated[
        str | None, typer.Option("--class", metavar="K", help="One class, by name or number; by default all.")
    ] = None
    seed: Seed = 0
    start: Annotated[int, typer.Option(min=0, help="Index of the first: samples START, START + 1, … of the seed.")] = 0
    truncation: Truncation = None
    truncation_by: TruncationBy = "resample"
    interpolate: Annotated[
        int | None,
        typer.Option(metavar="FRAMES", min=3, help="A walk: FRAMES images from each sample to the next, both included."),
    ] = None
    to_class: Annotated[
        str | None, typer.Option(metavar="K", help="With --interpolate: each sample from --class to this class.")
    ] = None
    sweep: Annotated[
        str | None, typer.Option(metavar="T,T,...", help="The same samples in a row for each truncation; none: untruncated.")
    ] = None
    out: Annotated[
        Path | None,
        typer.Option(help="The PNG to write, or a GIF or WebP of a walk as an animation; by default a PNG in the run folder."),
    ] = None
    to: Annotated[
        Path | None, typer.Option(metavar="FOLDER|FILE.npz", help="Single images: PNGs in a folder per class, or an npz.")
    ] = None
    device: Device = "cpu"


@frozen(kw_only=True)
class EvaluateOptions:
    """Score a run, with controls beside each number.  Example: ganblocks evaluate runs/sagan --metric kernel"""

    run: RunPath
    metric: Annotated[list[str], typer.Option(help="Metric or diagnostic; repeatable. By default the recipe's.")] = repeatable()
    extractor: Annotated[str | None, typer.Option(help="The feature extractor used by the metrics.")] = None
    n: Annotated[int | None, typer.Option("--n", min=2, help="Samples; by default as many as training images.")] = None
    truncation: Truncation = None
    truncation_by: TruncationBy = "resample"
    batch_norm: Annotated[str, typer.Option(help="moving, batch or standing statistics.")] = "moving"
    live: Annotated[bool, typer.Option("--live", help="Use the generator as trained, not its average.")] = False
    seed: Seed = 0
    device: Device = "auto"
    feature_cache: FeatureCache = None
    data: Data = None
    other_data: Annotated[
        bool, typer.Option("--other-data", help="Score against the images at the path, though the run was trained on others.")
    ] = False
    attention: Annotated[
        bool, typer.Option("--attention", help="Also with each attention block switched off, and with its query-mean map.")
    ] = False
    as_json: AsJson = False


@frozen(kw_only=True)
class AttentionOptions:
    """Show what attention blocks attend to: figures, numbers and a page.  Example: ganblocks attention runs/sagan"""

    run: RunPath
    n: Annotated[
        int | None, typer.Option("--n", min=1, max=64, help="Images; by default one for each row of the run's grid.")
    ] = None
    class_: Annotated[str | None, typer.Option("--class", metavar="K", help="Of one class, by name or number.")] = None
    seed: Annotated[int | None, typer.Option(help="Random seed of samples; by default those of the run's grid.")] = None
    network: Annotated[str | None, typer.Option(help="generator or discriminator; by default both.")] = None
    block: Annotated[str | None, typer.Option(metavar="PATH", help="One block; by default all that have a map.")] = None
    head: Annotated[int | None, typer.Option(min=1, help="A head in the figures; by default the mean of all.")] = None
    queries: Annotated[
        str | None, typer.Option(metavar="Y,X;Y,X", help="Queries in the figures, in pixels; by default four that differ.")
    ] = None
    image: Annotated[
        list[Path], typer.Option(metavar="FILE", help="What the discriminator attends to in an image file; repeatable.")
    ] = repeatable_paths()
    out: Annotated[Path | None, typer.Option(help="The folder to write; by default attention/ in the run folder.")] = None
    device: Device = "cpu"
    data: Data = None
    as_json: AsJson = False


@frozen(kw_only=True)
class ReportOptions:
    """Write one HTML page about a run, several runs side by side, or a study.  Example: ganblocks report runs/a runs/b"""

    folders: Annotated[list[Path], typer.Argument(help="Run folders, or one study folder.", metavar="RUN...|STUDY")]
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="By default report.html in the folder, or here for several runs.")
    ] = None


@frozen(kw_only=True)
class CheckOptions:
    """Estimate cost and find errors without training.  Example: ganblocks check recipes/sagan.toml"""

    recipe: Annotated[Path, typer.Argument(help="A recipe (TOML), or a folder of images.", metavar="RECIPE_OR_FOLDER")]
    sets: Sets = repeatable()
    ablation: AblationName = None
    as_json: AsJson = False
    data: Annotated[bool, typer.Option("--data", help="Check every image too.")] = False
    size: Annotated[
        str | None, typer.Option(metavar="PIXELS", help="For a folder: the size of training, such as 32 or [64,128].")
    ] = None


@frozen(kw_only=True)
class ImportOptions:
    """Import weights trained elsewhere.  Example: ganblocks import r.toml --layout mimicry --generator g.pth --out runs/g"""

    recipe: RecipePath
    layout: Annotated[str, typer.Option(help="Whose parameter names the files use: see ganblocks show generator NAME.")]
    out: Annotated[Path, typer.Option(help="The run folder to write.")]
    generator: Annotated[Path | None, typer.Option(metavar="FILE", help="The generator's weights.")] = None
    discriminator: Annotated[Path | None, typer.Option(metavar="FILE", help="The discriminator's weights.")] = None
    sets: Sets = repeatable()
    ablation: AblationName = None


@frozen(kw_only=True)
class CiteOptions:
    """Print the BibTeX of the papers that a recipe's components come from.  Example: ganblocks cite recipes/sagan.toml"""

    recipe: RecipePath
    sets: Sets = repeatable()
    ablation: AblationName = None
    as_json: AsJson = False


@frozen(kw_only=True)
class AblateOptions:
    """Train variants over seeds and compare them.  Example: ganblocks ablate recipes/table1.toml --seeds 0,1,2"""

    recipe: RecipePath
    seeds: Annotated[str, typer.Option(metavar="LIST", help="Seeds of every variant: 0,1,2 or 0-9.")] = "0,1,2"
    variants: Annotated[
        str | None, typer.Option(metavar="LIST", help="Ablations of the recipe, a+b for two at once; by default all.")
    ] = None
    sets: Sets = repeatable()
    score: Annotated[str | None, typer.Option(metavar="NAME", help="The score of the table; by default the first.")] = None
    jobs: Annotated[int, typer.Option(min=1, help="Runs at the same time.")] = 1
    out: Annotated[Path | None, typer.Option(help="The study folder; by default ablations/ and the recipe's name.")] = None
    device: Device = "auto"
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check every variant and print the plan.")] = False
    as_json: AsJson = False


@frozen(kw_only=True)
class ListOptions:
    """List components.  Example: ganblocks list attention"""

    kind: Annotated[str | None, typer.Argument(help="One kind; by default all.", metavar="KIND")] = None
    as_json: AsJson = False


@frozen(kw_only=True)
class ShowOptions:
    """Describe one component and its options, or list a kind.  Example: ganblocks show attention self_attention"""

    kind: Annotated[str, typer.Argument(metavar="KIND")]
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="By default the components of the kind are listed.")] = None
    as_json: AsJson = False


@frozen(kw_only=True)
class PluginsOptions:
    """List plugins, and what is wrong with broken ones.  Example: ganblocks plugins --verify"""

    as_json: AsJson = False
    verify: Annotated[bool, typer.Option("--verify", help="Import every component too; exit code 1 if any is faulty.")] = False


@frozen(kw_only=True)
class NewPluginOptions:
    """Write a package with an attention block of your own, and its tests.  Example: ganblocks new-plugin acme-blocks"""

    name: Annotated[str, typer.Argument(help="The new package's name, such as acme-blocks.", metavar="NAME")]
    into: Annotated[Path, typer.Option(help="The folder in which to create it.")] = Path()


@frozen(kw_only=True)
class ConformOptions:
    """Test every component of a plugin against the properties of its kind.  Example: ganblocks conform acme-blocks"""

    plugin: Annotated[str, typer.Argument(help="A plugin, distribution or module.", metavar="MODULE_OR_DISTRIBUTION")]
    as_json: AsJson = False
    examples: Annotated[int | None, typer.Option(min=1, help="Examples of each property; by default about 10.")] = None


@frozen(kw_only=True)
class SchemaOptions:
    """Print the JSON Schema of a recipe with all installed components.  Example: ganblocks schema --out recipe.schema.json"""

    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write it to a file.")] = None


COMMANDS: dict[str, tuple[type, str]] = {
    "run": (RunOptions, "run:run"),
    "resume": (ResumeOptions, "resume:resume"),
    "sample": (SampleOptions, "sample:sample"),
    "evaluate": (EvaluateOptions, "evaluate:evaluate"),
    "attention": (AttentionOptions, "attention:attention"),
    "report": (ReportOptions, "report:report"),
    "check": (CheckOptions, "check:check"),
    "import": (ImportOptions, "import_weights:import_weights"),
    "cite": (CiteOptions, "cite:cite"),
    "ablate": (AblateOptions, "ablate:ablate"),
    "list": (ListOptions, "show:list_components"),
    "show": (ShowOptions, "show:show"),
    "plugins": (PluginsOptions, "plugins:plugins"),
    "new-plugin": (NewPluginOptions, "new_plugin:new_plugin"),
    "conform": (ConformOptions, "conform:conform"),
    "schema": (SchemaOptions, "schema:schema"),
}
"""Command -> its options, and the function in ``ganblocks.cli``: (Context, options) -> exit code, or None for 0."""
BRIEF = {"check", "cite", "list", "show", "plugins", "new-plugin", "schema"}
"""Commands that end soon after their imports."""
