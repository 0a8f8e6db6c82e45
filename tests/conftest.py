"""What all tests share: one thread for numpy and scikit-learn, and places in which commands run as processes.

One BLAS thread is what the command line has. Threads of OpenMP would wait in a loop, at the cost of the other tests.
The variables are set before numpy is imported anywhere.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import functools
import gc
import importlib.util
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import settings

pytest_plugins = ["asteroid_ll.testing"]

settings.register_profile("asteroid-ll", deadline=None, derandomize=not os.environ.get("ASTEROID_LL_EXHAUSTIVE"))
settings.load_profile("asteroid-ll")
"""The same examples in every run, except in the nightly one; no deadline, which a busy machine would miss."""


signal.signal(signal.SIGINT, signal.default_int_handler)
"""A job that a shell runs in the background ignores it, and so would the commands that tests interrupt."""


gc.set_threshold(50_000)


def pytest_collection_finish() -> None:
    """Keep the tests and all modules out of Python's garbage collector, which would look at them again and again."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of a test with the mark ``one_in(n)``, keep each n-th case, or all: nightly, and if one is named."""
    takes_all = "1" in (os.environ.get("ASTEROID_LL_EXHAUSTIVE"), os.environ.get("ASTEROID_LL_REFRESH_DOCS"))
    if takes_all or any("::" in argument for argument in config.args):
        return
    n_seen: Counter[str] = Counter()
    left_out = set()
    for item in items:
        mark = item.get_closest_marker("one_in")
        if mark is not None:
            test = item.nodeid.partition("[")[0]
            if n_seen[test] % mark.args[0]:
                left_out.add(item)
            n_seen[test] += 1
    config.hook.pytest_deselected(items=list(left_out))
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session", autouse=True)
def _service_models_are_read_once() -> None:
    """Let all sessions of this process share botocore's data; the models of SageMaker alone take 0.03 s to read."""
    import botocore.session

    botocore.session.create_loader = functools.cache(botocore.session.create_loader)


@pytest.fixture(autouse=True)
def _no_command_runs() -> Iterator[None]:
    """Forget the options of a command that a test has called in this process: they would be in later messages."""
    yield
    invocation = sys.modules.get("asteroid_ll.cli.invocation")
    if invocation is not None:
        vars(invocation)["_invocation"].set(None)


