"""``model export``: a trained model as a file for other programs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from asteroid_ll.cli.artifacts import artifact_option, names_option, open_model, open_view
from asteroid_ll.cli.console import Console
from asteroid_ll.cli.layout import counted
from asteroid_ll.cli.options import Choice, CommonOptions, common
from asteroid_ll.errors import ConfigError
from asteroid_ll.run.atomic import atomic_write

if TYPE_CHECKING:
    from asteroid_ll.export.named import NamedModel
    from asteroid_ll.neo.features import FittedFeatures

FORMATS = ("json", "onnx", "sklearn", "pmml", "sql", "python")


@dataclass(frozen=True)
class SqlOptions:
    """The options of ``--to sql``; None for the default.

    Attributes:
        table: the table to score.
        id_column: its column that identifies a row.
        is_long: read one row per value.
    """

    table: str | None
    id_column: str | None
    is_long: bool


@click.command("export", epilog="Example:  asteroid-ll model export --artifact model.tar.gz --to python -o model.py")
@common
@artifact_option
@click.option(
    "--to",
    "--format",
    "kind",
    type=Choice(FORMATS),
    default="json",
    show_default=True,
    help="json: the numbers; onnx; sklearn: a Python file that builds the estimator; pmml: version 4.4; sql: one "
    "SELECT; python: one file without dependencies.",
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The file to write."
)
@names_option
@click.option("--table", help="sql: the table to score.  [default: rows]")
@click.option("--id-column", help="sql: the column that identifies a row.  [default: id]")
@click.option(
    "--long",
    "is_long",
    is_flag=True,
    help="sql: read one row per value, with columns feature and value; absent is 0.",
)
def export(
    options: CommonOptions,
    artifact: Path | None,
    kind: str,
    output: Path,
    names_file: Path | None,
    table: str | None,
    id_column: str | None,
    is_long: bool,
) -> None:
    """Write a model for other programs.

    The file gives the scores of the model's endpoint, and for classifiers its labels.
    """
    from asteroid_ll.export.named import named

    sql = SqlOptions(table, id_column, is_long)
    if kind != "sql" and sql != SqlOptions(None, None, is_long=False):
        raise ConfigError("--table, --id-column and --long go with --to sql.", hint="asteroid-ll model export --help")
    model = open_model(options, artifact)
    view, fitted = open_view(options, model, artifact=artifact, names_file=names_file)
    has_names = fitted is not None or names_file is not None
    content = named(model, [feature.name for feature in view.features] if has_names else None)
    data = _data(content, kind, fitted=fitted, sql=sql)
    atomic_write(output, data)
    console = Console(as_json=options.as_json)
    note = _limit(content, is_long=is_long) if kind == "sql" else ""
    if options.as_json:
        console.envelope("model export", format=kind, output=str(output), bytes=len(data), note=note or None)
        return
    console.note(f"Wrote {output}: {model.predictor_type} of {counted(model.feature_dim, 'feature')}.")
    if note:
        console.note(note)


def _data(named: NamedModel, kind: str, *, fitted: FittedFeatures | None, sql: SqlOptions) -> bytes:
    """Return the bytes of the file; each format is imported when it is written."""
    if kind == "onnx":
        from asteroid_ll.export.onnx_file import to_onnx

        return to_onnx(named)
    if kind == "sklearn":
        from asteroid_ll.export.sklearn_file import to_sklearn

        return to_sklearn(named)
    if kind == "pmml":
        from asteroid_ll.export.pmml_file import to_pmml

        return to_pmml(named)
    if kind == "sql":
        from asteroid_ll.export.sql_file import to_sql

        return to_sql(named, table=sql.table or "rows", id_column=sql.id_column or "id", is_long=sql.is_long)
    if kind == "python":
        from asteroid_ll.export.python_file import to_python

        return to_python(named)
    from asteroid_ll.export.json_file import to_json

    return to_json(named, features=None if fitted is None else fitted.to_json())


def _limit(named: NamedModel, *, is_long: bool) -> str:
    """Return a sentence about the databases whose tables are too narrow for the SELECT; empty if there are none."""
    from asteroid_ll.export.sql_file import databases_too_narrow

    n_columns = len(named.names) + 1
    databases = [] if is_long else databases_too_narrow(n_columns)
    if not databases:
        return ""
    return (
        f"It reads a table with {n_columns:,} columns, too many for {' and '.join(databases)}. "
        "DuckDB has no limit; --long reads one row per value and works in all of them."
    )
