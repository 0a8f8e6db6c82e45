"""Every process sees the settings and rows in the directory, and a transaction is all or nothing."""

import threading
from contextlib import closing
from dataclasses import replace

import pytest

from asteroid_ll.emulator.state import Settings, State


@pytest.fixture
def state(tmp_path):
    made = State(tmp_path / "state")
    yield made
    made.close()


def test_settings_are_the_defaults_until_they_are_changed(state):
    assert state.settings == Settings()


def test_settings_are_seen_by_another_opening_of_the_directory(state):
    settings = Settings(
        endpoint_creating_s=3, quotas={"ml.m5.large for endpoint usage": 1}, container_command=("a", "b")
    )
    state.configure(settings)
    other = State(state.directory)
    assert other.settings == settings
    other.close()


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


def test_a_state_that_was_closed_can_be_opened_again(state):
    state.configure(Settings(invisible_polls=2))
    state.close()
    assert state.settings.invisible_polls == 2


def test_whether_policies_are_evaluated_is_known_to_every_process_without_a_query(tmp_path):
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}
    with closing(State(tmp_path)) as one, closing(State(tmp_path)) as other:
        assert not other.evaluates_iam
        settings = replace(one.settings, iam=True, service_control_policies=(policy,))
        one.configure(settings)
        assert other.evaluates_iam
        assert other.settings == settings
        one.configure(replace(settings, iam=False))
        assert not other.evaluates_iam
