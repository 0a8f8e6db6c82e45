"""The median rule of AWS's developer guide, by hand."""

from __future__ import annotations

import pytest

from asteroid_ll.emulator.sagemaker.tuning.early_stopping import is_worse_than_median

EARLIER = [[4.0, 2.0, 0.0], [9.0, 5.0], [1.0, 1.0, 1.0]]


@pytest.mark.parametrize(
    ("losses", "stops"),
    [
        ([4.0], False),  # the median of 4, 9 and 1
        ([4.1], True),
        ([9.0, 3.0], False),  # the median of the means 3, 7 and 1
        ([9.0, 3.1], True),
        ([0.0, 0.0, 1.5], False),  # the mean of 2 and 1
        ([0.0, 0.0, 1.6], True),
        ([0.0, 0.0, 0.0, 99.0], False),  # no training job before had so many epochs
        ([], False),
    ],
)
def test_a_job_stops_if_it_is_worse_than_the_median_of_the_running_means(losses, stops):
    assert is_worse_than_median(losses, EARLIER) is stops


def test_the_first_job_is_never_stopped():
    assert not is_worse_than_median([9.0], [])
