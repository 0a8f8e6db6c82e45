"""fetch: download or copy the source's raw bytes, and record their provenance."""

from __future__ import annotations

from pathlib import Path

from asteroid_ll.aws.storage import download_file, parse_uri
from asteroid_ll.errors import ConfigError
from asteroid_ll.neo.sources import open_configured
from asteroid_ll.neo.sources.web import Web
from asteroid_ll.run import paths
from asteroid_ll.run.files import write_json
from asteroid_ll.stages.stage import Context, Outcome


def run(context: Context) -> Outcome:
    """Fetch into ``fetch/``; an earlier file is replaced when the new one is complete and verified."""
    config = context.config.source
    source = open_configured(config, web=Web(say=context.say))
    raw = context.path("fetch", source.file_name)
    provenance = source.fetch(raw, sha256=config.sha256, download=lambda url, path: _download_s3(context, url, path))
    write_json(context.path(paths.PROVENANCE), {"file": raw.name, **provenance})
    return Outcome(
        outputs=(f"fetch/{raw.name}", paths.PROVENANCE), note=f"{source.title}, {provenance['n_bytes'] / 1e6:.1f} MB"
    )


def _download_s3(context: Context, url: str, path: Path) -> None:
    if not url.startswith("s3://"):
        raise ConfigError(
            f"{url.partition('://')[0]}:// URLs are not supported.",
            hint="Use a path, an https:// or an s3:// URL.",
        )
    bucket, key = parse_uri(url)
    download_file(context.connect(), bucket=bucket, key=key, path=path)
