"""Real botocore clients in front of one emulator per test, and a stand-in for the training container."""

from __future__ import annotations

import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import botocore.loaders
import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from asteroid_ll.emulator.account import Account
from asteroid_ll.emulator.processes import reap_children
from asteroid_ll.emulator.sagemaker import hosting
from asteroid_ll.emulator.transport import in_process as transport
from asteroid_ll.emulator.transport.messages import Request, Response
from asteroid_ll.emulator.transport.server import serving
from asteroid_ll.errors import DataError
from asteroid_ll.linear_learner.images import image_uri

REGION = "us-west-2"
ROLE = "arn:aws:iam::000000000000:role/trainer"

CONTAINER = """
import json, os, pathlib, signal, sys, time
root = pathlib.Path(sys.argv[sys.argv.index("--root") + 1])
hyperparameters = json.loads((root / "input/config/hyperparameters.json").read_text())
wish = hyperparameters.get("wish", "model")
print("Docker entrypoint called with argument(s): train")
if wish == "wait":
    def leave(number, frame):
        print("stopping")
        if "model" in hyperparameters:
            (root / "model/model_algo-1").write_text("half")
        sys.exit(3)
    signal.signal(signal.SIGTERM, leave)
    print("waiting")
    while True:
        time.sleep(0.01)
if "until" in wish:
    while not pathlib.Path(hyperparameters["path"]).exists():
        time.sleep(0.01)
if wish == "fail":
    (root / "output/failure").write_text(hyperparameters["words"])
    sys.exit(1)
if wish == "exit":
    sys.exit(int(hyperparameters["code"]))
if "environment" in wish:
    print(json.dumps(dict(os.environ)))
if "layout" in wish:
    names = sorted(str(p.relative_to(root)) for p in (root / "input").rglob("*") if p.is_file())
    print(json.dumps({name: (root / name).read_text() for name in names}))
print("#quality_metric: host=algo-1, epoch=0, train mse_objective <loss>=0.5")
print("#quality_metric: host=algo-1, epoch=1, train mse_objective <loss>=0.25")
if "_tuning_objective_metric" in hyperparameters:
    print("#quality_metric: host=algo-1, epoch=1, validation mse_objective <loss>=" + hyperparameters["wd"])
print("#progress_metric: host=algo-1, completed 100.0 % of epochs")
print("#quality_metric: host=algo-1, train mse <loss>=1.5", file=sys.stderr)
if wish != "no model":
    (root / "model/model_algo-1").write_text("weights")
"""


class Front:
    """The clients' counterpart: it passes requests on to the emulator of the running test."""

    emulator: Any = None
    loader: Any = None

    def handle(self, request: Any) -> Any:
        return self.emulator.handle(request)


@pytest.fixture(scope="session")
def front() -> Front:
    return Front()


@pytest.fixture(scope="session")
def client_of(front: Front) -> Callable[..., Any]:
    """A factory of clients; one per service and region for the whole session, as they are slow to make."""
    session = botocore.session.Session()
    session.set_credentials("emulator", "emulator")
    transport.attach(session, front)
    maker = boto3.session.Session(botocore_session=session)
    made: dict[tuple[str, str], Any] = {}
    front.loader = session.get_component("data_loader")

    def client(service: str, region: str = REGION) -> Any:
        if (service, region) not in made:
            config = Config(retries={"total_max_attempts": 1})
            made[service, region] = maker.client(service, region_name=region, config=config)
        return made[service, region]

    return client


@pytest.fixture
def clock() -> SimpleNamespace:
    """Seconds since 1970 that pass only when a test changes them."""
    return SimpleNamespace(s=1_700_000_000.0)


@pytest.fixture
def emulator(tmp_path: Path, front: Front, client_of: Any) -> Iterator[Any]:
    """An empty account on the real clock, in front of which the clients are."""
    made = Account(tmp_path / "state", loader=front.loader)
    front.emulator = made
    yield made
    made.reset()
    made.close()
    reap_children()
    front.emulator = None


