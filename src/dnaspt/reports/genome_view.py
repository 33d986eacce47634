"""Stretches of the test split to an interactive view in a page: annotation, what runs predict, posteriors and labels.

Only these stretches are in the page. Their letters are too, so that the view needs no other file.
"""

import base64
from collections.abc import Mapping, Sequence

import numpy as np

from dnaspt.browser.igv import INK, Feature, Track, View, coding_features, gene_feature, run_color
from dnaspt.data.dataset import Split
from dnaspt.evaluation.loci import CODING_STEPS, Locus
from dnaspt.genome import alphabet
from dnaspt.genome.gene_states import GENE_STATES, MISSING, NONCODING
from dnaspt.genome.intervals import runs
from dnaspt.genome.transcripts import Transcript

EXAMPLE_BP = 20_000
"""Length of the stretches of windows."""
N_EXAMPLES = 3
"""Stretches of windows that a page holds."""
MOST_LABELS = 4
"""Labels of windows that have tracks."""
_HIGH = 0.9
"""Measured numbers above this quantile decide which stretches are shown."""
_LABEL_COLORS = {"CDS": "#24292f", "donor": "#c8702a", "acceptor": "#8c5aa8", "intron": "#a9b0b8"}
_MISSING_COLOR = "#e4e7eb"


def gene_view(loci: Sequence[Locus], names: Sequence[str]) -> View | None:
    """Loci of genes; None where there are none.

    Args:
        loci: what is shown, with what each run predicts; one that overlaps one before it is left out.
        names: names of the runs, in the order of the loci's predictions.
    """
    loci = [locus for n, locus in enumerate(loci) if not any(_overlap(locus, other) for other in loci[:n])]
    if not loci:
        return None
    tracks = [Track("annotation", "annotation", INK, _genes(loci, [locus.truth for locus in loci]))]
    for number, name in enumerate(names):
        color = run_color(number)
        genes = _genes(loci, [locus.predicted[number] for locus in loci])
        tracks.append(Track(name, "annotation", color, genes))
        known = [locus for locus in loci if len(locus.coding) > number and locus.coding[number].size]
        if known:
            coding = [
                feature
                for locus in known
                for feature in coding_features(locus.coding[number], shown(locus.chrom), locus.start, CODING_STEPS)
            ]
            label = f"{name}: P(coding), reverse strand below"
            tracks.append(Track(label, "wig", color, coding, extent=(-1.0, 1.0), height_px=60))
    labels = [feature for locus in loci for feature in _label_features(locus)]
    tracks.append(Track("labels of the dataset", "annotation", "", labels))
    sequences = [(locus.chrom, locus.start, locus.codes) for locus in loci]
    intervals = tuple((shown(locus.chrom), locus.start, locus.end) for locus in loci)
    return View(_reference(sequences), tuple(tracks), intervals)


def window_view(
    rows: Split,
    labels: Sequence[str],
    truth: np.ndarray,
    scores: Mapping[str, np.ndarray],
    named: str = "{run}: P({label})",
) -> View | None:
    """The stretches of the test split with the most windows whose label is true; None where no window has a true label.

    Args:
        rows: windows or bins of the test split (n).
        labels: names of the K labels.
        truth: their labels (n, K), which may be missing.
        scores: what each run predicts (n, K), 0 to 1, by its name.
        named: how its tracks are called.
    """
    is_true = truth == 1
    loci = _example_loci(rows, is_true[:, :MOST_LABELS]) or _example_loci(rows, is_true)
    if not loci:
        return None
    tracks = []
    inside = _windows_in(rows, loci)
    numbers = np.concatenate(inside)
    core = _cores(rows, numbers)
    for k, label in list(enumerate(labels))[:MOST_LABELS]:
        marked = [
            _interval(rows, number, core) | {"name": label if truth[number, k] == 1 else "not known"}
            for number in numbers
            if truth[number, k] in (1, MISSING)
        ]
        for feature in marked:
            feature["color"] = INK if feature["name"] == label else _MISSING_COLOR
        tracks.append(Track(label, "annotation", "", marked))
        for index, (name, own) in enumerate(scores.items()):
            signal = _signal(rows, numbers, core, own[:, k])
            title = named.format(run=name, label=label)
            tracks.append(Track(title, "wig", run_color(index), signal, extent=(0.0, 1.0), height_px=50))
    return _view_of(rows, loci, inside, tracks)


