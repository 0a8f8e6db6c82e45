"""The container of a processing job: runs one stage on files that SageMaker has copied there.

``python3 -m asteroid_ll.pipeline.container DIR`` is the last part of the command in `asteroid_ll.processing_container`,
which describes the folders of DIR. The stage is the same function as on the user's machine. Exit codes: 0 done, 1
failed, 130 stopped by SIGINT. The file ``output/message`` has the reason of a failure. That of a bug also has its
traceback in the log.
"""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from asteroid_ll import processing_container as contract
from asteroid_ll.errors import AsteroidError, AwsError
from asteroid_ll.run.atomic import atomic_write, sha256_file
from asteroid_ll.run.files import read_json, write_json
from asteroid_ll.run.journal import Journal
from asteroid_ll.stages.documents import HostOutcome, failure_message, failure_of
from asteroid_ll.stages.registry import STAGES
from asteroid_ll.stages.stage import Context

if TYPE_CHECKING:
    from asteroid_ll.config import Config

_INTERRUPTED = 130
_ROOM = (errno.ENOSPC, errno.EDQUOT)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the stage in a container's directory; return the exit code.

    Args:
        arguments: the directory; None for the command line's.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as `asteroid_ll.cli.main` does, for the same bits
    (directory,) = sys.argv[1:] if arguments is None else arguments
    root = Path(directory)
    try:
        _run(root)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except AsteroidError as error:
        reason = failure_message(_as_of_container(error, root))
    except Exception as error:
        traceback.print_exc()
        failure = _of_machine(error)
        reason = f"{type(error).__name__}: {error}" if failure is None else failure_message(failure)
    else:
        return 0
    _log(str(failure_of(reason) or reason))
    message = reason.encode()[: contract.MAX_MESSAGE_BYTES].decode(errors="ignore")
    atomic_write(root / contract.MESSAGE, message.encode())
    return 1


def _run(root: Path) -> None:
    """Run the stage that the settings name, and write its outcome beside its outputs."""
    document = read_json(root / contract.SETTINGS)
    stage = next(stage for stage in STAGES if stage.job and stage.name == document["stage"])
    resources = read_json(root / contract.RESOURCES)
    host, hosts = resources["current_host"], resources["hosts"]
    run = root / contract.RUN
    context = Context(
        config=_config_of(document["settings"]),
        directory=run,
        journal=Journal(run / "journal.jsonl"),
        fingerprint="",
        inputs={},
        run="",
        connect=_no_connection,
        progress=_log,
        host=hosts.index(host),
        n_hosts=len(hosts),
    )
    _log(f"{stage.name} on {host}, one of {len(hosts)}" if len(hosts) > 1 else stage.name)
    outcome = stage.run(context)
    digests = {path: sha256_file(run / path) for path in outcome.outputs if (run / path).is_file()}
    write_json(run / stage.name / f"{contract.OUTCOMES}{host}.json", HostOutcome(outcome, digests).to_json())
    _log(f"{stage.name}: {outcome.note}")


def _config_of(settings: Mapping[str, Mapping[str, Any]]) -> Config:
    """Return a configuration with these sections, which were checked together with the others where they are from."""
    from asteroid_ll.config import Config

    sections = {}
    for name, values in settings.items():
        section: Any = Config.model_fields[name].annotation
        sections[name] = section.model_validate(values)
    return Config.model_construct(**sections)


def _no_connection() -> NoReturn:
    raise AwsError("A stage that runs as a processing job cannot reach AWS from there.")


def _log(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - the job's log


def _as_of_container(error: AsteroidError, root: Path) -> AsteroidError:
    """Return an error with the paths of a container, wherever it is, and with a hint that helps there."""
    hint = _machine_hint(error.__cause__) or error.hint
    what, hint = (text.replace(str(root), contract.ROOT) for text in (error.what, hint))
    return type(error)(what, hint=hint, **error.context)


def _of_machine(error: Exception) -> AsteroidError | None:
    """Return the error of a machine that is too small; None for any other."""
    if isinstance(error, MemoryError):
        return AwsError(
            f"The machine of the job has too little memory: {error or 'none is left'}.",
            hint="Choose a larger 'processing.instance_type'.",
        )
    hint = _machine_hint(error)
    return AwsError("The disk of the job's machine is full.", hint=hint) if hint else None


def _machine_hint(error: BaseException | None) -> str:
    """Return what to do about a full disk; empty for any other error."""
    is_full = isinstance(error, OSError) and error.errno in _ROOM
    return "Raise 'processing.volume_size_gb', then run the same command again." if is_full else ""


if __name__ == "__main__":
    sys.exit(main())
