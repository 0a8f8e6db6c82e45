"""SQL: one SELECT that scores the rows of a table in double, for databases with ``EXP``, WITH and window functions.

The wide form reads a table with one column per feature. Few databases allow thousands of columns, so the long form
reads one row per value instead: ``id``, ``feature``, ``value``. An absent feature is 0 there, as in a sparse row. Both
give ``id``, ``score`` (for a multiclass model ``score_0``, ``score_1`` and so on) and, for classifiers,
``predicted_label``. A row with NULL, NaN or an unknown feature has no label, and its score is NULL or NaN.

Reasons for the spelling: columns are qualified, because SQLite takes a quoted name without a column for a text. Numbers
have an exponent, because ``0.5`` is a DECIMAL in DuckDB. Sums are nested, because databases limit the depth of an
expression to 1,000. NaN is above all numbers in PostgreSQL and DuckDB, hence the upper bounds. Exponents stay within
700, because PostgreSQL refuses an overflow and an underflow.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from asteroid_ll.errors import ConfigError
from asteroid_ll.export.named import NamedModel

MAX_COLUMNS = {"SQLite": 2000, "PostgreSQL": 1000}
"""Columns of numbers that a table may have; DuckDB sets no limit.

Source: the pages about limits in the manuals. PostgreSQL allows 1,600 columns, but a row must fit on a page of 8 KB.
"""

_TERMS_PER_SUM = 16

_WIDE_SUMS = """
ll_sums AS (
  SELECT
    t.{id},
    {sum} AS z
  FROM {table} AS t
)"""

_WIDE_SUMS_OF_OUTPUTS = """
ll_outputs (output) AS (
  VALUES {outputs}
),
ll_sums AS (
  SELECT
    t.{id},
    o.output,
    CASE o.output
      {sum}
    END AS z
  FROM {table} AS t
  CROSS JOIN ll_outputs AS o
)"""

_LONG_SUMS = """
ll_weights (feature, output, weight) AS (
  VALUES
    {weights}
),
ll_biases (output, bias) AS (
  VALUES {biases}
),
ll_sums AS (
  SELECT
    t.{id},
    b.output,
    CASE WHEN COUNT(t.value * w.weight) = COUNT(*) THEN SUM(t.value * w.weight) + MAX(b.bias) END AS z
  FROM {table} AS t
  CROSS JOIN ll_biases AS b
  LEFT JOIN ll_weights AS w ON w.feature = COALESCE(t.feature, '') AND w.output = b.output
  GROUP BY t.{id}, b.output
)"""

_VALUE = """
SELECT s.{id}, s.z AS score
FROM ll_sums AS s
"""

_SCORES = {
    "value": """,
ll_scores AS (
  SELECT s.{id}, s.z AS score FROM ll_sums AS s
)""",
    "probability": """,
ll_scores AS (
  SELECT
    s.{id},
    CASE
      WHEN ABS(s.z) <= 700 THEN 1e0 / (1e0 + EXP(-s.z))
      WHEN s.z < -700 THEN 0e0
      WHEN s.z > 700 AND s.z < 1e300 THEN 1e0
    END AS score
  FROM ll_sums AS s
)""",
}

_LABEL = """
SELECT
  s.{id},
  s.score,
  CASE
    WHEN s.score > {threshold} AND s.score < 1e300 THEN 1
    WHEN s.score <= {threshold} THEN 0
  END AS predicted_label
FROM ll_scores AS s
"""

_PROBABILITIES = """,
ll_shifted AS (
  SELECT s.{id}, s.output, s.z - MAX(s.z) OVER (PARTITION BY s.{id}) AS z
  FROM ll_sums AS s
),
ll_powers AS (
  SELECT s.{id}, s.output, s.z, CASE WHEN s.z < -700 THEN 0e0 ELSE EXP(s.z) END AS power
  FROM ll_shifted AS s
)
SELECT
  p.{id},
  {scores},
  MIN(CASE WHEN p.z = 0 THEN p.output END) AS predicted_label
