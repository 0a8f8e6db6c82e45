import numpy as np
import pytest

from asteroid_ll.errors import ConfigError, DataError
from asteroid_ll.export.named import named, read_names
from asteroid_ll.linear_learner.model import Model


def model(weight):
    weight = np.array(weight, np.float32).reshape(-1, 1)
    return Model("binary_classifier", "logistic", weight, np.zeros(1, np.float32), threshold=0.1)


def test_a_float32_is_the_same_number_in_double():
    content = named(model([0.1, 1 / 3, 1e-38]))
    assert content.weights["f0"] == [0.100000001490116119384765625]
    assert [np.float32(values[0]) for values in content.weights.values()] == np.array(
        [0.1, 1 / 3, 1e-38], "f4"
    ).tolist()
    assert content.threshold == 0.100000001490116119384765625
    assert "binary_classifier, loss logistic, 3 features" in content.title


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["a"], "1 names for 2 features"),
        (["a", "a"], "Names 1 and 2 are both 'a'"),
        (["a", ""], "Name 2 is '', which is not a printable text"),
        (["a\nb", "c"], "Name 1 is 'a\\\\nb'"),
    ],
)
def test_names_that_do_not_fit_are_refused(names, says):
    with pytest.raises(ConfigError, match=says) as caught:
        named(model([1, 2]), names)
    assert "one name per line" in caught.value.hint


def test_a_model_that_diverged_is_refused():
    with pytest.raises(DataError, match="not finite numbers"):
        named(model([1, np.nan]))


def test_names_come_from_a_file_with_one_per_line(tmp_path):
    (tmp_path / "names.txt").write_bytes("\ufeffH \r\nmoid au\r\n".encode())
    assert read_names(tmp_path / "names.txt") == ["H", "moid au"]
    (tmp_path / "latin.txt").write_bytes(b"\xff\xfe\xfa")
    for name, says in (("latin.txt", "not UTF-8"), ("none.txt", "No such file")):
        with pytest.raises(ConfigError, match=says):
            read_names(tmp_path / name)
