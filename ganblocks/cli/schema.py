"""``ganblocks schema``: the JSON Schema of a recipe, for editors and for validators."""

from __future__ import annotations

from ganblocks.cli.commands import SchemaOptions
from ganblocks.cli.context import Context
from ganblocks.errors import UsageError
from ganblocks.files import write_text
from ganblocks.recipe.json_schema import schema_text


def schema(context: Context, options: SchemaOptions) -> None:
    """Print the schema, or write it to a file. Raise UsageError if that is not possible."""
    out = options.out
    text = schema_text(context.registry())
    if out is None:
        print(text, end="")
        return
    try:
        write_text(out, text)
    except OSError as error:
        raise UsageError(f"{out} cannot be written ({error.strerror})", "choose another file") from error
