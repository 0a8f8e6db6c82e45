"""fetch: download the source's raw bytes, whole or not at all, and record their origin."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from asteroid_ll.config import Config
from asteroid_ll.run import paths
from asteroid_ll.run.atomic import sha256_file
from asteroid_ll.run.files import write_json
from asteroid_ll.stages.stage import Context, Outcome, Stage


def _external(config: Config) -> Mapping[str, str]:
    """Return the digest of a local source file, which notices an edit. A remote file is fetched once."""
    location = config.source.location
    if location is None or "://" in location or not Path(location).is_file():
        return {}
    return {"source file": sha256_file(Path(location))}


def run(context: Context) -> Outcome:
    """Fetch into ``fetch/``; an earlier file stays until the new one is complete and verified."""
    from asteroid_ll.neo.sources import open_source
    from asteroid_ll.neo.sources.base import Web

    settings = context.config.source
    web = Web(say=context.say, download_other=lambda url, path: _download_s3(context, url, path))
    source = open_source(settings.kind, web=web, **settings.options)
    raw = context.path("fetch", source.spec.file_name)
    provenance = source.fetch(raw, sha256=settings.sha256)
    write_json(context.path(paths.PROVENANCE), {"file": raw.name, **provenance})
    return Outcome(
        outputs=(f"fetch/{raw.name}", paths.PROVENANCE), note=f"{source.title}, {provenance['n_bytes'] / 1e6:.1f} MB"
    )


def _download_s3(context: Context, url: str, path: Path) -> None:
    from asteroid_ll.aws.storage import download_file, parse_uri
    from asteroid_ll.errors import ConfigError

    if not url.startswith("s3://"):
        raise ConfigError(
            f"{url.partition('://')[0]}:// URLs cannot be downloaded.", hint="Use a path, an https:// or an s3:// URL."
        )
    bucket, key = parse_uri(url)
    download_file(context.connect(), bucket=bucket, key=key, path=path)


STAGE = Stage(
    name="fetch",
    version=2,
    needs=(),
    settings=lambda config: {"source": config.section_values("source")},
    run=run,
    summary="Get the asteroids from the source.",
    external=_external,
)
