"""fetch: download or copy the source's raw bytes, and record their provenance."""

from __future__ import annotations

from pathlib import Path

from asteroid_ll.aws.storage import download_file, parse_uri
from asteroid_ll.errors import ConfigError
from asteroid_ll.neo.sources import SOURCES, open_source
from asteroid_ll.neo.sources.base import Web
from asteroid_ll.redaction import REMOVED
from asteroid_ll.run import paths
from asteroid_ll.run.files import write_json
from asteroid_ll.stages.stage import Context, Outcome


def run(context: Context) -> Outcome:
    """Fetch into ``fetch/``; an earlier file is replaced when the new one is complete and verified."""
    settings = context.config.source
    if REMOVED in (settings.location or ""):
        raise ConfigError(
            f"source.location has lost its secrets: {settings.location}.",
            hint="Give the whole address again: asteroid-ll fetch --set source.location=ADDRESS",
        )
    max_bytes = SOURCES[settings.kind].max_bytes

    def download_other(url: str, path: Path) -> None:
        _download_s3(context, url, path, max_bytes=max_bytes)

    web = Web(say=context.progress, download_other=download_other, max_bytes=max_bytes)
    source = open_source(settings.kind, web=web, **settings.options)
    raw = context.path("fetch", source.spec.file_name)
    provenance = source.fetch(raw, sha256=settings.sha256)
    write_json(context.path(paths.PROVENANCE), {"file": raw.name, **provenance})
    return Outcome(
        outputs=(f"fetch/{raw.name}", paths.PROVENANCE), note=f"{source.title}, {provenance['n_bytes'] / 1e6:.1f} MB"
    )


def _download_s3(context: Context, url: str, path: Path, *, max_bytes: int) -> None:
    if not url.startswith("s3://"):
        raise ConfigError(
            f"{url.partition('://')[0]}:// URLs cannot be downloaded.", hint="Use a path, an https:// or an s3:// URL."
        )
    bucket, key = parse_uri(url)
    download_file(context.connect(), bucket=bucket, key=key, path=path, max_bytes=max_bytes)
