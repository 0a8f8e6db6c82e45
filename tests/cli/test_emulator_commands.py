from __future__ import annotations

import re
import signal
import urllib.request

import pytest


def test_the_ledger_shows_what_aws_would_have_billed(finished):
    ended = finished.run("emulator", "ledger", config=None)
    assert ended.code == 0
    heading, training, endpoint = ended.out.splitlines()
    assert heading.split()[:2] == ["Resource", "Instances"]
    assert "training-job/" in training
    assert "1 x ml.m5.large" in training
    assert "endpoint/" in endpoint
    assert "1 x ml.t2.medium" in endpoint


def test_a_reset_asks_and_then_forgets_everything(finished):
    refused = finished.run("emulator", "reset", config=None)
    assert refused.code == 130
    assert finished.names("training-job")
    assert finished.run("emulator", "reset", "--yes", config=None).code == 0
    assert finished.names("training-job") == []
    again = finished.run("run-all", "--force", "train", "--json")
    assert again.code == 0, again.err
    assert again.status_of("upload") == "run"


def test_a_reset_ends_the_jobs_that_run(prepared):
    prepared.configure(training_starting_s=60.0)
    assert prepared.run("train").code == 2
    assert prepared.run("run-all", faults="sagemaker:DescribeTrainingJob:3:after:sigint").code == 130
    prepared.worker_pid()
    assert prepared.run("emulator", "reset", "--yes", config=None).code == 0
    assert prepared.processes() == []
    assert prepared.open_intervals() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_serve_answers_over_http_until_it_is_told_to_stop(finished, number):
    with finished.start("emulator", "serve", "--port", "0", config=None) as server:
        line = server.stdout.readline()
        url = re.fullmatch(r"export AWS_ENDPOINT_URL=(http://127\.0\.0\.1:\d+)\n", line).group(1)
        with pytest.raises(urllib.error.HTTPError) as refusal:
            urllib.request.urlopen(f"{url}/no-such-bucket/key", timeout=10)
        refusal.value.close()
        assert refusal.value.code in (403, 404)
        server.send_signal(number)
        _, err = server.communicate(timeout=30)
    assert server.returncode in (0, 130)
    assert "Traceback" not in err


def test_a_port_that_is_taken_is_one_sentence(finished):
    with finished.start("emulator", "serve", "--port", "0", config=None) as server:
        port = server.stdout.readline().rpartition(":")[2].strip()
        ended = finished.run("emulator", "serve", "--port", port, config=None)
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=30)
    assert ended.code == 2
    assert port in ended.err
    assert "Next:" in ended.err
