"""Every process sees the settings and rows in the directory, and a transaction is all or nothing."""

import threading
from contextlib import closing

import pytest

from asteroid_ll.emulator.state import Settings, State

POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}


@pytest.fixture
def state(tmp_path):
    with closing(State(tmp_path / "state")) as opened:
        yield opened


def test_settings_are_seen_by_every_opening_of_the_directory(state):
    assert state.settings == Settings()
    settings = Settings(
        quotas={"ml.m5.large for endpoint usage": 1}, container_command=("a", "b"), service_control_policies=(POLICY,)
    )
    with closing(State(state.directory)) as other:
        for is_evaluated in (True, False):
            changed = Settings(**{**vars(settings), "iam": is_evaluated})
            state.configure(changed)
            assert other.settings == changed
            assert other.evaluates_iam == is_evaluated
    state.close()
    assert state.settings == changed


def test_a_transaction_that_fails_changes_nothing(state):
    state.configure(Settings(invisible_polls=1))

    def fail():
        with state.transaction() as db:
            db.execute("DELETE FROM settings")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert state.settings.invisible_polls == 1


def test_threads_take_turns_in_their_transactions(state):
    state.ensure("CREATE TABLE IF NOT EXISTS counter (n INTEGER);")
    state.connection.execute("INSERT INTO counter VALUES (0)")

    def count():
        for _ in range(50):
            with state.transaction() as db:
                (n,) = db.execute("SELECT n FROM counter").fetchone()
                db.execute("UPDATE counter SET n = ?", (n + 1,))

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert state.connection.execute("SELECT n FROM counter").fetchone()[0] == 200
