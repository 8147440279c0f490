"""The application: global options, commands, and errors.

Exit codes: 0 fine, 1 failure while training, 2 the user's input, 3 data or checkpoint, 4 stopped by the health rules, 130 and
143 on signals.
"""

from __future__ import annotations

import sys
import traceback
import warnings
from importlib import import_module
from inspect import Parameter, Signature
from typing import Annotated, Any, TextIO, get_type_hints

import attrs
import typer

from ganblocks.cli.collection import few_collections
from ganblocks.cli.commands import BRIEF, COMMANDS
from ganblocks.cli.context import Context, say
from ganblocks.errors import GanblocksError

app = typer.Typer(
    name="ganblocks",
    help="Train GANs assembled from plugins, as a recipe says.",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


FAILED = 1


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
    """Global options."""
    context.obj = Context(plugin or (), strict_plugins)


def _register(name: str, options: type, target: str) -> None:
    """Add a command that makes an instance of ``options`` from the command line and hands it to ``target``."""
    module, function = target.split(":")

    def command(context: typer.Context, **values: Any) -> None:
        with few_collections():
            run = getattr(import_module(f"ganblocks.cli.{module}"), function)
            if name in BRIEF:
                raise typer.Exit(run(context.obj, options(**values)) or 0)
        raise typer.Exit(run(context.obj, options(**values)) or 0)

    types = get_type_hints(options, include_extras=True)
    parameters = {"context": Parameter("context", Parameter.KEYWORD_ONLY, annotation=typer.Context)}
    for option in attrs.fields(options):
        default = Parameter.empty if option.default is attrs.NOTHING else option.default
        parameters[option.name] = Parameter(option.name, Parameter.KEYWORD_ONLY, default=default, annotation=types[option.name])
    command.__signature__ = Signature(list(parameters.values()))  # type: ignore[attr-defined]
    command.__annotations__ = {key: parameter.annotation for key, parameter in parameters.items()}
    app.command(name, help=options.__doc__)(command)


for _name, (_options, _target) in COMMANDS.items():
    _register(_name, _options, _target)


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Print a warning of ganblocks in one line."""
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
    except Exception as error:  # a bug of ganblocks or of a plugin
        from ganblocks.cli.error_origin import describe_origin

        _say_error(describe_origin(error, arguments))
        traceback.print_exc()
        return FAILED
    except SystemExit as exit_:  # how typer ends every command
        return exit_.code if isinstance(exit_.code, int) else 0
    return 0
