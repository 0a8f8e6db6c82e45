"""The test part of a run directory: its rows, their encoded features and their stored predictions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from asteroid_ll.errors import DataError
from asteroid_ll.formats.arrays import load_arrays
from asteroid_ll.formats.columns import Selected
from asteroid_ll.formats.payload import Scores
from asteroid_ll.formats.recordio import read_file
from asteroid_ll.formats.table import StoredTable, write_csv
from asteroid_ll.neo.label import labels_of
from asteroid_ll.neo.table import IDENTITY, LABEL, locate, lookup
from asteroid_ll.run import paths

_AGAIN = "asteroid-ll run-all --force predict   scores the test part again."


@dataclass(frozen=True)
class HeldOutRows:
    """The rows of the test part; each property is read from its file once.

    Attributes:
        directory: the run directory.
    """

    directory: Path

    @cached_property
    def _table(self) -> StoredTable:
        return StoredTable(self.directory / paths.CLEANED_TABLE)

    @cached_property
    def _parts(self) -> dict[str, NDArray[np.int64]]:
        return load_arrays(self.directory / paths.SPLIT_ROWS, "train", "test")

    @cached_property
    def rows(self) -> Selected:
        """The test rows of the clean table; each access to a column reads it."""
        return Selected(self._table, rows=self._parts["test"])

    @cached_property
    def labels(self) -> NDArray[np.bool_]:
        """The labels of the test rows."""
        return _labels(self.rows)

    @property
    def train_labels(self) -> NDArray[np.bool_]:
        """The labels of the train rows."""
        return _labels(Selected(self._table, rows=self._parts["train"]))

    @cached_property
    def features(self) -> NDArray[np.float32]:
        """The encoded features of the test rows, shape ``(n_rows, n_features)``."""
        files = sorted((self.directory / "encode" / "test").glob("*.pbr"))
        return np.concatenate([read_file(file)[0] for file in files])

    @cached_property
    def scores(self) -> NDArray[np.float64]:
        """The stored scores.

        Raises:
            DataError: the stored predictions are damaged, or have another number of rows than the test part.
        """
        # The file has the shortest digits of each float32.
        return self._predictions["score"].to_numpy().astype(np.float32).astype(np.float64)

    @cached_property
    def predicted(self) -> NDArray[np.bool_]:
        """The stored predicted labels; raises DataError as `scores` does."""
        return self._predictions["predicted_hazardous"].to_numpy(dtype=np.bool_)

    @cached_property
    def _predictions(self) -> pd.DataFrame:
        path = self.directory / paths.PREDICTIONS
        try:
            table = pd.read_csv(path, usecols=["score", "predicted_hazardous"], dtype={"predicted_hazardous": bool})
        except (OSError, ValueError) as error:
            raise DataError(f"{path} can't be read: {error}.", hint=_AGAIN) from error
        if len(table) != len(self.rows):
            raise DataError(
                f"{path} has {len(table)} rows, but the test part has {len(self.rows)}.",
                hint=_AGAIN,
            )
        return table

    def column(self, name: str) -> NDArray[Any]:
        """Return the values of the column with this canonical name."""
        return self.rows[locate(self.rows.columns, [name])[name]].to_numpy()

    def columns(self, names: Iterable[str]) -> dict[str, NDArray[Any]]:
        """Return the values of the columns with these canonical names that the table has, by name."""
        present = {column.name for name in self.rows.columns if (column := lookup(name)) is not None}
        return {name: self.column(name) for name in names if name in present}

    def write_predictions(self, answer: Scores, predicted: NDArray[np.bool_]) -> None:
        """Store the scores and the predicted labels beside the identities and the labels."""
        names = {"name": self.rows["name"].to_numpy()} if "name" in self.rows.columns else {}
        columns = {
            IDENTITY: self.column(IDENTITY),
            **names,
            "hazardous": self.labels,
            "score": answer.score,
            "predicted_hazardous": predicted,
        }
        write_csv(self.directory / paths.PREDICTIONS, pd.DataFrame(columns))


def _labels(table: Selected) -> NDArray[np.bool_]:
    return labels_of(table[locate(table.columns, [LABEL])[LABEL]].to_frame())