@pytest.fixture
def virtual(tmp_path: Path, front: Front, client_of: Any, clock: SimpleNamespace) -> Iterator[Any]:
    """An empty account on a virtual clock."""
    made = Account(tmp_path / "virtual", clock=lambda: clock.s, loader=front.loader)
    front.emulator = made
    yield made
    made.close()
    front.emulator = None


@pytest.fixture
def sagemaker(client_of: Callable[..., Any]) -> Any:
    return client_of("sagemaker")


@pytest.fixture
def container(tmp_path: Path) -> tuple[str, ...]:
    """The command of the stand-in container; the hyperparameter ``wish`` chooses its behaviour."""
    script = tmp_path / "container.py"
    script.write_text(textwrap.dedent(CONTAINER))
    return (sys.executable, "-S", str(script))


@pytest.fixture
def stand_in(emulator: Any, container: tuple[str, ...]) -> Any:
    """The emulator with the stand-in container."""
    emulator.configure(container_command=container)
    return emulator


@pytest.fixture
def bucket(emulator: Any) -> str:
    """A bucket of the account with one training object."""
    emulator.store.create_bucket("asteroids", region=REGION)
    emulator.store.put("asteroids", "in/train/part-0", [b"1,2,3\n"])
    return "asteroids"


@pytest.fixture
def job_request() -> Callable[..., dict[str, Any]]:
    """A valid CreateTrainingJob request; keyword arguments replace members."""

    def build(name: str = "job-1", **changes: Any) -> dict[str, Any]:
        source = {
            "S3DataType": "S3Prefix",
            "S3Uri": "s3://asteroids/in/train",
            "S3DataDistributionType": "FullyReplicated",
        }
        request: dict[str, Any] = {
            "TrainingJobName": name,
            "RoleArn": ROLE,
            "AlgorithmSpecification": {"TrainingImage": image_uri(REGION), "TrainingInputMode": "File"},
            "HyperParameters": {"wish": "model"},
            "InputDataConfig": [{"ChannelName": "train", "DataSource": {"S3DataSource": source}}],
            "OutputDataConfig": {"S3OutputPath": "s3://asteroids/out"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
            "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        }
        return {key: value for key, value in {**request, **changes}.items() if value is not None}

    return build


@pytest.fixture
def ended(sagemaker: Any) -> Callable[..., Any]:
    """Wait for a job's end and return its description."""

    def has_ended(job: Any) -> bool:
        return job["TrainingJobStatus"] not in ("InProgress", "Stopping")

    def wait(name: str = "job-1", *, until: Callable[[Any], bool] = has_ended) -> Any:
        limit_s = time.monotonic() + 30
        while time.monotonic() < limit_s:
            job = sagemaker.describe_training_job(TrainingJobName=name)
            if until(job):
                return job
            time.sleep(0.01)
        raise AssertionError(f"{name} is still {job['TrainingJobStatus']}")

    return wait


@pytest.fixture
def refused() -> Callable[..., tuple[str, str]]:
    """Make a call that must be refused, and return the code and message of the refusal."""

    def call(operation: Callable[..., Any], **params: Any) -> tuple[str, str]:
        with pytest.raises(ClientError) as caught:
            operation(**params)
        error = caught.value.response["Error"]
        return error["Code"], error["Message"]

    return call


HALTING_CONTAINER = """
import pathlib, signal, sys
from asteroid_ll.linear_learner import checkpoint, container

marker, store = pathlib.Path(sys.argv[1]), checkpoint.Checkpoint.store

def store_and_halt(self, ensemble, epochs, **state):
    store(self, ensemble, epochs, **state)
    if self._path.exists() and len(epochs) == 3 and not self._read_only and not marker.exists():
        marker.touch()
        print("halted", flush=True)
        signal.pause()

checkpoint.Checkpoint.store = store_and_halt
sys.exit(container.main(["train", *sys.argv[2:]]))
"""


@pytest.fixture
def halted(emulator: Any, tmp_path: Path) -> Callable[[], None]:
    """Let the first container that keeps a checkpoint halt after its third; ``halted()`` waits until it has."""
    script, marker = tmp_path / "halting.py", tmp_path / "halted"
    script.write_text(HALTING_CONTAINER)
    emulator.configure(container_command=(sys.executable, str(script), str(marker)))

    def wait() -> None:
        limit_s = time.monotonic() + 30
        while not marker.exists():
            assert time.monotonic() < limit_s

    return wait


class FakeScorer:
    """Stands in for a loaded model: it scores by length and refuses the body ``bad``."""

    def __init__(self, text: str) -> None:
        self.text = text

    def invoke(self, body: bytes, *, content_type: str, accept: str) -> SimpleNamespace:
        if body == b"bad":
            line = "Customer Error: The feature dimension of the input: 4 does not match"
            return SimpleNamespace(
                status=400, content_type="text/plain", body=b"unable to evaluate payload provided", log_lines=(line,)
            )
        reply = f"{self.text}|{content_type}|{accept}|{len(body)}"
        return SimpleNamespace(status=200, content_type="application/json", body=reply.encode(), log_lines=())


@pytest.fixture
def fake_scorer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Artifacts are their text; ``broken`` cannot be loaded."""

    def load(services: Any, path: Path) -> FakeScorer:
        text = path.read_text()
        if text == "broken":
            raise DataError("The artifact is broken.")
        services.loaded_models[path] = model = FakeScorer(text)
        return model

    monkeypatch.setattr(hosting, "_load_model", load)


@pytest.fixture
def hosted(virtual: Any, sagemaker: Any, fake_scorer: None) -> Callable[..., str]:
    """Make a model and a configuration named alike, from an artifact's text; ``endpoint`` is not created yet."""
    virtual.store.create_bucket("asteroids", region=REGION)

    def make(name: str = "ep", *, text: str = "weights", variants: int = 1, instance_type: str = "ml.m5.large") -> str:
        virtual.store.put("asteroids", f"out/{name}/model.tar.gz", [text.encode()])
        container = {"Image": image_uri(REGION), "ModelDataUrl": f"s3://asteroids/out/{name}/model.tar.gz"}
        sagemaker.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=ROLE)
        chosen = [
            {
                "VariantName": f"v{number}",
                "ModelName": name,
                "InstanceType": instance_type,
                "InitialInstanceCount": 1,
                "InitialVariantWeight": 1.0,
            }
            for number in range(variants)
        ]
        sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=chosen)
        return name

    return make


