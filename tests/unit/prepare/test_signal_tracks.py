"""Numbers of windows from bigWig tracks: by hand over single bases, and in datasets."""

from pathlib import Path

import numpy as np
import pytest

import dnaspt
from dnaspt.browser.indexed_genome import indexed_genome
from dnaspt.browser.predictions import Predictor
from dnaspt.errors import ConfigError, InputError
from dnaspt.genome.bigwig import read_bigwig, write_bigwig
from dnaspt.prepare.signal_tracks import SignalLabels, SignalTrack

N_BP = 4000


@pytest.fixture
def track(tmp_path: Path) -> tuple[Path, np.ndarray]:
    """A track with gaps on one of two contigs, and its value at each base (nan where it has none)."""
    rng = np.random.default_rng(0)
    cuts = np.sort(rng.choice(np.arange(1, N_BP), 200, replace=False))
    starts, ends = np.append(0, cuts), np.append(cuts, N_BP)
    values = rng.gamma(1.0, 3.0, len(starts)).astype(np.float32)
    kept = rng.random(len(starts)) < 0.7
    write_bigwig(tmp_path / "a.bw", [("chr1", N_BP)], [("chr1", starts[kept], ends[kept], values[kept])])
    by_base = np.repeat(np.where(kept, values, np.nan), ends - starts)
    return tmp_path / "a.bw", by_base


def genome(folder: Path) -> Path:
    rng = np.random.default_rng(1)
    letters = ["".join(rng.choice(list("ACGT"), N_BP)) for _ in range(2)]
    (folder / "g.fa").write_text("".join(f">chr{k + 1}\n{own}\n" for k, own in enumerate(letters)))
    return folder / "g.fa"


@pytest.mark.parametrize("gaps", ["zero", "missing"])
@pytest.mark.parametrize("summary", ["mean", "sum"])
def test_numbers_are_those_of_the_single_bases(gaps: str, summary: str, track: tuple[Path, np.ndarray]) -> None:
    path, by_base = track
    starts = np.random.default_rng(2).integers(0, N_BP - 50, 300)
    cores = np.stack([starts, starts + 1 + starts % 50], axis=1)
    labels = SignalLabels([SignalTrack(path)], summary, gaps, log=True)  # type: ignore[arg-type]
    found = labels.of("chr1", cores)[:, 0]
    for (start, end), value in zip(cores.tolist(), found, strict=True):
        own = by_base[start:end]
        known = own[~np.isnan(own)]
        if gaps == "missing" and 2 * len(known) < len(own):
            assert np.isnan(value)
            continue
        mean = known.mean() if gaps == "missing" else np.nan_to_num(own).mean()
        assert value == pytest.approx(np.log1p(mean * (len(own) if summary == "sum" else 1)), rel=1e-5, abs=1e-6)
    assert labels.n_missing == np.isnan(found).sum()
    assert (gaps == "missing") == (labels.n_missing > 0)


