"""A job that bills until it ends by itself: its records in the journal, and what an interruption says about it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from asteroid_ll.errors import DataError, InterruptedRunError
from asteroid_ll.run.journal import Journal


@dataclass(frozen=True)
class BilledJob:
    """A job that a stage starts or takes up.

    Attributes:
        journal: the run's journal; the caller holds the lock of its directory.
        stage: the stage of the records.
        kind: kind of job, as the journal names it, such as ``transform-job``.
        name: the job's name.
        fingerprint: digest of its content.
    """

    journal: Journal
    stage: str
    kind: str
    name: str
    fingerprint: str

    def run(
        self,
        *,
        start: Callable[[], object],
        wait: Callable[[], float],
        billed_s_of_ended: Callable[[], float | None],
        again: str,
    ) -> float:
        """Start the job and wait for its end; the journal has its name before, and afterwards that it no longer bills.

        Args:
            start: creates or adopts the job.
            wait: waits for its success; returns the seconds for which each instance is billed.
            billed_s_of_ended: returns these seconds after a failure, or None if the job may still run.
            again: the command that waits for the job again.

        Returns:
            The seconds for which each instance is billed.

        Raises:
            InterruptedRunError: a signal came; the message names the job.
        """
        self.journal.append(
            "intent", stage=self.stage, fingerprint=self.fingerprint, resource=self.name, bills=self.kind
        )
        is_started = False
        try:
            start()
            is_started = True
            billed_s = wait()
        except KeyboardInterrupt:
            state = "is still running" if is_started else "may have been started"
            title = self.kind.replace("-", " ").capitalize()
            raise InterruptedRunError(
                f"Interrupted. {title} {self.name} {state}, and bills until it ends.",
                hint=f"{again} again;   asteroid-ll teardown   stops it.",
            ) from None
        except Exception:
            self._note_end(billed_s_of_ended)
            raise
        self._append_end(billed_s)
        return billed_s

    def _note_end(self, billed_s_of_ended: Callable[[], float | None]) -> None:
        """Record that the job no longer bills, if that is certain, and for how long it did."""
        try:
            billed_s = billed_s_of_ended()
        except Exception:  # of any type: the error of the job itself is the one to report
            return  # it may still bill, so it stays open in the journal
        if billed_s is not None:
            with suppress(DataError):  # the journal object remembers it
                self._append_end(billed_s)

    def _append_end(self, billed_s: float) -> None:
        self.journal.append(
            "gone", stage=self.stage, fingerprint=self.fingerprint, resource=self.name, billed_s=billed_s
        )