@pytest.fixture(autouse=True)
def _no_aws_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("PROFILE", "ENDPOINT_URL", "ENDPOINT_URL_S3", "DEFAULT_REGION", "REGION"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "no-such-file"))


@pytest.fixture(scope="session")
def loader() -> Any:
    """botocore's models, read once for all tests."""
    return botocore.loaders.create_loader()


@pytest.fixture
def new_session(loader: Any) -> Callable[..., Any]:
    """Make boto3 sessions with dummy keys that ignore the machine's configuration."""

    def make(*, region: str = "us-east-1") -> Any:
        core = botocore.session.Session()
        core.register_component("data_loader", loader)
        return boto3.session.Session(
            aws_access_key_id="AKIDEXAMPLE",
            aws_secret_access_key="secret",
            region_name=region,
            botocore_session=core,
        )

    return make


@pytest.fixture
def sent_by(virtual: Any, new_session: Callable[..., Any]) -> Callable[..., Any]:
    """Make clients that sign with the keys of an answer of IAM or STS, in front of ``virtual``."""

    def make(keys: Any, service: str) -> Any:
        session = new_session(region=REGION)
        core = session._session
        transport.attach(core, virtual)
        core.set_credentials(keys["AccessKeyId"], keys["SecretAccessKey"], keys.get("SessionToken"))
        return session.client(service)

    return make


@pytest.fixture
def recorder() -> Callable[..., Any]:
    """Make emulators that keep their requests and always return the same response."""

    def make(response: Response) -> Any:
        requests: list[Request] = []

        def handle(request: Request) -> Response:
            requests.append(request)
            return response

        return SimpleNamespace(handle=handle, requests=requests)

    return make


@pytest.fixture
def served() -> Iterator[Callable[..., int]]:
    """A function that serves an emulator over HTTP and returns its port; all servers are stopped at the end."""
    with ExitStack() as stack:
        yield lambda emulator, **options: stack.enter_context(serving(emulator, **options))
