from pathlib import Path

import numpy as np
from tests.unit.reports.cases import window_scores

from dnaspt.data.dataset import read_split
from dnaspt.data.manifest import read_manifest
from dnaspt.evaluation.results import BootstrapCounts
from dnaspt.reports.window_sections import calibration_sections, curve_sections, stretch_sections


def counts(n: int, n_labels: int = 1) -> BootstrapCounts:
    rng = np.random.default_rng(0)
    truth = (rng.random((n, n_labels)) < 0.5).astype(np.int8)
    return BootstrapCounts(truth=truth, logits=truth + rng.normal(size=truth.shape), blocks=np.arange(n))


def test_curves_name_their_runs_and_chance() -> None:
    (section,) = curve_sections({"run": counts(50), "gone": None, "CpG count": counts(50)}, "One seed.")
    assert section.text == "One seed."
    roc, precise = section.pictures
    assert (roc.name, precise.name) == ("roc", "precision_recall")
    for name in ("run", "CpG count", "chance"):
        assert name in roc.svg and name in precise.svg
    assert "gone" not in roc.svg and "mean of" not in roc.caption


def test_without_scores_there_are_no_curves() -> None:
    assert curve_sections({"run": None, "other": BootstrapCounts()}) == []
    assert calibration_sections({"run": window_scores(np.zeros((20, 1)), np.zeros((20, 1), np.int8))[0]}) == []


def test_stretches_of_numbers_have_a_view(windows: Path) -> None:
    manifest, rows = read_manifest(windows), read_split(windows, "test")
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(len(rows), len(manifest.labels)))
    own = BootstrapCounts(truth=truth, logits=truth + 1, blocks=np.arange(len(rows)))
    (section,) = stretch_sections({"run": own}, windows, manifest.model_copy(update={"task": "signal"}))
    assert "measured number is among the highest tenth: measured and predicted numbers." in section.text
    assert section.view is not None
    assert [track.name for track in section.view.tracks][:2] == ["rich, measured", "run: rich"]


def test_stretches_of_windows_have_a_view(windows: Path) -> None:
    manifest, rows = read_manifest(windows), read_split(windows, "test")
    own = counts(len(rows), len(manifest.labels))
    (section,) = stretch_sections({"run": own, "of other windows": counts(3, 3)}, windows, manifest)
    assert section.view is not None
    assert [track.name for track in section.view.tracks][:2] == ["rich", "run: P(rich)"]
    assert not any("of other windows" in track.name for track in section.view.tracks)
    assert stretch_sections({"run": None}, windows, manifest) == []
    (section,) = stretch_sections({"run": own}, windows, manifest, ranks=True)
    assert section.view is not None and "of each window the share of tested windows with a lower score" in section.text
    track = section.view.tracks[1]
    assert track.name == "run: share below, rich"
    values = {feature["value"] for feature in track.features or ()}
    column = own.logits[:, 0]
    shares = {round(float((column < score).sum()) / (len(rows) - 1), 3) for score in column}
    assert len(values) > 2 and values <= shares
    assert stretch_sections({"run": own}, windows, manifest.model_copy(update={"task": "sequences"})) == []