def number_view(
    rows: Split, labels: Sequence[str], truth: np.ndarray, predicted: Mapping[str, np.ndarray]
) -> View | None:
    """The stretches of the test split with the most windows of a high number; None where all of the first four are alike.

    Args:
        rows: windows of the test split (n).
        labels: names of the K numbers.
        truth: measured numbers (n, K), NaN where one is missing.
        predicted: what each run predicts (n, K), by its name.
    """
    loci = _example_loci(rows, np.stack([_is_high(column) for column in truth.T[:MOST_LABELS]], axis=1))
    if not loci:
        return None
    inside = _windows_in(rows, loci)
    numbers = np.concatenate(inside)
    core = _cores(rows, numbers)
    tracks = []
    for k, label in list(enumerate(labels))[:MOST_LABELS]:
        shown_numbers = {f"{label}, measured": truth[:, k]} | {
            f"{run}: {label}": own[:, k] for run, own in predicted.items()
        }
        finite = np.concatenate([own[numbers][np.isfinite(own[numbers])] for own in shown_numbers.values()])
        extent = (min(0.0, float(finite.min(initial=0.0))), max(1e-6, float(finite.max(initial=0.0))))
        for index, (title, own) in enumerate(shown_numbers.items()):
            color = run_color(index - 1) if index else INK
            signal = _signal(rows, numbers, core, own)
            tracks.append(Track(title, "wig", color, signal, extent=extent, height_px=50))
    return _view_of(rows, loci, inside, tracks)


def _is_high(numbers: np.ndarray) -> np.ndarray:
    """Which numbers (n,) are among the highest tenth, and not the lowest of all; NaN is not."""
    known = numbers[np.isfinite(numbers)]
    if not len(known):
        return np.zeros(len(numbers), bool)
    return np.asarray((numbers >= np.quantile(known, _HIGH)) & (numbers > known.min()))


def _windows_in(rows: Split, loci: Sequence[tuple[str, int, int]]) -> list[np.ndarray]:
    """Numbers of the windows that reach into each place."""
    return [
        np.flatnonzero((rows.chrom == chrom) & (rows.end > start) & (rows.start < end)) for chrom, start, end in loci
    ]


def _signal(rows: Split, numbers: np.ndarray, core: int, values: np.ndarray) -> list[Feature]:
    """The values (n,) of some windows that have one."""
    return [
        _interval(rows, number, core) | {"value": round(float(values[number]), 3)}
        for number in numbers
        if np.isfinite(values[number])
    ]


def _view_of(
    rows: Split, loci: Sequence[tuple[str, int, int]], inside: Sequence[np.ndarray], tracks: Sequence[Track]
) -> View:
    """Tracks on stretches, with the letters of their windows."""
    sequences = [
        (chrom, start, _letters(rows, own, start, end)) for (chrom, start, end), own in zip(loci, inside, strict=True)
    ]
    shown_loci = tuple((shown(chrom), start, end) for chrom, start, end in loci)
    return View(_reference(sequences), tuple(tracks), shown_loci)


def shown(chrom: str) -> str:
    """Name of a contig in a view: igv.js reads a colon as the end of a name."""
    return chrom.replace(":", "_")


def _overlap(one: Locus, other: Locus) -> bool:
    """Whether two loci share a base."""
    return one.chrom == other.chrom and one.start < other.end and other.start < one.end


