"""All stages, in the order of the work."""

from __future__ import annotations

from asteroid_ll.stages import clean, deploy, encode, explore, fetch, predict, report, split, teardown, train, upload
from asteroid_ll.stages.stage import Stage

STAGES: tuple[Stage, ...] = (
    fetch.STAGE,
    clean.STAGE,
    explore.STAGE,
    split.STAGE,
    encode.STAGE,
    upload.STAGE,
    train.STAGE,
    deploy.STAGE,
    predict.STAGE,
    report.STAGE,
    teardown.STAGE,
)
