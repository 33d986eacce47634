import base64
import json
from dataclasses import replace

import numpy as np

from dnaspt.data.dataset import Split
from dnaspt.evaluation.loci import Locus
from dnaspt.genome import alphabet
from dnaspt.genome.gene_states import MISSING, NONCODING
from dnaspt.genome.transcripts import Transcript
from dnaspt.reports.genome_view import MOST_LABELS, gene_view, number_view, window_view


def locus(chrom: str = "chr1", start: int = 100) -> Locus:
    labels = np.full(50, NONCODING, np.int8)
    labels[10:20], labels[20], labels[30:33] = 0, 1, MISSING
    gene = Transcript(chrom, "+", gene_id="g", transcript_id="t</script>", cds=((start + 10, start + 20),))
    coding = np.zeros((2, 50), np.float32)
    coding[0, 10:20] = 0.97
    codes = alphabet.encode("ACGTN" * 10)
    return Locus(chrom, start, start + 50, (gene,), ((gene,), ()), (), "", codes, labels, (coding, np.zeros((2, 0))))


def fasta_of(view: dict[str, object]) -> str:
    reference = view["reference"]
    return base64.b64decode(reference["fastaURL"].split(",")[1]).decode()  # type: ignore[index]


def test_a_view_of_genes_has_annotation_predictions_posteriors_and_labels() -> None:
    view = gene_view([locus()], ["run", "AUGUSTUS"])
    assert view is not None
    content = json.loads(view.json())
    tracks = {track["name"]: track for track in content["tracks"]}
    assert list(tracks) == [
        *("annotation", "run", "run: P(coding), reverse strand below", "AUGUSTUS", "labels of the dataset")
    ]
    assert tracks["run: P(coding), reverse strand below"]["features"] == [
        {"chr": "chr1", "start": 110, "end": 120, "value": 0.95}
    ]
    labels = [(label["name"], label["start"], label["end"]) for label in tracks["labels of the dataset"]["features"]]
    assert labels == [("CDS+", 110, 120), ("donor+", 120, 121), ("not known", 130, 133)]
    assert fasta_of(content) == f">chr1:101-150 @len=150\n{'ACGTN' * 10}\n"
    assert content["loci"] == [{"chr": "chr1", "start": 100, "end": 150}]


def test_a_colon_in_the_name_of_a_contig_does_not_end_it() -> None:
    view = gene_view([locus("chr1:5-900")], ["run", "other"])
    assert view is not None
    content = json.loads(view.json())
    assert fasta_of(content).startswith(">chr1_5-900:101-150 ")
    assert {f["chr"] for track in content["tracks"] for f in track["features"]} == {"chr1_5-900"}
    assert content["loci"][0]["chr"] == "chr1_5-900"


def test_a_gene_that_reaches_into_two_loci_is_drawn_once() -> None:
    one = locus()
    view = gene_view([one, replace(one, start=150, end=200)], ["run", "other"])
    assert view is not None and len(view.tracks[0].features or ()) == 1
    assert gene_view([], []) is None


def test_loci_that_overlap_are_shown_once() -> None:
    one = locus()
    view = gene_view([one, replace(one, start=149), locus("chr2")], ["run", "other"])
    assert view is not None and view.loci == (("chr1", 100, 150), ("chr2", 100, 150))


def windows(n: int, step: int = 100, length: int = 200) -> Split:
    start = np.arange(n) * step
    return Split(
        chrom=np.full(n, "chr1"),
        start=start,
        end=start + length,
        strand=np.array(["+", "-"])[np.arange(n) % 2],
        codes=np.zeros(n * length, np.uint8),
        offsets=np.arange(n + 1) * length,
        labels=np.zeros(n, np.int8),
        label_offsets=np.arange(n + 1),
        per_base=False,
    )


def test_a_view_of_windows_shows_labels_and_probabilities_where_labels_are_true() -> None:
    rows, truth = windows(600), np.zeros((600, 2), np.int8)
    truth[[250, 251, 410], 0], truth[252, 1] = 1, MISSING
    probabilities = np.full((600, 2), 0.25)
    probabilities[250] = 0.9
    view = window_view(rows, ["a", "b"], truth, {"run": probabilities})
    assert view is not None
    assert view.loci == (("chr1", 20_000, 40_000), ("chr1", 40_000, 60_000))
    assert [track.name for track in view.tracks] == ["a", "run: P(a)", "b", "run: P(b)"]
    marked = [(f["name"], f["start"], f["end"]) for f in view.tracks[0].features or ()]
    assert marked == [("a", 25_050, 25_150), ("a", 25_150, 25_250), ("a", 41_050, 41_150)]
    assert [f["name"] for f in view.tracks[2].features or ()] == ["not known"]
    signal = {f["start"]: f["value"] for f in view.tracks[1].features or ()}
    assert signal[25_050] == 0.9 and signal[25_250] == 0.25
    letters = fasta_of(json.loads(view.json())).splitlines()[1]
    assert len(letters) == 20_000 and set(letters) <= {"A", "T"}


def test_there_is_no_view_where_no_label_is_true() -> None:
    assert window_view(windows(5), ["a"], np.zeros((5, 1), np.int8), {}) is None
    assert window_view(windows(0), ["a"], np.zeros((0, 1), np.int8), {}) is None


def test_a_view_of_numbers_shows_what_was_measured_beside_what_is_predicted() -> None:
    rows, truth = windows(600), np.zeros((600, 2))
    truth[[250, 251, 410], 0], truth[252, 0] = 5.0, np.nan  # all others are 0, as in sparse tracks
    truth[:, 1] = np.nan
    predicted = np.full((600, 2), -1.0)
    predicted[250] = 4.0
    view = number_view(rows, ["a", "b"], truth, {"run": predicted})
    assert view is not None and view.loci == (("chr1", 20_000, 40_000), ("chr1", 40_000, 60_000))
    assert [track.name for track in view.tracks] == ["a, measured", "run: a", "b, measured", "run: b"]
    measured, run = ({f["start"]: f["value"] for f in track.features or ()} for track in view.tracks[:2])
    assert measured[25_050] == 5.0 and run[25_050] == 4.0 and 25_250 not in measured
    assert view.tracks[0].extent == view.tracks[1].extent == (-1.0, 5.0)
    assert view.tracks[2].features == []
    assert number_view(rows, ["a"], np.full((600, 1), np.nan), {}) is None
    assert number_view(windows(0), ["a"], np.zeros((0, 1)), {}) is None


def test_few_of_many_labels_have_tracks() -> None:
    truth = np.ones((5, MOST_LABELS + 3), np.int8)
    view = window_view(
        windows(5), [str(k) for k in range(MOST_LABELS + 3)], truth, {"run": np.full(truth.shape, np.nan)}
    )
    assert view is not None and len(view.tracks) == 2 * MOST_LABELS
    assert view.tracks[1].features == []