def _genes(loci: Sequence[Locus], genes: Sequence[Sequence[Transcript]]) -> list[Feature]:
    """Genes of all loci; one that reaches into two of them once."""
    once = {gene: _on(locus) for locus, own in zip(loci, genes, strict=True) for gene in own}
    return [gene_feature(gene) | place for gene, place in once.items()]


def _on(locus: Locus) -> Feature:
    """The contig of a locus, as the view calls it."""
    return {"chr": shown(locus.chrom)}


def _label_features(locus: Locus) -> list[Feature]:
    """Runs of one class, but for non-coding ones; what is not known is gray."""
    features = []
    for value, (left, right) in zip(*(part.tolist() for part in runs(locus.labels)), strict=True):
        if value == NONCODING:
            continue
        name = "not known" if value == MISSING else GENE_STATES.names[value]
        feature: Feature = _on(locus) | {"start": locus.start + left, "end": locus.start + right, "name": name}
        if value != MISSING:
            feature["strand"] = name[-1]
        features.append(feature | {"color": _LABEL_COLORS.get(name[:-1], _MISSING_COLOR)})
    return features


def _example_loci(rows: Split, wanted: np.ndarray) -> list[tuple[str, int, int]]:
    """The stretches with the most windows that are wanted for any label (n, K), the most first; of as many, the first ones."""
    counts: dict[tuple[str, int], int] = {}
    for number in np.flatnonzero(wanted.any(axis=1)):
        key = str(rows.chrom[number]), int((rows.start[number] + rows.end[number]) // 2 // EXAMPLE_BP)
        counts[key] = counts.get(key, 0) + 1
    best = sorted(counts, key=lambda key: -counts[key])[:N_EXAMPLES]
    ends = {chrom: int(rows.end[rows.chrom == chrom].max()) for chrom, _ in best}
    return [(chrom, part * EXAMPLE_BP, min((part + 1) * EXAMPLE_BP, ends[chrom])) for chrom, part in best]


def _cores(rows: Split, numbers: np.ndarray) -> int:
    """Bases in the middle of a window that its values stand for: windows that overlap share the rest."""
    middles = np.unique((rows.start[numbers] + rows.end[numbers]) // 2)
    apart = np.diff(middles)
    length = int((rows.end[numbers] - rows.start[numbers]).min(initial=1 << 30))
    return max(1, min(length, int(apart[apart > 0].min(initial=length))))


def _interval(rows: Split, number: int, core: int) -> Feature:
    """The middle of a window."""
    start = int(rows.start[number] + rows.end[number] - core) // 2
    return {"chr": shown(str(rows.chrom[number])), "start": start, "end": start + core}


def _letters(rows: Split, numbers: np.ndarray, start: int, end: int) -> np.ndarray:
    """Letters of a stretch as far as windows cover it; N elsewhere."""
    codes = np.full(end - start, alphabet.N, np.uint8)
    for number in numbers.tolist():
        window = rows.window(number)
        own = alphabet.reverse_complement(window.codes) if window.strand == "-" else window.codes
        left, right = max(window.start, start), min(window.start + len(own), end)
        codes[left - start : right - start] = own[left - window.start : right - window.start]
    return codes


def _reference(sequences: Sequence[tuple[str, int, np.ndarray]]) -> dict[str, str]:
    """Stretches (contig, start, letters) as a genome that igv.js reads from the page; contigs end with the last stretch."""
    ends: dict[str, int] = {}
    for chrom, start, codes in sequences:
        ends[chrom] = max(ends.get(chrom, 0), start + len(codes))
    fasta = "".join(
        f">{shown(chrom)}:{start + 1}-{start + len(codes)} @len={ends[chrom]}\n{alphabet.decode(codes)}\n"
        for chrom, start, codes in sequences
    )
    data = base64.b64encode(fasta.encode()).decode()
    return {"id": "test", "name": "test split", "fastaURL": f"data:text/plain;base64,{data}"}
