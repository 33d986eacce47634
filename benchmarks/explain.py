"""Attributions on planted motifs: do the largest ones lie on the bases that make a peak?

`python benchmarks/explain.py --out runs/explain`: a simulated genome, whose peaks are stretches of motifs; `tiny` networks of
windows, one trained and one with fresh weights; attributions of 200 test windows that have peaks of kind A, by each method, both
strands averaged. The score is the AUROC of absolute contributions: bases in motifs of kind A against all other bases of the
windows. Intervals are over windows, which are drawn with replacement.
"""

import argparse
import json
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

import dnaspt
from dnaspt.evaluation.metrics import auroc, label_scores
from dnaspt.inference.attribution_file import Attributions, read_attributions
from dnaspt.inference.explain_options import METHODS
from record import write_result

GENOME = {"n_contigs": 16, "contig_bp": 300_000, "seed": 0}
DATA = {"window_bp": 256, "core_bp": 128, "fractions": (0.6, 0.1, 0.3)}
NETWORK = {"preset": "tiny", "composition": False, "average_strands": "always", "tensorboard": False}
RUNS = {"trained": {"epochs": 6}, "untrained": {"steps": 1, "learning_rate": 1e-12}}
KIND, LABEL, N_WINDOWS = "A", "peaks_A", 200


def main() -> None:
    """Run what is missing, and print a row for each run and method."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("runs/explain"))
    out = parser.parse_args().out
    data = prepared(out)
    motifs = planted(out / "genome" / "motifs.bed")
    rows = []
    for name, settings in RUNS.items():
        run = out / name
        if not (run / "result.json").is_file():
            dnaspt.finetune(data, out=run, overwrite=True, progress=True, **NETWORK, **settings)
        test = dnaspt.evaluate(run, data).scores["mean_auroc"].value
        for method in METHODS:
            rows.append({"run": name, "test_auroc": test, "method": method} | explained(run, data, method, motifs))
            print(json.dumps(rows[-1]), flush=True)
    settings = {
        "genome": GENOME,
        "data": DATA,
        "network": NETWORK,
        "runs": RUNS,
        "label": LABEL,
        "n_windows": N_WINDOWS,
    }
    write_result("explain", "python benchmarks/explain.py", {"settings": settings, "rows": rows})


def prepared(out: Path) -> Path:
    """The dataset, made where it is missing."""
    genome, data = out / "genome", out / "data"
    if not (genome / "truth.json").is_file():
        dnaspt.simulate(genome, **GENOME)
    if not (data / "manifest.json").is_file():
        peaks = [genome / "peaks_A.bed", genome / "peaks_B.bed"]
        dnaspt.prepare_regions(genome / "genome.fa", peaks, out=data, **DATA)
    return data


def planted(file: Path) -> dict[str, list[tuple[int, int]]]:
    """Starts and ends of the motifs of the kind, by contig."""
    places = defaultdict(list)
    for line in file.read_text().splitlines():
        contig, start, end, kind, *_ = line.split("\t")
        if kind == KIND:
            places[contig].append((int(start), int(end)))
    return places


def explained(run: Path, data: Path, method: Any, motifs: dict[str, list[tuple[int, int]]]) -> dict[str, Any]:
    """Scores of a method on a run."""
    file = run / f"{method}.npz"
    began = time.process_time()
    summary = dnaspt.explain(
        run,
        file,
        data=data,
        label=LABEL,
        method=method,
        n_windows=N_WINDOWS,
        average_strands=True,
        overwrite=True,
        progress=True,
    )
    seconds = time.process_time() - began
    found = read_attributions(file)
    in_motif = motif_bases(found, motifs)
    sizes = np.abs(found.contributions)
    is_letter = found.letters.any(axis=1)
    blocks = np.repeat(np.arange(len(found)), found.letters.shape[2])[is_letter.ravel()]
    truth, scores = in_motif[is_letter][:, None].astype(np.int8), sizes[is_letter][:, None].astype(np.float64)
    area = label_scores(truth, scores, blocks, ("motif",)).auroc["motif"]
    by_window = [
        auroc(own[known][:, None].astype(np.int8), size[known][:, None])[0]
        for own, size, known in zip(in_motif, sizes, is_letter, strict=True)
        if own[known].any()
    ]
    return {
        "auroc": [area.value, area.low, area.high],
        "mean_auroc_within_windows": float(np.mean(by_window)),
        "n_windows": summary.n_windows,
        "n_without_motif": summary.n_windows - len(by_window),
        "motif_bases": int(truth.sum()),
        "other_bases": int((truth == 0).sum()),
        "gap": None if np.isnan(summary.gap) else summary.gap,
        "cpu_seconds": round(seconds, 1),
    }


def motif_bases(found: Attributions, motifs: dict[str, list[tuple[int, int]]]) -> np.ndarray:
    """Which bases of each window lie in a motif (n, L)."""
    mask = np.zeros(found.letters.shape[::2], dtype=bool)
    for row, (contig, start, end) in enumerate(zip(found.chrom, found.start, found.end, strict=True)):
        for left, right in motifs[str(contig)]:
            if left < end and right > start:
                mask[row, max(0, left - start) : max(0, right - start)] = True
    return mask


if __name__ == "__main__":
    main()
