"""fetch: bring the source's raw bytes home, whole or not at all, with where they came from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from asteroid_ll.config import Config
from asteroid_ll.run import paths
from asteroid_ll.run.atomic import sha256_file
from asteroid_ll.run.files import write_json
from asteroid_ll.stages.stage import Context, Outcome, Stage


def _external(config: Config) -> Mapping[str, str]:
    """The content of a local source file, so that an edit is noticed; a remote one is fetched when asked to."""
    location = config.source.location
    if location is None or "://" in location or not Path(location).is_file():
        return {}
    return {"source file": sha256_file(Path(location))}


def run(context: Context) -> Outcome:
    """Fetch into ``fetch/``; an earlier file stays until the new one is complete and verified."""
    from asteroid_ll.neo.sources import open_configured
    from asteroid_ll.neo.sources.web import Web

    wanted = context.config.source
    source = open_configured(wanted, web=Web(say=context.say))
    raw = context.path("fetch", source.file_name)
    provenance = source.fetch(raw, sha256=wanted.sha256, download=lambda url, path: _download_s3(context, url, path))
    write_json(context.path(paths.PROVENANCE), {"file": raw.name, **provenance})
    return Outcome(
        outputs=(f"fetch/{raw.name}", paths.PROVENANCE), note=f"{source.title}, {provenance['n_bytes'] / 1e6:.1f} MB"
    )


def _download_s3(context: Context, url: str, path: Path) -> None:
    from asteroid_ll.aws.storage import download_file, parse_uri
    from asteroid_ll.errors import ConfigError

    if not url.startswith("s3://"):
        raise ConfigError(
            f"Nothing here can download {url.partition('://')[0]}:// URLs.",
            hint="Use a path, an https:// or an s3:// URL.",
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
