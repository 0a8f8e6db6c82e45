"""The template of each feature set has what the set reads, what every table needs, and rows of both classes."""

import pytest

from asteroid_ll.neo.feature_sets import LABEL_INPUTS, NAMES, choices
from asteroid_ll.neo.table import COLUMNS
from asteroid_ll.neo.template import template


@pytest.mark.parametrize("name", NAMES)
def test_a_template_has_the_columns_of_its_set_and_complete_rows_of_both_classes(name: str) -> None:
    made = template(name)
    names = [column.name for column in made.columns]
    assert {column.name for column in COLUMNS if column.required} | {"name", *LABEL_INPUTS} <= set(names)
    extra = set(names) - {"asteroid_id", "name", "hazardous", *LABEL_INPUTS}
    assert {choice.column.name for choice in choices(name, sorted(extra)) if choice.taken} == extra
    assert [row[names.index("hazardous")] for row in made.rows] == ["False", "False", "True", "True"]
    assert all(len(row) == len(names) and all(row) for row in made.rows)


def test_every_column_of_a_set_that_the_catalogue_has_is_in_its_template() -> None:
    assert len(template("raw").columns) == 19
    assert len(template("spline").columns) == 5
