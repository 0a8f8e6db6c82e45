"""The frame of a benchmark: our work, rivals and a physical bound, timed in turn, as a table and as JSON.

A program yields `Case` after `Case` and calls `main`. Each case is measured in rounds: in one round every side runs
once, so a busy minute of the machine meets all of them. Times are medians over the rounds, and a ratio is the median of
the ratios within a round. ``python benchmarks/PROGRAM.py`` prints Markdown, with ``--json`` one JSON object.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROUNDS = 5
COLUMNS = ("work", "CPU", "wall", "peak", "against", "its time / ours", "must be")


@dataclass(frozen=True)
class Times:
    """What one execution took: seconds of all cores together, seconds by the clock, megabytes if known."""

    cpu_s: float
    wall_s: float
    peak_mb: float | None = None


Work = Callable[[], object]
"""The frame takes its time, unless it returns `Times` itself, as a child process does."""


@dataclass(frozen=True)
class Side:
    """Somebody else's work.

    Attributes:
        name: such as ``SageMaker SDK 2.257.7`` or ``memcpy``.
        work: None if it is not installed.
        times: how often it must be repeated for our work, if it does only a part.
        at_least: the least ratio of its time to ours; a rival is this much slower, a bound this much faster (below 1).
        is_bound: a physical bound, which does the least that any program must do.
    """

    name: str
    work: Work | None
    times: float = 1.0
    at_least: float | None = None
    is_bound: bool = False


@dataclass(frozen=True)
class Case:
    """One claim's work with its rivals and bounds.

    Attributes:
        work: what is done, such as ``encode 200,000 x 32``.
        ours: our program.
        sides: rivals and bounds.
        clock: ``cpu`` or ``wall``, the time of the ratios.
        wall_at_most_s: most time of our work by the clock.
        peak_at_most_mb: most memory of our work.
        unit: name and number of the things that are done, such as ``("MB", 64)``, for a rate.
    """

    work: str
    ours: Work
    sides: Sequence[Side]
    clock: str = "cpu"
    wall_at_most_s: float | None = None
    peak_at_most_mb: float | None = None
    unit: tuple[str, float] | None = None
    rounds: int = ROUNDS


@dataclass
class Result:
    """A claim's rows, and the musts that do not hold."""

    claim: str
    rows: list[dict[str, str]] = field(default_factory=list)
    figures: list[dict[str, Any]] = field(default_factory=list)
    violated: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return the result with the machine that it was measured on."""
        return {**vars(self), "machine": machine()}


def timed(work: Work) -> Times:
    """Run some work in this process or, if it returns `Times`, in its own."""
    cpu_s, wall_s = time.process_time(), time.perf_counter()
    told = work()
    return told if isinstance(told, Times) else Times(time.process_time() - cpu_s, time.perf_counter() - wall_s)


_LAUNCHER = """
import os, sys, time
begun_s = time.perf_counter()
null = os.open(os.devnull, os.O_RDWR)
actions = [(os.POSIX_SPAWN_DUP2, null, 0), (os.POSIX_SPAWN_DUP2, null, 1)]
_, status, usage = os.wait4(os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=actions), 0)
print(status, usage.ru_utime + usage.ru_stime, time.perf_counter() - begun_s, usage.ru_maxrss / 1024)
"""
"""A small process between this one and the command: Linux counts the memory of the parent as the child's first one."""


