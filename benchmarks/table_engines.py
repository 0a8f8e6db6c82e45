"""Engines that could read a long CSV file and keep its table on disk: CPU time, peak memory, size, and equal bits.

    python benchmarks/table_engines.py [rows]     1000000 by default

The file has the bundled catalogue's 19 columns with changed identities and orbits. Each engine runs in a process of its
own with one thread. "Import" is the process that only imports it. An engine that is not installed is left out:
pip install pyarrow duckdb polars. "Other bits" is the share of numbers that differ from those of pandas' parser, which
every run directory has.
"""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

import asteroid_ll

TEXTS = "{0: str, 1: str, 18: str}"
PANDAS = f"""
import numpy as np, pandas as pd
def batches(rows):
    with open("rows.csv", "rb") as file:
        yield from pd.read_csv(file, dtype={TEXTS}, keep_default_na=False,
            na_values={{i: [""] for i in range(2, 18)}}, low_memory=False, **rows)
def save(column): np.save("column.npy", np.concatenate(column))
"""
KEEP = "moid_au"

READERS = {
    ("pandas", "whole file"): PANDAS + "save([pd.concat(batches(dict(chunksize=1 << 40)))[KEEP]])",
    ("pandas", "100,000 rows at a time"): PANDAS + "save([t[KEEP] for t in batches(dict(chunksize=100_000))])",
    ("pyarrow", "blocks of 16 MB"): """
import numpy as np, pyarrow as pa, pyarrow.csv as csv
pa.set_cpu_count(1)
options = csv.ReadOptions(use_threads=False, block_size=16 << 20)
np.save("column.npy", np.concatenate([t.column(KEEP).to_numpy() for t in csv.open_csv("rows.csv", options)]))
""",
    ("duckdb", "vectors"): """
import numpy as np, duckdb
found = duckdb.connect(config={"threads": 1}).execute("select * from read_csv('rows.csv')")
columns, chunk = [], found.fetch_df_chunk(50)
while len(chunk):
    columns.append(chunk[KEEP].to_numpy())
    chunk = found.fetch_df_chunk(50)
np.save("column.npy", np.concatenate(columns))
""",
    ("polars", "100,000 rows at a time"): """
import os
os.environ["POLARS_MAX_THREADS"] = "1"
import numpy as np, polars as pl
blocks = pl.scan_csv("rows.csv", infer_schema_length=None).collect_batches(chunk_size=100_000)
np.save("column.npy", np.concatenate([t[KEEP].to_numpy() for t in blocks]))
""",
}

TABLE = """
import time, os
import numpy as np, pandas as pd
from pathlib import Path
table = pd.read_csv("rows.csv", dtype={0: str, 1: str})
def timed(work):
    begun_s = time.process_time()
    work()
    return time.process_time() - begun_s
"""
PRINTED = """
print(*(f"{timed(work):.2f}" for work in (write, whole, number, text)), Path(file).stat().st_size / 1e6)
"""
STORES = {
    ("numpy", "npz, one array per column"): """
from asteroid_ll.formats.table import StoredTable, load_table, save_table
file = Path("table.npz")
write = lambda: save_table(file, table)
whole = lambda: load_table(file)
number = lambda: StoredTable(file)["moid_au"]
text = lambda: StoredTable(file)["name"]
""",
    ("pyarrow", "Parquet, row groups of 100,000"): """
import pyarrow as pa, pyarrow.parquet as pq
pa.set_cpu_count(1)
file = "table.parquet"
read = lambda columns=None: pq.read_table(file, columns=columns, use_threads=False).to_pandas()
write = lambda: pq.write_table(pa.Table.from_pandas(table), file, row_group_size=100_000)
whole = read
number = lambda: read(["moid_au"])
text = lambda: read(["name"])
""",
    ("zip", "UTF-8 with lengths, row groups of 100,000"): """
import zipfile
file, size = "table.zip", 100_000
def write():
    with zipfile.ZipFile(file, "w") as archive:
        for start in range(0, len(table), size):
            for name in table:
                column = table[name].iloc[start : start + size]
                with archive.open(f"{name}/{start}", "w") as member:
                    if column.dtype.kind in "biuf":
                        member.write(column.to_numpy().data)
                        continue
                    texts = [value.encode() for value in column.tolist()]
                    member.write(np.array([len(value) for value in texts], np.int32).data)
                    member.write(b"".join(texts))
def column(name):
    parts = []
    with zipfile.ZipFile(file) as archive:
        for start in range(0, len(table), size):
            data, n = archive.read(f"{name}/{start}"), min(size, len(table) - start)
            if table[name].dtype.kind in "biuf":
                parts.append(np.frombuffer(data, table[name].dtype))
                continue
            ends = np.cumsum(np.frombuffer(data, np.int32, n)).tolist()
            data = data[4 * n :].decode()
            parts.append([data[i:j] for i, j in zip([0, *ends], ends)])
    return pd.Series(np.concatenate(parts))
whole = lambda: pd.DataFrame({name: column(name) for name in table})
number = lambda: column("moid_au")
text = lambda: column("name")
""",
}