def _helper(name: str) -> Any:
    """Load a module of ``tests/faults`` once; no folder of tests is a package."""
    full_name = f"asteroid_ll_{name}"
    if full_name not in sys.modules:
        path = Path(__file__).resolve().parent / "faults" / f"{name}.py"
        spec = importlib.util.spec_from_file_location(full_name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[full_name] = module
        spec.loader.exec_module(module)
    return sys.modules[full_name]


@dataclass(frozen=True)
class Exported:
    """A model to export, rows that it scores, and their scores by numpy, shape ``(n, k)``."""

    model: Any
    rows: npt.NDArray[np.float32]
    scores: npt.NDArray[np.longdouble]

    def check_labels(self, labels: Any) -> None:
        """Compare predicted labels with the endpoint's, except for the training row that is the threshold.

        The endpoint's float32 score of that row is the threshold. In double it can be on either side.
        """
        endpoint = self.model.predict(self.rows)
        is_decided = endpoint.score.reshape(len(self.rows), -1)[:, 0] != np.float32(self.model.threshold)
        assert is_decided.sum() >= len(self.rows) - 1
        np.testing.assert_array_equal(np.asarray(labels)[is_decided], endpoint.predicted_label[is_decided])


SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
REAL_ARTIFACTS = sorted(path.parent.name for path in SHARED.glob("*/model.tar.gz")) or ["artifact-binary"]
TRAINED = {
    "regressor": {"predictor_type": "regressor"},
    "quantile": {"predictor_type": "regressor", "loss": "quantile_loss"},
    "logistic": {"predictor_type": "binary_classifier"},
    "hinge": {"predictor_type": "binary_classifier", "loss": "hinge_loss"},
    "multiclass": {"predictor_type": "multiclass_classifier", "num_classes": "4"},
}


@pytest.fixture(scope="session", params=[*TRAINED, *REAL_ARTIFACTS])
def exported(request: pytest.FixtureRequest) -> Exported:
    """A model of each kind that we train on columns of different scales, and every real artifact at hand."""
    from asteroid_ll.linear_learner.model import Model
    from asteroid_ll.linear_learner.training import train

    generator = np.random.default_rng(5)
    if request.param in TRAINED:
        rows = (generator.normal(size=(120, 6)) * 10.0 ** np.arange(-2, 4) + [0, 5, -50, 0, 0, 1e4]).astype(np.float32)
        signal = (rows - rows.mean(axis=0)) / rows.std(axis=0) @ [1, -2, 0, 0.5, 1, 1]
        kind = TRAINED[request.param]["predictor_type"]
        labels = {"regressor": signal * 30 + 200, "binary_classifier": signal > 0.5}.get(
            kind, np.digitize(signal, [-2, 0, 2])
        )
        settings = {**TRAINED[request.param], "mini_batch_size": "10", "epochs": "3", "num_models": "3"}
        model = train(rows, np.asarray(labels, np.float32), settings).model
    else:
        path = SHARED / request.param / "model.tar.gz"
        if not path.exists():
            pytest.skip(f"the real artifact is not at {path}")
        model = Model.load(path)
        rows = ((generator.random((40, model.feature_dim)) < 0.01) * generator.integers(1, 4, 1)).astype(np.float32)
    sums = (rows.astype(np.float64) @ model.weight.astype(np.float64) + model.bias).astype(np.longdouble)
    scores = {"logistic": 1 / (1 + np.exp(-sums)), "softmax_loss": np.exp(sums) / np.exp(sums).sum(axis=1)[:, None]}
    return Exported(model, rows, scores.get(model.loss, sums))


@pytest.fixture(scope="session")
def workbench() -> Any:
    """Folders in which tests run the command line."""
    return _helper("workbench")


@pytest.fixture(scope="session")
def injector() -> Any:
    """The fault injector for calls to AWS."""
    return _helper("injector")


@pytest.fixture(scope="session")
def fault_proxy() -> Any:
    """The proxy that spoils answers over HTTP."""
    return _helper("proxy")


@pytest.fixture(scope="session")
def planting() -> Any:
    """Resources that no run has created."""
    return _helper("planting")


@pytest.fixture(scope="session")
def pasting() -> Any:
    """What runs printed commands of Amazon's command line."""
    return _helper("pasting")


@pytest.fixture(scope="session")
def zygote(workbench: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """What starts commands."""
    started = workbench.Zygote(tmp_path_factory.mktemp("zygote"))
    yield started
    started.close()


@pytest.fixture(scope="session")
def finished_once(workbench: Any, zygote: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A place after one undisturbed run-all; read it, copy it, never change it."""
    folder = tmp_path_factory.mktemp("finished")
    workbench.write_place(folder)
    place = workbench.Place(folder, zygote)
    ended = place.run("run-all", "--json")
    assert ended.code == 0, ended.err
    place.check()
    return place


@pytest.fixture(scope="session")
def prepared_once(workbench: Any, zygote: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A place where everything before the upload is done; copy it, never change it."""
    folder = tmp_path_factory.mktemp("prepared")
    workbench.write_place(folder)
    place = workbench.Place(folder, zygote)
    ended = place.run("run-all", "--until", "encode")
    assert ended.code == 0, ended.err
    return place


@pytest.fixture(scope="session")
def trained_once(prepared_once: Any, workbench: Any, zygote: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A place where the model is trained and nothing is deployed; copy it, never change it."""
    place = workbench.copy_of(prepared_once, tmp_path_factory.mktemp("trained") / "place", zygote)
    ended = place.run("run-all", "--until", "train")
    assert ended.code == 0, ended.err
    return place


@pytest.fixture(scope="session")
def renewed_once(finished_once: Any, workbench: Any, zygote: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The finished place after its source has changed and everything has run once more; never change it."""
    place = workbench.with_other_rows(finished_once, tmp_path_factory.mktemp("renewed") / "place", zygote)
    ended = place.run("run-all")
    assert ended.code == 0, ended.err
    return place


@pytest.fixture(scope="session")
def account_once(workbench: Any, zygote: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A place with ``target: aws`` where everything before the upload is done, and whose account has the role.

    Copy it, never change it.
    """
    folder = tmp_path_factory.mktemp("account")
    workbench.write_place(folder)
    place = workbench.Place(folder, zygote)
    place.edit("source:", f"target: aws\nrole_arn: {workbench.ROLE_ARN}\nsource:")
    ended = place.run("run-all", "--until", "encode")
    assert ended.code == 0, ended.err
    workbench.create_role(place.state)
    return place


@pytest.fixture(scope="session")
def account_training(
    account_once: Any, workbench: Any, zygote: Any, fault_proxy: Any, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Any, list[str]]:
    """The same place after the training over HTTP, and the operations of that; copy it, never change it."""
    place = workbench.copy_of(account_once, tmp_path_factory.mktemp("account-trained") / "place", zygote)
    with fault_proxy.in_front_of_emulator(place.state) as proxy:
        ended = place.run("run-all", "--until", "train", AWS_ENDPOINT_URL=proxy.url)
        assert ended.code == 0, ended.err
    return place, proxy.operations


@pytest.fixture
def new_place(workbench: Any, zygote: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Makes places, empty or as a copy of another; what must hold everywhere is checked in each at the end."""
    places: list[Any] = []

    def make(*, like: Any = None) -> Any:
        folder = tmp_path / f"place-{len(places)}"
        if like is None:
            workbench.write_place(folder)
            place = workbench.Place(folder, zygote)
        else:
            place = workbench.copy_of(like, folder, zygote)
        places.append(place)
        return place

    yield make
    for place in places:
        place.check()


@pytest.fixture
def place(new_place: Callable[..., Any]) -> Any:
    """A place where nothing has run."""
    return new_place()


@pytest.fixture
def finished(new_place: Callable[..., Any], finished_once: Any) -> Any:
    """A place after one run-all."""
    return new_place(like=finished_once)


@pytest.fixture
def prepared(new_place: Callable[..., Any], prepared_once: Any) -> Any:
    """A place where everything before the upload is done."""
    return new_place(like=prepared_once)


@pytest.fixture
def trained(new_place: Callable[..., Any], trained_once: Any) -> Any:
    """A place where the model is trained and nothing is deployed."""
    return new_place(like=trained_once)
