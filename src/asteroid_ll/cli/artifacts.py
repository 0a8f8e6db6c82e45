"""The options that the ``model`` commands share, and the model that they mean."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from asteroid_ll.cli.options import CommonOptions
from asteroid_ll.errors import DataError
from asteroid_ll.run import paths

if TYPE_CHECKING:
    from asteroid_ll.linear_learner.model import Model
    from asteroid_ll.neo.features import FittedFeatures
    from asteroid_ll.report.model_view import ModelView

_GET_ARTIFACT = "aws s3 cp s3://BUCKET/PREFIX/JOB/output/model.tar.gz .   gets the artifact of a training job."

artifact_option = click.option(
    "--artifact",
    type=click.Path(path_type=Path),
    help="The model.tar.gz of any Linear Learner job; default: that of the run directory.",
)
names_option = click.option(
    "--names",
    "names_file",
    type=click.Path(path_type=Path),
    help="Text file with one feature name per line; default: the names of the run, or f0, f1, ... for --artifact.",
)


def open_model(options: CommonOptions, artifact: Path | None) -> Model:
    """Return the model of ``--artifact``, or of the run directory.

    Raises:
        DataError: there is no such file, or it is not a Linear Learner model.
    """
    from asteroid_ll.linear_learner.model import Model

    path = artifact or options.workdir / paths.ARTIFACT
    hint = _GET_ARTIFACT if artifact is not None else "asteroid-ll train   or   --artifact FILE"
    if not path.exists():
        raise DataError(f"There is no model at {path}.", hint=hint)
    try:
        return Model.load(path)
    except DataError as error:
        raise DataError(error.what, hint=hint) from error


def open_view(
    options: CommonOptions, model: Model, *, artifact: Path | None, names_file: Path | None, log: Path | None = None
) -> tuple[ModelView, FittedFeatures | None]:
    """Return the description of a model, and the run's features if the model is of the run.

    Raises:
        ConfigError: the file with the names is wrong.
        DataError: the features or the log are damaged, or belong to another model.
    """
    from asteroid_ll.export.named import read_names
    from asteroid_ll.report.model_view import load

    features = None
    if artifact is None:
        of_run = options.workdir / paths.FEATURES, options.workdir / paths.JOB_LOG
        features, log_of_run = (path if path.is_file() else None for path in of_run)
        log = log or log_of_run
    return load(model, features=features, log=log, names=None if names_file is None else read_names(names_file))
