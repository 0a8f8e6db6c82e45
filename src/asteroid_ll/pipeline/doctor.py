"""The checks of a configuration and its account before a run sends anything that changes the account.

Every check is a read. One that fails does not stop the others, and one that AWS denies or does not answer is unchecked.
"""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from asteroid_ll.aws.checks.buckets import bucket_checks
from asteroid_ll.aws.checks.check import Check, failed, guarded, ok, unchecked
from asteroid_ll.aws.checks.endpoint import require_sagemaker
from asteroid_ll.aws.checks.leftovers import leftovers_check
from asteroid_ll.aws.checks.quotas import Need, machine_checks
from asteroid_ll.aws.checks.roles import SETUP, caller_checks, role_checks, without_role
from asteroid_ll.aws.pricing import Estimate, refusal_of
from asteroid_ll.aws.session import Aws, connect
from asteroid_ll.config import validate
from asteroid_ll.errors import AsteroidError, ConfigError, CredentialsError, DataError
from asteroid_ll.linear_learner.images import REPOSITORY, VERSION, account_of
from asteroid_ll.neo.sources import SOURCES
from asteroid_ll.pipeline.access import access_of
from asteroid_ll.pipeline.ownership import Ownership
from asteroid_ll.pipeline.prices import find_worst_case
from asteroid_ll.pipeline.scope import scope_of
from asteroid_ll.redaction import shown
from asteroid_ll.run import paths
from asteroid_ll.run.journal import Journal

if TYPE_CHECKING:
    from asteroid_ll.config import Config

ON_ACCOUNT = "credentials, run directory, price, role, bucket, instance types, quotas and leftovers"
"""What is checked only for target aws."""

_AGAIN = "asteroid-ll doctor"


def needs_of(config: Config, price: Estimate, *, stages: Collection[str]) -> list[Need]:
    """Return the machines that a run starts: the one table of what the quotas must allow.

    Of several types for training, none is checked: the run takes the next one if AWS refuses one.

    Args:
        config: the configuration.
        price: the most that the run can cost, with the source of each price.
        stages: the stages that run.
    """
    training, hosting = config.training, config.hosting
    listed = {item.use for item in price.items if item.price and item.price.origin == "price-list"}
    needs = {
        "clean": _processing_need(config, 1, is_priced="clean" in listed),
        "encode": _processing_need(config, config.processing.instance_count, is_priced="encode" in listed),
        "train": Need(
            name="training",
            key="training.instance_type",
            usage="spot training job" if training.spot else "training job",
            instance_type=training.instance_types[0],
            count=training.instance_count,
            is_priced="training" in listed,
        ),
        "deploy": Need(
            name="hosting",
            key="hosting.instance_type",
            usage="endpoint",
            instance_type=hosting.instance_type,
            count=hosting.instance_count,
            is_priced="hosting" in listed,
        ),
    }
    if len(training.instance_types) > 1:
        del needs["train"]
    if hosting.mode == "serverless":
        del needs["deploy"]
    elif hosting.mode == "batch":
        needs["deploy"] = Need(
            name="transform",
            key="hosting.transform_instance_type",
            usage="transform job",
            instance_type=hosting.transform_instance_type,
            count=hosting.transform_instance_count,
            is_priced="transform" in listed,
        )
    if config.stages.where == "local":
        del needs["clean"], needs["encode"]
    elif "encode" in stages:  # with as many machines as clean, or more
        del needs["clean"]
    return [need for stage, need in needs.items() if stage in stages]


def _processing_need(config: Config, count: int, *, is_priced: bool) -> Need:
    return Need(
        name="processing",
        key="processing.instance_type",
        usage="processing job",
        instance_type=config.processing.instance_type,
        count=count,
        is_priced=is_priced,
    )


def _with_role(config: Config) -> tuple[str, ...]:
    """Return the stages that need the execution role and machines."""
    processing = ("clean", "encode") if config.stages.where == "processing" else ()
    return *processing, "train", "deploy"


