"""`explain` from files to files: what it writes agrees with Python, and what contradicts itself is refused before it computes."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.unit.inference.motif_models import MOTIF, planted, train_on_motif
from tests.unit.inference.motif_models import motif_run as motif_run

import dnaspt
from dnaspt.errors import ConfigError, InputError
from dnaspt.genome import alphabet
from dnaspt.genome.bigwig import read_bigwig
from dnaspt.inference.attribution_file import read_attributions
from dnaspt.reports.explanation import kept_in_run


@pytest.fixture
def genome(tmp_path: Path) -> tuple[Path, Path]:
    """A contig with two planted motifs, and three intervals of 64 bp; two of them overlap."""
    codes = np.random.default_rng(4).integers(0, 4, 400).astype(np.uint8)
    codes[130:139], codes[330:339] = MOTIF, alphabet.reverse_complement(MOTIF)
    (tmp_path / "g.fa").write_text(f">chr1\n{alphabet.decode(codes)}\n")
    (tmp_path / "r.bed").write_text("chr1\t100\t164\nchr1\t120\t184\nchr1\t300\t364\n")
    return tmp_path / "g.fa", tmp_path / "r.bed"


def test_all_files_say_the_same(motif_run: Path, genome: tuple[Path, Path], tmp_path: Path) -> None:
    fasta, bed = genome
    out = [tmp_path / "my peaks.npz", tmp_path / "p.bw"]
    summary = dnaspt.explain(
        *(motif_run, out),
        genome=fasta,
        regions=bed,
        label="motif",
        method="gradient",
        logo=tmp_path / "l.svg",
        loci=["chr1:121-150"],
    )
    names = ["my peaks.npz", "my peaks.onehot.npz", "p.bw", "l.svg"]
    assert [Path(file).name for file in summary.files] == names and all(Path(file).is_file() for file in summary.files)
    assert (summary.n_windows, summary.n_shared_bp, summary.average_strands) == (3, 44, True)
    found = read_attributions(out[0])
    sequences = [alphabet.decode(letters.argmax(0)) for letters in found.letters]
    expected = dnaspt.load(motif_run).explain(sequences, label="motif", method="gradient")
    np.testing.assert_allclose(found.scores * found.letters, expected, atol=1e-5)
    ((_, signal),) = read_bigwig(out[1])
    values = dict(zip(signal.intervals[:, 0].tolist(), signal.values.tolist(), strict=True))
    first, second, third = found.contributions
    assert values[110] == pytest.approx(first[10], rel=1e-5)
    assert values[130] == pytest.approx((first[30] + second[10]) / 2, rel=1e-5)
    assert values[363] == pytest.approx(third[63], rel=1e-5) and len(values) == 84 + 64
    strongest = sorted(values, key=lambda position: -abs(values[position]))[:8]
    assert all(130 <= position < 139 or 330 <= position < 339 for position in strongest)


def test_sequences_of_python_have_hypothetical_attributions_too(motif_run: Path) -> None:
    model = dnaspt.load(motif_run)
    text = alphabet.decode(planted(1, seed=5).codes[0])
    all_four = model.explain(text, label="motif", hypothetical=True)
    own = model.explain(text, label="motif")
    assert isinstance(all_four, np.ndarray) and isinstance(own, np.ndarray)
    assert all_four.shape == (1, 4, 64) and (own != 0).sum() <= 64
    np.testing.assert_array_equal(own[own != 0], all_four[own != 0])
    assert [scores.shape for scores in model.explain([text, text[:40]], label="motif", method="gradient")] == [
        (4, 64),
        (4, 40),
    ]
    assert np.shape(model.explain([], label="motif")) == (0, 4, 0)


def test_attributions_of_a_dataset_are_kept_in_the_run_and_may_be_replaced(windows: Path, tmp_path: Path) -> None:
    run = dnaspt.finetune(
        windows, out=tmp_path / "run", preset="tiny", steps=2, batch_bp=2048, tensorboard=False, composition=True
    )
    for n_windows in (3, 2):
        options = {"label": run_labels(run)[0], "method": "gradient", "n_windows": n_windows}
        summary = dnaspt.explain(run, data=windows, overwrite=n_windows == 2, **options)
        assert summary.files[0] == str(kept_in_run(tmp_path / "run", "test")) and summary.n_windows == n_windows
    assert len(read_attributions(kept_in_run(tmp_path / "run", "test"))) == 2
    with pytest.raises(ConfigError, match=r"evaluation-test.npz: lies in the run"):
        (tmp_path / "run" / "evaluation-test.npz").write_text("scores")
        dnaspt.explain(
            run, tmp_path / "run" / "evaluation-test.npz", data=windows, label=run_labels(run)[0], overwrite=True
        )
    with pytest.raises(ConfigError, match=r"attributions-test.npz: already there; .*--overwrite"):
        dnaspt.explain(run, data=windows, label=run_labels(run)[0])
    with pytest.raises(ConfigError, match=r"best.*: is a checkpoint, which stays as it is; name the file to write"):
        dnaspt.explain(next((tmp_path / "run" / "best").glob("*")), data=windows, label=run_labels(run)[0])


def run_labels(run: dnaspt.Run) -> tuple[str, ...]:
    return dnaspt.load(run).labels


def test_what_contradicts_itself_is_refused(motif_run: Path, genome: tuple[Path, Path], tmp_path: Path) -> None:
    fasta, bed = genome
    (tmp_path / "s.fa").write_text(">a\nACGT\n")
    own = {"genome": fasta, "regions": bed, "label": "motif"}
    for settings, message in (
        ({"out": "a.txt"}, "a.txt: unknown suffix; expected .npz, .bw, .bigwig"),
        ({}, "nothing to write; name a file: --out FILE.npz, --out FILE.bw, or --logo FILE.svg"),
        ({"out": "a.npz", "logo": "l.jpg"}, "l.jpg: unknown suffix; expected .svg, .png, .pdf"),
        ({"out": "a.npz", "loci": "chr1:1-2"}, "loci are drawn in a logo; name its file"),
        ({"out": ["a.npz", "a.npz"]}, "a.npz: given for two files"),
        ({"out": ["a.npz", "a.onehot.npz"]}, "a.onehot.npz: given for two files"),
        ({"out": fasta}, "unknown suffix"),
        ({"out": "a.npz", "method": "isn"}, "method 'isn'; expected ism, gradient, deeplift"),
        ({"out": "a.npz", "label": "motive"}, "no label 'motive'; did you mean 'motif'?"),
        ({"out": "a.npz", "logo": "l.svg", "loci": ["chr1:1-9"]}, "chr1:1-9: no window of this name"),
        ({"out": "a.npz", "average_strands": "yes"}, "average_strands = 'yes'; expected True or False"),
    ):
        with pytest.raises(ConfigError) as caught:
            dnaspt.explain(motif_run, **own | settings)  # type: ignore[arg-type]
        assert message in str(caught.value)
    with pytest.raises(ConfigError, match=r"p.bw: a bigWig needs a genome"):
        dnaspt.explain(motif_run, tmp_path / "p.bw", sequences=tmp_path / "s.fa", label="motif")
    with pytest.raises(InputError, match="no such folder"):
        dnaspt.explain(motif_run, tmp_path / "none" / "p.npz", sequences=tmp_path / "s.fa", label="motif")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["g.fa", "r.bed", "s.fa"]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("modisco", path=str(Path(sys.executable).parent)) is None, reason="no modisco here")
def test_modisco_finds_the_motif_in_what_is_written(tmp_path: Path) -> None:
    run = train_on_motif(tmp_path / "run", n_steps=400)
    found, rng = planted(800, seed=77), np.random.default_rng(1)
    rows = np.flatnonzero(found.labels[:, 0])
    around = rng.integers(0, 4, (2, len(found.codes), 60)).astype(np.uint8)  # modisco drops what lies near an end
    codes = np.concatenate([around[0], found.codes, around[1]], axis=1)
    (tmp_path / "s.fa").write_text("".join(f">s{row}\n{alphabet.decode(codes[row])}\n" for row in rows))
    dnaspt.explain(run, tmp_path / "m.npz", sequences=tmp_path / "s.fa", label="motif", method="gradient")
    program = Path(sys.executable).parent / "modisco"
    files = ["-s", tmp_path / "m.onehot.npz", "-a", tmp_path / "m.npz", "-o", tmp_path / "m.h5"]
    subprocess.run([program, "motifs", *files, "-n", "2000", "-w", "184"], check=True, capture_output=True)
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "m.h5") as file:
        patterns = file["pos_patterns"]
        largest = max(patterns, key=lambda name: patterns[name]["seqlets"]["n_seqlets"][0])
        shares = patterns[largest]["sequence"][:]
    word = "".join("ACGT"[column.argmax()] for column in shares)
    motif = alphabet.decode(MOTIF)
    assert motif[:8] in word or alphabet.decode(alphabet.reverse_complement(MOTIF))[1:] in word