def child(
    command: Sequence[str | Path], *, folder: Path | None = None, environment: Mapping[str, str] | None = None
) -> Times:
    """Run a command that must succeed; its time includes that of its children, its memory is the largest of them."""
    launched = [sys.executable, "-I", "-S", "-c", _LAUNCHER, *map(str, command)]
    done = subprocess.run(launched, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    status, cpu_s, wall_s, peak_mb = done.stdout.split()
    if status != "0":
        raise SystemExit(f"{' '.join(map(str, command))} failed:\n{done.stderr}")
    return Times(float(cpu_s), float(wall_s), float(peak_mb))


def version(distribution: str) -> str | None:
    """Return the version of an installed distribution, or None."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def machine() -> dict[str, Any]:
    """Describe the machine and the programs that the figures depend on."""
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text(encoding="utf-8").splitlines() if cpu.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "processor": names[0] if names else platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: version(name) for name in ("numpy", "pandas")},
    }


def measure(case: Case) -> tuple[Times, dict[str, tuple[Times, float]]]:
    """Return our times, and for each side that is installed its times and the ratio of its time to ours."""
    works = {"": case.ours, **{side.name: side.work for side in case.sides if side.work is not None}}
    factors = {"": 1.0, **{side.name: side.times for side in case.sides}}
    rounds: list[dict[str, Times]] = []
    for _ in range(case.rounds):
        now = {name: timed(work) for name, work in works.items()}
        rounds.append(now)
    clock = f"{case.clock}_s"

    def median_of(name: str) -> Times:
        peaks = [found[name].peak_mb for found in rounds]
        return Times(
            factors[name] * statistics.median(found[name].cpu_s for found in rounds),
            factors[name] * statistics.median(found[name].wall_s for found in rounds),
            max(peak for peak in peaks if peak is not None) if None not in peaks else None,
        )

    def ratio_of(name: str) -> float:
        return statistics.median(factors[name] * getattr(now[name], clock) / getattr(now[""], clock) for now in rounds)

    return median_of(""), {name: (median_of(name), ratio_of(name)) for name in works if name}


def add(result: Result, case: Case) -> None:
    """Measure a case and add its rows, one per side."""
    ours, others = measure(case)
    first = {"work": case.work, "CPU": seconds(ours.cpu_s), "wall": seconds(ours.wall_s)}
    if ours.peak_mb is not None:
        first["peak"] = f"{ours.peak_mb:,.0f} MB"
    if case.unit is not None:
        name, amount = case.unit
        spent_s = getattr(ours, f"{case.clock}_s")
        first["work"] += f" ({short(amount / spent_s)} {name}/s)"
    for limit, value, text in (
        (case.wall_at_most_s, ours.wall_s, "s by the clock"),
        (case.peak_at_most_mb, ours.peak_mb, "MB"),
    ):
        if limit is not None and value is not None and value > limit:
            result.violated.append(f"{result.claim}: {case.work}: {value:.3g} {text}, at most {limit:g} is allowed")
    for side in case.sides:
        if side.name not in others:
            result.skipped = sorted({*result.skipped, side.name})
            continue
        times, ratio = others[side.name]
        row = {**first, "against": f"{'bound: ' if side.is_bound else ''}{side.name}", "its time / ours": short(ratio)}
        if side.at_least is not None:
            row["must be"] = f"at least {short(side.at_least)}"
            if ratio < side.at_least:
                told = f"{short(ratio)} of ours, at least {short(side.at_least)} is needed"
                result.violated.append(f"{result.claim}: {case.work}: the time of {side.name} is {told}")
        result.rows.append(row)
        measured = {"against": side.name, "times": side.times, "theirs": vars(times), "ratio": ratio}
        result.figures.append({"work": case.work, "unit": case.unit, "ours": vars(ours), **measured})
        first = {}
    if first:
        result.rows.append(first)
        result.figures.append({"work": case.work, "unit": case.unit, "ours": vars(ours)})


def seconds(value: float) -> str:
    """Return a time in the unit that suits it."""
    return f"{short(value)} s" if value >= 1 else f"{short(value * 1e3)} ms"


def short(value: float) -> str:
    """Return a number with three significant digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def markdown(rows: Sequence[Mapping[str, str]]) -> str:
    """Return a result's rows as a Markdown table, with the columns that any of them has."""
    return table(rows, [name for name in COLUMNS if any(name in row for row in rows)])


def table(rows: Sequence[Mapping[str, str]], columns: Sequence[str]) -> str:
    """Return some columns of rows as a Markdown table."""
    lines = [columns, ["---"] * len(columns), *([row.get(name, "") for name in columns] for row in rows)]
    return "".join(f"|{'|'.join(f' {cell} ' if cell else ' ' for cell in line)}|\n" for line in lines)


def numbers() -> list[int]:
    """Return the numbers among the program's arguments."""
    return [int(word) for word in sys.argv[1:] if word.isdecimal()]


def main(claim: str, cases: Iterable[Case]) -> int:
    """Measure the cases; print the table and what does not hold, or JSON. Return 1 if something does not hold."""
    result = Result(claim)
    with redirect_stdout(sys.stderr):  # a rival may print
        for case in cases:
            print(f"{claim}: {case.work}", flush=True)
            add(result, case)
    if "--json" in sys.argv[1:]:
        print(json.dumps(result.to_json(), indent=1))
    else:
        print(markdown(result.rows), end="")
        for line in (*(f"Not installed: {name}" for name in result.skipped), *result.violated):
            print(line)
    return int(bool(result.violated))