def write_rows(path: Path, n_rows: int) -> None:
    """Write the catalogue's rows again and again with other identities and orbits."""
    catalogue = pd.read_csv(Path(asteroid_ll.__file__).parent / "data" / "catalogue.csv.gz")
    numbers = [name for name in catalogue if name.endswith(("_au", "_deg", "_km", "_d"))]
    rng = np.random.default_rng(0)
    for at in range(0, n_rows, len(catalogue)):
        block = catalogue.head(n_rows - at).copy()
        block["asteroid_id"] = [f"2030 A{number}" for number in range(at, at + len(block))]
        block["name"] = "(" + block["asteroid_id"] + ")"
        block[numbers] = (block[numbers] * rng.uniform(0.99, 1.01, (len(block), len(numbers)))).round(7)
        block.to_csv(path, mode="a" if at else "w", header=not at, index=False)


LAUNCHER = """
import os, sys
pid = os.posix_spawn(sys.executable, [sys.executable, "-W", "ignore", "-c", sys.argv[1]], os.environ)
_, status, usage = os.wait4(pid, 0)
print(status, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
"""
"""A small process between this one and the program: Linux counts the memory of the parent as the child's first one."""


def run(program: str, folder: Path) -> tuple[float, float, str]:
    """Run a program in a process of its own; return its CPU time in s, its peak memory in MB and what it printed."""
    command = [sys.executable, "-S", "-c", LAUNCHER, f"KEEP = {KEEP!r}\n{program}"]
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True, check=True)
    *printed, last = done.stdout.splitlines()
    status, cpu_s, peak_mb = last.split()
    if int(status):
        raise RuntimeError(f"the program failed: {program}")
    return float(cpu_s), float(peak_mb), "\n".join(printed)


def version(name: str) -> str | None:
    """Return the version of an engine; None if it is not installed."""
    try:
        return f"{name} {importlib.metadata.version(name)}" if name != "zip" else name
    except importlib.metadata.PackageNotFoundError:
        return None


def size_mb(name: str) -> float:
    """Return the size of an installed engine, MB."""
    parts = (name, "polars-runtime-32") if name == "polars" else (name,)
    files = [file for part in parts for file in importlib.metadata.files(part) or []]
    return sum(path.stat().st_size for file in files if (path := Path(str(file.locate()))).is_file()) / 1e6


def readers(folder: Path) -> Iterator[str]:
    """Yield the table of the parsers."""
    yield "| reader | | installed | import | CPU | peak | other bits |"
    yield "|---|---|---|---|---|---|---|"
    expected = None
    for (name, way), program in READERS.items():
        engine = version(name)
        if engine is None:
            continue
        import_s, import_mb, _ = run(f"import {name}", folder)
        cpu_s, peak_mb, _ = run(program, folder)
        values = np.load(folder / "column.npy")
        expected = values if expected is None else expected
        other = f"{np.mean(values != expected):.1%}" if name != "pandas" else ""
        start = f"{import_s:.2f} s, {import_mb:.0f} MB"
        yield f"| {engine} | {way} | {size_mb(name):.0f} MB | {start} | {cpu_s:.1f} s | {peak_mb:.0f} MB | {other} |"


def stores(folder: Path) -> Iterator[str]:
    """Yield the table of the files."""
    yield "| writer | file | write | read all | a column of numbers | a column of texts | size |"
    yield "|---|---|---|---|---|---|---|"
    for (name, way), program in STORES.items():
        engine = version(name)
        if engine is None:
            continue
        *times, size = run(TABLE + program + PRINTED, folder)[2].split()
        yield f"| {engine} | {way} | {' | '.join(f'{seconds} s' for seconds in times)} | {float(size):.0f} MB |"


def main() -> None:
    """Print both tables."""
    n_rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_rows(folder / "rows.csv", n_rows)
        print(f"{n_rows:,} rows, {(folder / 'rows.csv').stat().st_size / 1e6:.0f} MB\n")
        for table in (readers(folder), stores(folder)):
            for line in table:
                print(line, flush=True)
            print()


if __name__ == "__main__":
    main()