def test_bases_without_a_value_are_not_guessed(
    track: tuple[Path, np.ndarray], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = {"genome": genome(tmp_path), "signal": track[0], "window_bp": 100, "core_bp": 50}
    with pytest.raises(ConfigError, match=r"a\.bw: \d+ bases of chr1:\d+-\d+ have no value; say signal_gaps"):
        dnaspt.prepare_regions(**settings, out=tmp_path / "data")  # type: ignore[arg-type]
    zeros = dnaspt.prepare_regions(**settings, signal_gaps="zero", out=tmp_path / "zeros")  # type: ignore[arg-type]
    assert "a.bw: no value on 1 contigs of 4000 bp (chr2), so that all windows there are 0" in caplog.text
    assert zeros.manifest.numbers_are == "log(1 + x) of the mean of the signal over the middle 50 bp of a window"
    assert zeros.task == "signal" and zeros.labels == ("a",)
    assert sum(own.n_missing for own in zeros.manifest.splits.values()) == 0
    gaps = dnaspt.prepare_regions(**settings, signal_gaps="missing", out=tmp_path / "gaps")  # type: ignore[arg-type]
    n_missing = sum(own.n_missing for own in gaps.manifest.splits.values())
    assert n_missing == gaps.manifest.counts["numbers_missing"] >= 40  # all of chr2
    window = zeros.read("train").window(0)
    expected = np.log1p(np.nan_to_num(track[1][25:75]).mean())
    assert (window.chrom, window.start, window.labels[0]) == ("chr1", 0, pytest.approx(expected, rel=1e-5))


def test_peaks_say_where_windows_lie_and_tracks_what_they_are(track: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    (tmp_path / "peaks.bed").write_text("".join(f"chr1\t{s}\t{s + 60}\n" for s in range(100, 3900, 200)))
    settings = {"genome": genome(tmp_path), "signal": track[0], "regions": tmp_path / "peaks.bed"}
    settings |= {"window_bp": 100, "core_bp": 50, "signal_gaps": "zero"}
    with pytest.raises(ConfigError, match="say background matched"):
        dnaspt.prepare_regions(**settings, out=tmp_path / "data")  # type: ignore[arg-type]
    data = dnaspt.prepare_regions(**settings, background="matched", out=tmp_path / "data")  # type: ignore[arg-type]
    windows = data.read("train")
    assert {int(start) for start in windows.start} >= {280, 480}
    assert data.manifest.counts["background_windows"] > 0


def test_a_track_of_another_genome_and_one_that_says_nothing_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = {"genome": genome(tmp_path), "window_bp": 100, "core_bp": 50, "signal_gaps": "zero"}
    zero = np.array([0]), np.array([N_BP]), np.array([0.0])
    write_bigwig(tmp_path / "long.bw", [("chr1", 2 * N_BP)], [("chr1", *zero)])
    with pytest.raises(InputError, match=r"long\.bw: chr1 has 8,000 bp; expected 4,000, as in the genome"):
        dnaspt.prepare_regions(**settings, signal=tmp_path / "long.bw", out=tmp_path / "data")  # type: ignore[arg-type]
    half = np.array([3 * N_BP // 4]), np.array([N_BP]), np.array([1.0])  # test alone
    write_bigwig(tmp_path / "test.bw", [(f"chr{k}", N_BP) for k in (1, 2)], [(f"chr{k}", *half) for k in (1, 2)])
    missing = settings | {"signal_gaps": "missing"}
    with pytest.raises(InputError, match=r"label 'test' has no number in train; leave its track out"):
        dnaspt.prepare_regions(**missing, signal=tmp_path / "test.bw", out=tmp_path / "none")  # type: ignore[arg-type]
    assert not (tmp_path / "none").exists()
    write_bigwig(tmp_path / "flat.bw", [("chr1", N_BP), ("chr2", N_BP)], [(name, *zero) for name in ("chr1", "chr2")])
    dnaspt.prepare_regions(**settings, signal=tmp_path / "flat.bw", out=tmp_path / "data")  # type: ignore[arg-type]
    assert "label 'flat' has no two different numbers in train: nothing can be learned from it" in caplog.text


def test_a_table_with_labels_of_its_own_has_no_signal(track: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    (tmp_path / "t.bed").write_text("chromosome\tstart\tend\tlabel\nchr1\t100\t200\t0\n")
    with pytest.raises(ConfigError, match=r"t\.bed brings its own labels; leave it out, or leave out signal"):
        dnaspt.prepare_regions(
            genome(tmp_path), tmp_path / "t.bed", signal=track[0], background="matched", out=tmp_path / "data"
        )


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({}, "no regions; give peaks"),
        ({"regions": "peaks.bed", "signal_log": False}, "signal_log is for tracks of signal"),
    ],
)
def test_settings_that_make_no_sense(settings: dict[str, object], match: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=match):
        dnaspt.prepare_regions(genome(tmp_path), out=tmp_path / "data", **settings)


def test_values_below_zero_need_no_logarithm_and_a_bed_is_no_track(tmp_path: Path) -> None:
    path = tmp_path / "ratio.bw"
    write_bigwig(path, [("chr1", 100)], [("chr1", np.array([0]), np.array([100]), np.array([-1.5]))])
    cores = np.array([[10, 20]])
    with pytest.raises(ConfigError, match=r"ratio\.bw: has values below 0 on chr1"):
        SignalLabels([SignalTrack(path)], "mean", None, log=True).of("chr1", cores)
    assert SignalLabels([SignalTrack(path)], "mean", None, log=False).of("chr1", cores).tolist() == [[-1.5]]
    (tmp_path / "a.bed").write_text("chr1\t0\t10\n")
    with pytest.raises(InputError, match=r"a\.bed: is no bigWig"):
        SignalTrack(tmp_path / "a.bed")


def test_rounding_makes_no_value_below_zero(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    starts = np.arange(0, 30_000, 10)
    values = rng.lognormal(0, 5, len(starts)).astype(np.float32)  # sums of these are not exact
    write_bigwig(tmp_path / "a.bw", [("chr1", 40_000)], [("chr1", starts, starts + 5, values)])
    bare = np.stack([starts + 5, starts + 10], axis=1)
    track = SignalTrack(tmp_path / "a.bw")
    sums, n_known = track.totals("chr1", bare)
    assert not n_known.any() and not sums.any()
    for log in (True, False):
        assert not SignalLabels([track], "mean", "zero", log=log).of("chr1", bare).any()


@pytest.mark.slow
def test_a_genome_with_two_tracks_goes_all_the_way_to_bigwigs(track: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    (tmp_path / "b.bw").write_bytes(track[0].read_bytes())
    data = dnaspt.prepare_regions(
        genome(tmp_path),
        signal=[track[0], tmp_path / "b.bw"],
        window_bp=100,
        core_bp=50,
        stride_bp=50,
        signal_gaps="zero",
        out=tmp_path / "data",
    )
    run = dnaspt.finetune(data, out=tmp_path / "run", preset="tiny", steps=2, batch_bp=2000, tensorboard=False)
    assert dnaspt.evaluate(run, data).metric == "mean_pearson"
    assert dnaspt.load(run).config.provenance["numbers"] == data.manifest.numbers_are
    (tmp_path / "index").mkdir()
    shown = Predictor(run.path, "run", indexed_genome(tmp_path / "g.fa", tmp_path / "index"))
    assert [track.extent for track in shown.tracks("runs/0", 0)] == [None, None]
    with pytest.raises(ConfigError, match="predicts numbers, which make no BED rows"):
        dnaspt.load(run).predict_file(tmp_path / "g.fa", tmp_path / "p.bed")
    summary = dnaspt.load(run).predict_file(tmp_path / "g.fa", tmp_path / "p.bw", stride_bp=50)
    assert len(summary.files) == 2
    dnaspt.load(run).predict_file(tmp_path / "g.fa", tmp_path / "q.bw")  # windows of 100 bp, end to end
    drawn = [feature["value"] for feature in shown.features("0", "chr1", 0, N_BP)]
    np.testing.assert_allclose(drawn, dict(read_bigwig(tmp_path / "q.a.bw"))["chr1"].values, rtol=2e-5)
    for file in summary.files:
        written = dict(read_bigwig(tmp_path / Path(file).name))
        assert set(written) == {"chr1", "chr2"} and np.isfinite(written["chr1"].values).all()
