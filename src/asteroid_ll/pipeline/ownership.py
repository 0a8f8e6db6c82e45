"""The rules of a run directory: it belongs to one target, region and account, and keeps its configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asteroid_ll.config.models import EMULATOR_ROLE_ARN, Config
from asteroid_ll.errors import AsteroidError, ConfigError, CredentialsError, DataError, LeakError
from asteroid_ll.redaction import redacted
from asteroid_ll.run.identity import (
    Identity,
    differences,
    new_identity,
    original_of,
    read_identity,
    write_identity,
)
from asteroid_ll.run.journal import UNKNOWN, Journal

if TYPE_CHECKING:
    from asteroid_ll.aws.session import Aws

_EMULATOR_ACCOUNT = EMULATOR_ROLE_ARN.split(":")[4]
_PLACE = ("target", "region", "account")
_TEARDOWN = "teardown"


class Ownership:
    """A command's claim on a run directory.

    Args:
        directory: the run directory.
        journal: its journal; from now on its records hold the run, the target, the account and the region.
        config: the configuration of the command.
        command: the command's name. A teardown changes nothing of the identity.
        writes: the command does work, under the lock, so the identity is stored.
        configuration_file: checksum of the current folder's ``asteroid-ll.yaml``; None if there is none.

    Attributes:
        identity: the run's identity, with the command's configuration.
        changes: a text for each difference from the stored configuration, and one if the directory is a copy.

    Raises:
        ConfigError: the run belongs to another target or region.
        LeakError: it does, the command is a teardown, and resources are open.
        DataError: ``run.json`` is damaged.
    """

    def __init__(
        self,
        directory: Path,
        journal: Journal,
        config: Config,
        *,
        command: str,
        writes: bool,
        configuration_file: str | None = None,
    ) -> None:
        self._directory = directory
        self._journal = journal
        self._is_teardown = command == _TEARDOWN
        self._writes = writes and not self._is_teardown
        values = stored_form(config)
        stored = self._stored()
        account = _EMULATOR_ACCOUNT if config.target == "emulator" else None
        new = new_identity(directory, values, account=account)
        known = stored or _from_journal(journal, new) or new
        self._require_place(known, replace(known, target=config.target, region=config.region))
        self.changes = tuple(map(str, differences(_whole(values), _whole(stored.config)))) if stored else ()
        original = original_of(directory, known)
        if original is not None:
            known = replace(known, run=new.run, began=new.began)
            self.changes = (f"A copy of {original}, so another run: {new.run}.", *self.changes)
        self.identity = replace(
            known,
            config=values,
            directory=new.directory,
            configuration_file=known.configuration_file if configuration_file is None else configuration_file,
        )
        journal.origin = self.identity.origin
        if writes:
            self._begin_journal(is_new=stored is None)
        if self._writes and self.identity != stored:
            write_identity(directory, self.identity)

    def _begin_journal(self, *, is_new: bool) -> None:
        """Write the first record of a journal; if the run is older than its journal, one that says what is unknown."""
        try:
            is_empty = not self._journal.read().records
        except DataError:
            return  # the command that needs the journal reports it
        if is_empty and not is_new:
            what = f"anything of run {self.identity.run}"
            self._journal.append("intent", stage="run", resource=what, bills=UNKNOWN)
        elif is_empty and self._writes:
            self._journal.append("intent", stage="run")

    def check_account(self, aws: Aws) -> None:
        """Refuse another account than the run's; the first connection of a run stores its account.

        Raises:
            ConfigError: the credentials belong to another account.
            LeakError: they do, or the account is unknown, the command is a teardown, and resources are open.
            CredentialsError: they are missing, or AWS does not accept them.
        """
        if aws.target == "emulator":
            return
        try:
            account = aws.account_id
        except CredentialsError as error:
            raise leaving_open(error, self._journal) from error
        except AsteroidError as error:
            raise self._refusal(error.what, hint=error.hint, kind=type(error)) from error
        self._require_place(self.identity, replace(self.identity, account=account))
        if self.identity.account is None:
            self.identity = replace(self.identity, account=account)
            self._journal.origin = self.identity.origin
            if self._writes:
                write_identity(self._directory, self.identity)

    def _stored(self) -> Identity | None:
        try:
            return read_identity(self._directory)
        except DataError as error:
            raise self._refusal(error.what, hint=error.hint, kind=DataError) from error

    def _require_place(self, known: Identity, requested: Identity) -> None:
        """Refuse a target, a region or an account that differs from the run's."""
        if all(getattr(known, name) in (None, getattr(requested, name)) for name in _PLACE):
            return
        raise self._refusal(
            f"The run in {self._directory} is on {_place(known)}; this command is for {_place(requested)}.",
            hint="Start another run with --workdir DIR, or leave out --config, --set, ASTEROID_LL_... and "
            f"asteroid-ll.yaml to stay on {known.target}."
            if (known.target, known.region) != (requested.target, requested.region)
            else f"Use credentials of account {known.account}, or start another run with --workdir.",
            kind=ConfigError,
        )

    def _refusal(self, what: str, *, hint: str, kind: type[AsteroidError]) -> AsteroidError:
        """Return the error; for a teardown that leaves something open, a LeakError that names it."""
        error = kind(what, hint=hint)
        return leaving_open(error, self._journal) if self._is_teardown else error


def leaving_open(error: AsteroidError, journal: Journal) -> AsteroidError:
    """Return the error that stops a teardown: a LeakError with the names if the journal has open resources.

    A CredentialsError remains one.
    """
    try:
        names = ", ".join(record["resource"] for record in journal.read().open_resources())
    except DataError:
        names = "anything of this run"
    if not names:
        return error
    kind = CredentialsError if isinstance(error, CredentialsError) else LeakError
    return kind(f"{error.what} Not deleted, and possibly billed: {names}.", hint=error.hint)


def stored_form(config: Config) -> dict[str, Any]:
    """Return the configuration as JSON values, without the secrets of its addresses."""
    return redacted(config.stored_values())


def _whole(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stored configuration with the defaults of the keys that are only stored if they are set."""
    defaults = Config().values_that_are_not_stored()
    return {**values, **{name: {**section, **(values.get(name) or {})} for name, section in defaults.items()}}


def _from_journal(journal: Journal, new: Identity) -> Identity | None:
    """Return the identity that the journal holds, for a run directory without ``run.json``.

    Version 0.1.0 wrote no run, but the target and the region are among the settings of its stages.
    """
    try:
        records = journal.read().records
    except DataError:
        return None
    for record in reversed(records):
        place = record if "run" in record else record.get("settings", {})
        if "target" in place and "region" in place:
            account = _EMULATOR_ACCOUNT if place["target"] == "emulator" else place.get("account")
            run = place.get("run", new.run)
            return replace(new, run=run, target=place["target"], region=place["region"], account=account)
    return None


def _place(identity: Identity) -> str:
    account = f", account {identity.account}" if identity.account and identity.target == "aws" else ""
    return f"target {identity.target}, region {identity.region}{account}"