FROM ll_powers AS p
GROUP BY p.{id}
"""


def to_sql(named: NamedModel, *, table: str = "rows", id_column: str = "id", is_long: bool = False) -> bytes:
    """Return a model as one SELECT.

    Args:
        named: the model.
        table: the table with the rows, or a view; a dot separates its schema.
        id_column: its column that identifies a row.
        is_long: read ``feature`` and ``value`` from the table instead of one column per feature.

    Raises:
        ConfigError: two columns of the table would have the same name in upper or lower case.
    """
    _refuse_equal_names([id_column, *(("feature", "value") if is_long else named.names)])
    words = {"id": _identifier(id_column), "table": ".".join(map(_identifier, table.split(".")))}
    sums = _long_sums(named, words) if is_long else _wide_sums(named, words)
    return f"-- {named.title}\nWITH{sums}{_answer(named, words)}".encode()


def databases_too_narrow(n_columns: int) -> list[str]:
    """Return the databases whose tables cannot have so many columns, each with its limit."""
    return [f"{name} ({limit:,})" for name, limit in MAX_COLUMNS.items() if n_columns > limit]


def _refuse_equal_names(columns: Sequence[str]) -> None:
    positions: dict[str, int] = {}
    for position, name in enumerate(columns):
        first = positions.setdefault(name.casefold(), position)
        if first != position:
            raise ConfigError(
                f"The table would have the columns {columns[first]} and {name}, which are one name in a database.",
                hint="Give the features other names with --names, or choose another --id-column.",
            )


def _wide_sums(named: NamedModel, words: Mapping[str, str]) -> str:
    columns = [f"t.{_identifier(name)}" for name in named.names]
    sums = []
    for weights, bias in zip(named.model.weight.T.tolist(), named.biases, strict=True):
        products = [f"{column} * {_number(weight)}" for column, weight in zip(columns, weights, strict=True)]
        sums.append(_sum([*products, _number(bias)]))
    if named.response != "probabilities":
        return _WIDE_SUMS.format(sum=sums[0], **words)
    branches = "\n      ".join(f"WHEN {output} THEN {total}" for output, total in enumerate(sums))
    outputs = ", ".join(f"({output})" for output in range(len(sums)))
    return _WIDE_SUMS_OF_OUTPUTS.format(outputs=outputs, sum=branches, **words)


def _long_sums(named: NamedModel, words: Mapping[str, str]) -> str:
    weights = (
        f"({_text(name)}, {output}, {_number(weight)})"
        for name, values in named.weights.items()
        for output, weight in enumerate(values)
    )
    biases = ", ".join(f"({output}, {_number(bias)})" for output, bias in enumerate(named.biases))
    return _LONG_SUMS.format(weights=",\n    ".join(weights), biases=biases, **words)


def _answer(named: NamedModel, words: Mapping[str, str]) -> str:
    """Return the rest of the statement, from the weighted sums to the columns of the result."""
    if named.response == "probabilities":
        share = "SUM(CASE WHEN p.output = {output} THEN p.power END) / SUM(p.power) AS score_{output}"
        scores = ",\n  ".join(share.format(output=output) for output in range(named.model.n_outputs))
        return _PROBABILITIES.format(scores=scores, **words)
    if named.threshold is None:
        return _VALUE.format(**words)
    return _SCORES[named.response].format(**words) + _LABEL.format(threshold=_number(named.threshold), **words)


def _sum(terms: Iterable[str]) -> str:
    """Return a sum whose depth grows with the logarithm of the number of terms."""
    parts, separator = list(terms), "\n    + "
    while len(parts) > _TERMS_PER_SUM:
        groups = [parts[start : start + _TERMS_PER_SUM] for start in range(0, len(parts), _TERMS_PER_SUM)]
        parts = [f"({separator.join(group)})" for group in groups]
    return separator.join(parts)


def _number(value: float) -> str:
    """Return a DOUBLE literal with the digits that give the same double again."""
    text = repr(value)
    return text if "e" in text else f"{text}e0"


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
