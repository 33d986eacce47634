"""Log-odds to calibrated ones."""

import numpy as np

from dnaspt.models.calibrator import Calibrator


def test_rankings_stay_and_bins_have_the_biases_of_their_labels() -> None:
    calibrator = Calibrator(2.0, (1.0, -1.0))
    raw = np.arange(8.0).reshape(2, 4)  # two windows of two bins
    np.testing.assert_allclose(calibrator.log_odds(raw), raw / 2 + [1, -1, 1, -1])
    np.testing.assert_allclose(Calibrator().log_odds(raw), raw)