def diagnose(config: Config, directory: Path, *, has_role: bool = True) -> Iterator[Check]:
    """Yield the result of every check of a configuration; nothing is created, neither here nor on the account.

    Args:
        config: the configuration.
        directory: the run directory, which need not exist.
        has_role: whether the configuration names an execution role; only target aws needs one.
    """
    yield _hyperparameters(config)
    yield _data(config)
    yield _image(config)
    if config.target == "aws":
        yield from _on_account(config, directory, has_role=has_role)


def check_account(
    aws: Aws, config: Config, price: Estimate, *, stages: Collection[str] | None = None, has_role: bool = True
) -> Iterator[Check]:
    """Yield the checks of the account for the stages that run.

    Args:
        aws: the connection.
        config: the configuration.
        price: the most that the run can cost.
        stages: the stages that run; None for all. Only jobs and hosting need a role and machines.
        has_role: whether the configuration names an execution role.
    """
    stages = _with_role(config) if stages is None else stages
    needs = needs_of(config, price, stages=stages)
    scope = scope_of(config, role_arn=config.execution_role_arn, account_id=aws.account_id, partition=aws.partition)
    needs_role = not set(stages).isdisjoint(_with_role(config))
    if needs_role and has_role:
        yield from role_checks(aws, scope)
        yield from caller_checks(aws, scope, in_batch=config.hosting.mode == "batch")
    elif needs_role:
        yield from without_role("'role_arn' is not set", SETUP, kind=ConfigError)
    yield from bucket_checks(aws, scope)
    yield from machine_checks(aws, needs)


def require_account(
    aws: Aws, config: Config, price: Estimate, *, stages: Collection[str], note: Callable[[str], None]
) -> None:
    """Check the account before a run; print what is not as it should be, and one line about the rest.

    Args:
        aws: the connection.
        config: the configuration.
        price: the most that the run can cost.
        stages: the stages that run.
        note: prints a line.

    Raises:
        AsteroidError: a check failed; of the class of the first one.
    """
    checks = list(check_account(aws, config, price, stages=stages))
    for check in checks:
        if check.status != "ok":
            note(f"doctor    {'FAILED   ' if check.status == 'failed' else check.status}  {check.name}: {check.fact}.")
            for fix in check.fixes:
                note(f"{'':<21}{fix}")
    note(f"doctor    {summary(checks)}")
    error = failure_of(checks)
    if error is not None:
        raise error


def summary(checks: Sequence[Check]) -> str:
    """Return the number of checks by status, such as ``12 checks ok, 1 unchecked``."""
    n_ok = sum(check.status == "ok" for check in checks)
    parts = [f"{n_ok} check{'' if n_ok == 1 else 's'} ok"]
    for status in ("warning", "failed", "unchecked"):
        number = sum(check.status == status for check in checks)
        parts += [f"{number} {status}"] if number else []
    return ", ".join(parts)


def failure_of(checks: Sequence[Check]) -> AsteroidError | None:
    """Return the error of checks that failed, of the class of the first one; None if none did."""
    problems = [check for check in checks if check.status == "failed"]
    if not problems:
        return None
    names = ", ".join(check.name for check in problems)
    count = f"{len(problems)} check{'' if len(problems) == 1 else 's'} failed: {names}."
    todo = "Run the command below each" if any(check.fixes for check in problems) else "Correct it"
    return problems[0].kind(count, hint=f"{todo}, then check again:   {_AGAIN}")


def _hyperparameters(config: Config) -> Check:
    try:
        validate(config)
    except ConfigError as error:
        problems = error.context.get("problems", (error.what,))
        text = "; ".join(problems) if isinstance(problems, tuple) else error.what
        return failed("hyperparameters", text, "asteroid-ll config validate", kind=ConfigError)
    return ok("hyperparameters", f"{config.hyperparameters['predictor_type']}, accepted by the algorithm")


