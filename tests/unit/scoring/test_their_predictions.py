"""Another's predictions of the benchmark: every form that is read, and one sentence for every form that is not."""

import numpy as np
import pytest

from asteroid_ll.errors import DataError
from asteroid_ll.scoring.their_predictions import read_predictions

SKY = ["433", "99942", "2010 PK9"]


@pytest.fixture
def read(tmp_path):
    def read(text):
        (tmp_path / "theirs.csv").write_text(text, "utf-8")
        return read_predictions(tmp_path / "theirs.csv", designations=SKY)

    return read


def test_rows_come_in_any_order_and_designations_in_any_case(read):
    found = read("score,designation,mine\n0.2,2010pk9,x\n0.9,99942,\n0.5, 433 ,\n")
    assert np.asarray(found.scores).tolist() == [0.5, 0.9, 0.2]
    assert np.asarray(found.predicted).tolist() == [False, True, False]


def test_labels_go_before_the_threshold_and_can_stand_alone(read):
    found = read("Designation,Hazardous,score\n433,yes,0.1\n99942,FALSE,0.9\n2010 PK9,1,0\n")
    assert np.asarray(found.predicted).tolist() == [True, False, True]
    alone = read("designation,hazardous\n433,0\n99942,true\n2010 PK9,no\n")
    assert alone.scores is None
    assert np.asarray(alone.predicted).tolist() == [False, True, False]


GOOD = "designation,score\n433,0.1\n99942,0.9\n2010 PK9,0.2\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (GOOD + "2099 ZZ9,0.1\n", "data row 4: the catalogue has no asteroid '2099 ZZ9'."),
        (GOOD + "99942,0.1\n", "data row 4: 99942 is there already, in data row 2."),
        (GOOD.replace("99942,0.9\n", ""), "lacks 1 of the 3 asteroids, the first of them 99942."),
        (GOOD.replace("0.9", "1.7"), "data row 2: the score '1.7' is not a number from 0 to 1."),
        (GOOD.replace("0.9", "nan"), "data row 2: the score 'nan' is not a number from 0 to 1."),
        (GOOD.replace("0.9", "high"), "data row 2: the score 'high' is not a number from 0 to 1."),
        (GOOD.replace("score", "hazardous"), "data row 1: hazardous is '0.1', neither true nor false."),
        (GOOD.replace("score", "rank"), "needs the column designation, and score or hazardous or both, each once; "
         "it has designation, rank."),
        (GOOD.replace("designation", "score"), "needs the column designation"),
        (GOOD.replace("0.9", "0.9,7"), "data row 2: 3 fields, and the header has 2."),
        ("designation,score\n", "lacks 3 of the 3 asteroids, the first of them 433."),
    ],
    ids=["unknown", "twice", "missing", "too-high", "nan", "word", "label", "no-score", "no-name", "fields", "empty"],
)  # fmt: skip
def test_a_bad_file_is_refused_in_one_sentence(read, text, says):
    with pytest.raises(DataError) as caught:
        read(text)
    assert caught.value.what.endswith(says) or says in caught.value.what
    assert caught.value.what.count("theirs.csv") == 1
    assert caught.value.hint
