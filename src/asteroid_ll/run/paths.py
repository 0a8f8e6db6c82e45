"""The files of a run directory, relative to it: one name for each path.

Each folder belongs to the stage of the same name.
"""

from __future__ import annotations

RUN = "run.json"
"""The run's identity."""

JOURNAL = "journal.jsonl"
LOCK = "lock"
DIGESTS = "digests.json"
"""Digests of large outputs, see `asteroid_ll.run.digests`."""

EMULATOR = "emulator"
"""State of the embedded emulator, for runs with ``target: emulator``."""

PRICES = "prices.json"
"""Prices from AWS's Price List, for runs with ``target: aws``."""

PROVENANCE = "fetch/provenance.json"
CLEANED_TABLE = "clean/table.npz"
CLEANED_CSV = "clean/data.csv"
CLEANING_RULES = "clean/rules.json"
DATA_CARD = "clean/data_card.json"
SUMMARY = "explore/summary.json"
EXPLORE_FIGURES = "explore/figures.json"
SPLIT_ROWS = "split/rows.npz"
SPLIT = "split/split.json"
FEATURES = "encode/features.json"
MANIFEST = "upload/manifest.json"
ARTIFACT = "train/model.tar.gz"
JOB_LOG = "train/job.log"
JOB = "train/job.json"
ENDPOINT = "deploy/endpoint.json"
PREDICTIONS = "predict/predictions.csv"
METRICS = "predict/metrics.json"
REPORT_FIGURES = "report"
REPORT_HTML = "report/report.html"
REPORT_JSON = "report/report.json"
FOLLOW_UP = "report/follow_up.csv"