def _data(config: Config) -> Check:
    """Check that a local source is there. Nothing is downloaded."""
    source = config.source
    title = SOURCES[source.kind].title
    if source.kind == "catalogue":
        return ok("data", f"the {title}")
    scheme, is_url, rest = (source.location or "https://").partition("://")
    if is_url and scheme.lower() != "file":
        return unchecked("data", f"{shown(source.location) if source.location else title} is read by the run")
    # As in `asteroid_ll.neo.sources.csv`.
    path = Path(unquote(re.split("[?#]", rest[rest.find("/") :], maxsplit=1)[0]) if is_url else scheme)
    try:
        path = path.expanduser()
        with path.open("rb") as file:
            is_empty = not file.read(1)
        size_mb = path.stat().st_size / 1e6
    except (OSError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        use_catalogue = f"{_AGAIN} --set source.kind=catalogue --set source.location=null"
        return failed("data", f"{path} cannot be read: {reason}", use_catalogue, kind=DataError)
    if is_empty:
        return failed("data", f"{path} is empty", f"ls -l {path}", kind=DataError)
    return ok("data", f"{path}, {size_mb:.1f} MB")


def _image(config: Config) -> Check:
    try:
        fact = f"{REPOSITORY}:{VERSION} of account {account_of(config.region)}"
        more = f"; of processing jobs {config.processing.image(config.region)}"
        return ok("image", fact + (more if config.stages.where == "processing" else ""))
    except ConfigError as error:
        return failed("image", error.what.rstrip("."), f"{_AGAIN} --set region=us-east-1", kind=ConfigError)


def _on_account(config: Config, directory: Path, *, has_role: bool) -> Iterator[Check]:
    """Yield the checks that need an account."""
    with ExitStack() as stack:
        try:
            aws = stack.enter_context(
                closing(connect("aws", region=config.region, emulator_dir=directory, access=access_of(config)))
            )
            require_sagemaker(aws)
            yield _credentials(aws)
        except AsteroidError as error:
            fix = "aws sso login" if "expired" in error.what else "aws configure"
            if config.account.profile is not None:
                fix += f" --profile {shlex.quote(config.account.profile)}"
            companion = error.context.get("companion")
            if companion is not None:
                fix = str(companion)
            missing, needs = ("credentials", "the credentials") if companion is None else ("SageMaker", "SageMaker")
            fixes = (fix,) if companion or isinstance(error, CredentialsError) else ()
            yield failed(missing, error.what.rstrip("."), *fixes, kind=type(error))
            for name in ("run directory", "price", "role", "bucket", "instance types", "quotas", "leftovers"):
                yield unchecked(name, f"needs {needs}")
            return
        ownership: Ownership | None = None
        fix = f"{_AGAIN} --workdir other-run"
        try:
            ownership = Ownership(directory, Journal(directory / paths.JOURNAL), config, command="doctor", writes=False)
            fix = "aws configure"
            ownership.check_account(aws)
        except AsteroidError as error:
            yield failed("run directory", error.what.rstrip("."), fix, kind=type(error))
        else:
            known = f"is of account {aws.account_id}" if (directory / paths.RUN).exists() else "is new"
            yield ok("run directory", f"{directory} {known}")
        price = find_worst_case(config, directory, connect=lambda: aws, stores=False)
        yield _price(price, config.cost.max_usd)
        yield from check_account(aws, config, price, has_role=has_role)
        run = ownership.identity.run if ownership is not None else ""
        yield guarded("leftovers", lambda: leftovers_check(aws, run=run))


def _credentials(aws: Aws) -> Check:
    account, expiry = aws.account_id, aws.credentials_expire
    until = "" if expiry is None else f", until {expiry:%Y-%m-%d %H:%M %Z}"
    return ok("credentials", f"{aws.caller_arn or account}{until}")


def _price(price: Estimate, max_usd: float) -> Check:
    refusal = refusal_of(price, max_usd)
    if refusal is None:
        return ok("price", f"{price.sentence()}, cap {max_usd:.2f} USD")
    if price.total_usd is None:
        stated = ", ".join(f"{name}: 1.23" for name in price.unknown_types)
        fix = f"{_AGAIN} --set 'cost.price_usd_per_h={{{stated}}}'"
    else:
        fix = f"{_AGAIN} --set cost.max_usd={math.ceil(price.total_usd * 100) / 100:.2f}"
    return failed("price", refusal.what.rstrip("."), fix, kind=ConfigError)
