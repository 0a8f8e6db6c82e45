import numpy as np
import pandas as pd
import pytest

from asteroid_ll.errors import DataError
from asteroid_ll.neo.label import is_hazardous_by_rule, labels_of


def test_the_rule_includes_both_of_its_limits() -> None:
    magnitude = [22.0, 22.01, 22.0, 9.4, np.nan, 20.0]
    moid = [0.05, 0.05, 0.0501, 0.0, 0.01, np.nan]
    assert is_hazardous_by_rule(magnitude, moid).tolist() == [True, False, False, True, False, False]


@pytest.mark.parametrize(("value", "says"), [(True, "only hazardous"), (False, "only harmless")])
def test_labels_of_one_class_are_refused(value: bool, says: str) -> None:
    with pytest.raises(DataError, match=says):
        labels_of(pd.DataFrame({"hazardous": [value] * 3}))


def test_labels_are_found_under_the_exports_name_too() -> None:
    assert labels_of(pd.DataFrame({"Hazardous": [True, False]})).tolist() == [True, False]


def test_a_table_without_a_label_is_refused() -> None:
    with pytest.raises(DataError, match="no column hazardous"):
        labels_of(pd.DataFrame({"moid_au": [0.1]}))
