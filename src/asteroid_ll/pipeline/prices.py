"""The price of a run before its first request that creates anything, and where it is from.

The copy in the run directory goes before AWS's Price List. If the list cannot be read, the bundled table takes its
place, and the estimate says why.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asteroid_ll.aws.price_list import read_prices, store_prices, stored_prices
from asteroid_ll.aws.pricing import Estimate, Prices, refusal_of
from asteroid_ll.errors import AsteroidError, CredentialsError
from asteroid_ll.report.bill import priced_types, worst_case
from asteroid_ll.run import paths

if TYPE_CHECKING:
    from asteroid_ll.aws.session import Aws
    from asteroid_ll.config import Config
    from asteroid_ll.pipeline.plan import Plan
    from asteroid_ll.stages.stage import Stage


class PriceCheck:
    """Shows the price of a run once, before the first stage that reaches the account, and holds the cap.

    Args:
        stages: all stages.
        find: returns the most that a run can cost; None if it costs nothing.
        max_usd: the cap, US dollars.
    """

    def __init__(self, stages: Sequence[Stage], find: Callable[[], Estimate | None], *, max_usd: float) -> None:
        self._priced = [stage.name for stage in stages if stage.is_priced]
        self._find = find
        self._max_usd = max_usd
        self._is_shown = False

    @cached_property
    def _worst_case(self) -> Estimate | None:
        return self._find()

    def of(self, plan: Plan) -> Estimate | None:
        """Return the most that a plan can cost; None if it does nothing on an AWS account."""
        steps = [plan[name] for name in self._priced]
        return self._worst_case if any(step.action == "run" and not step.from_stored for step in steps) else None

    def check(self, plan: Plan, note: Callable[[str], None]) -> Estimate | None:
        """Show the most that a plan can cost, and refuse it above the cap; return it, or None if it was shown before.

        Args:
            plan: the plan.
            note: prints a line.

        Raises:
            ConfigError: the worst case is above the cap, or unknown.
        """
        return self.require(note) if not self._is_shown and self.of(plan) is not None else None

    def require(self, note: Callable[[str], None]) -> Estimate | None:
        """Show the most that a run can cost, and refuse it above the cap; return it, or None if there is none.

        Args:
            note: prints a line.

        Raises:
            ConfigError: the worst case is above the cap, or unknown.
        """
        price = self._worst_case
        if price is None:
            return None
        self._is_shown = True
        for line in price.lines(self._max_usd):
            note(line)
        refusal = refusal_of(price, self._max_usd)
        if refusal is not None:
            raise refusal
        return price

    def shown(self) -> Mapping[str, Any] | None:
        """Return the price that was shown as JSON values; None if there was none."""
        price = self._worst_case if self._is_shown else None
        return None if price is None else price.to_json(self._max_usd)


def find_worst_case(config: Config, directory: Path, *, connect: Callable[[], Aws], stores: bool) -> Estimate:
    """Return the most that a run can cost on an AWS account.

    Args:
        config: the configuration.
        directory: the run directory.
        connect: opens a session with AWS; the Price List is read without a check of the account.
        stores: whether to keep the prices of the list in the run directory, which needs its lock.
    """
    now_s = time.time()
    listed = stored_prices(directory / paths.PRICES, region=config.region, now_s=now_s)
    wanted = [key for key in priced_types(config) if key[1] not in config.cost.price_usd_per_h]
    note = ""
    if not listed.keys() >= set(wanted):
        try:
            listed = read_prices(connect(), wanted, today=datetime.fromtimestamp(now_s, UTC).date().isoformat())
        except Exception as error:  # of any type: a run can do without the list
            note = _reason(error)
        else:
            if stores and listed:
                _store(directory / paths.PRICES, listed, region=config.region, now_s=now_s)
    return worst_case(config, listed, note=note)


def _store(path: Path, prices: Prices, *, region: str, now_s: float) -> None:
    with suppress(OSError, AsteroidError):  # the next command reads the list again
        store_prices(path, prices, region=region, now_s=now_s)


def _reason(error: Exception) -> str:
    """Return why AWS's Price List could not be read, in one sentence."""
    if isinstance(error, CredentialsError) and not error.context:
        return "AWS's Price List needs credentials, so it was not read."
    if isinstance(error, AsteroidError):
        return error.what
    return f"AWS's Price List could not be read: {type(error).__name__}."
