from __future__ import annotations

import botocore.session

from asteroid_ll.emulator.s3.checksums import ALGORITHMS


def test_each_algorithm_of_botocores_model_is_known():
    model = botocore.session.get_session().get_service_model("s3")
    assert set(model.shape_for("ChecksumAlgorithm").enum) <= set(ALGORITHMS)
