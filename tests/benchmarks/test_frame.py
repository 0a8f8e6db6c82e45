"""The frame of the benchmarks: medians of rounds, ratios within a round, what must hold, and the page's tables."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "benchmarks"))

import bench  # noqa: E402
import frame  # noqa: E402
from frame import Case, Side, Times  # noqa: E402


def told(*wall_s, peak_mb=None):
    """Return work that tells a time per round."""
    times = iter(wall_s)
    return lambda: Times(cpu_s=1.0, wall_s=next(times), peak_mb=peak_mb)


def result_of(*cases):
    result = frame.Result("claim")
    for case in cases:
        frame.add(result, case)
    return result


def test_a_ratio_is_the_median_of_the_rounds_ratios_and_a_part_is_multiplied():
    rival = Side("rival", told(1, 8, 6), times=10)
    result = result_of(Case("work", told(2, 4, 1), [rival], clock="wall", rounds=3))
    (figure,) = result.figures
    assert figure["ratio"] == 20  # of 5, 20 and 60
    assert (figure["ours"]["wall_s"], figure["theirs"]["wall_s"]) == (2, 60)
    assert result.rows[0]["its time / ours"] == "20"
    assert result.violated == []


@pytest.mark.parametrize(
    ("case", "violated"),
    [
        (Case("w", told(2), [Side("r", told(3), at_least=1.5)], clock="wall", rounds=1), []),
        (
            Case("w", told(2), [Side("r", told(3), at_least=1.6)], clock="wall", rounds=1),
            ["claim: w: the time of r is 1.5 of ours, at least 1.6 is needed"],
        ),
        (Case("w", told(2), [], wall_at_most_s=2, rounds=1), []),
        (Case("w", told(2), [], wall_at_most_s=1.9, rounds=1), ["claim: w: 2 s by the clock, at most 1.9 is allowed"]),
        (
            Case("w", told(2, peak_mb=401.0), [], peak_at_most_mb=400, rounds=1),
            ["claim: w: 401 MB, at most 400 is allowed"],
        ),
    ],
)
def test_what_does_not_hold_is_named(case, violated):
    assert result_of(case).violated == violated


def test_a_rival_that_is_not_installed_is_skipped_by_name():
    case = Case("work", lambda: Times(1, 1), [Side("absent", None, at_least=2)], rounds=1)
    result = result_of(case, case)
    assert (result.skipped, result.violated) == (["absent"], [])
    assert frame.markdown(result.rows[:1]) == "| work | CPU | wall |\n| --- | --- | --- |\n| work | 1 s | 1 s |\n"


def test_a_child_process_tells_its_own_time_and_memory():
    times = frame.child([sys.executable, "-S", "-c", "x = b'x' * 50_000_000"])
    assert times.wall_s > 0
    assert 50 < times.peak_mb < 200
    with pytest.raises(SystemExit, match="KeyError"):
        frame.child([sys.executable, "-S", "-c", "{}['x']"])


def test_the_tables_of_the_pages_are_those_of_the_results():
    """After a change by hand: ``scripts/bench --write``."""
    results = json.loads(bench.RESULTS.read_text(encoding="utf-8"))
    named = []
    for page in bench.DOCS.glob("*.md"):
        text = page.read_text(encoding="utf-8")
        named += [found[1] for found in bench.BLOCK.findall(text)]
        assert bench.filled(text, results) == text, page.name
    assert sorted(named) == sorted([*bench.PROGRAMS, "scale"])
    assert set(results) == set(bench.PROGRAMS)
