"""A run's genes, posteriors or labels on any stretch of a genome, computed when they are looked at.

A stretch is predicted with its surroundings, so that genes that reach beyond it are whole; yet they may differ from those of the
whole contig, where a gene or an intron is longer than the surroundings.
"""

import tempfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

from dnaspt.browser.igv import Feature, Track, coding_features, gene_feature, run_color
from dnaspt.browser.indexed_genome import IndexedGenome
from dnaspt.checkpoint_config import read_config
from dnaspt.errors import CheckpointError, InputError
from dnaspt.genome.fasta import Contig
from dnaspt.genome.gene_states import CDS, MINUS
from dnaspt.genome.transcripts import moved
from dnaspt.inference.model import Model, load
from dnaspt.tasks import TASKS

VISIBLE_BP = 60_000
"""Longest stretch that is predicted when it is looked at."""
MOST_LABELS = 8
"""Labels of windows that have a track each."""
_STRIDE_BP = 128
"""Step of windows, as that of `predict`."""
_STEP_BP = 100 * _STRIDE_BP
"""Stretches are widened to multiples of this: tracks of one view ask for the same one, and windows lie as in `predict` (bins may
not: they begin with the stretch)."""
_CONTEXT_BP = 10_000
"""Bases on either side that are decoded with a stretch of genes."""
_KEPT = 32
"""Stretches that are kept in memory."""
_STEPS = 100
"""Probabilities are rounded to one part in so many."""


class Predictor:
    """Predictions of one run on one genome. The model is loaded when it is first asked.

    Args:
        run: run of `finetune`, or checkpoint.
        name: how its tracks are called.
        genome: the genome.

    Raises:
        CheckpointError: no run, one of a pretrained model, or one that predicts nothing along a genome.
    """

    def __init__(self, run: Path, name: str, genome: IndexedGenome) -> None:
        self.config = read_config(run)
        if self.config.kind != "task":
            raise CheckpointError(
                f"{run}: holds a language model, which predicts nothing; expected a run of 'dnaspt finetune'"
            )
        task = TASKS[self.config.task]
        if task.any_length:
            raise CheckpointError(f"{run}: predicts whole sequences, which have no place in a genome")
        self.per_base, self.run, self.name, self._genome = task.per_base, run, name, genome
        self._is_number = task.numbers
        self._lock = Lock()
        self._model: Model | None = None
        self._kept = lru_cache(_KEPT)(self._predicted)

    @property
    def sources(self) -> dict[str, str]:
        """What can be asked for, and how its track is called."""
        if self.per_base:
            return {"genes": self.name, "coding": f"{self.name}: P(coding), reverse strand below"}
        return {str(number): f"{self.name}: {label}" for number, label in enumerate(self.config.labels[:MOST_LABELS])}

    def tracks(self, address: str, number: int) -> list[Track]:
        """A track for each source, below an address; number: which of the runs it is, from 0."""
        color = run_color(number)
        made = []
        for source, name in self.sources.items():
            own: dict[str, Any] = {"service": f"{address}/{source}", "visible_bp": VISIBLE_BP}
            if source == "genes":
                made.append(Track(name, "annotation", color, **own))
            else:
                extent = (-1.0, 1.0) if source == "coding" else None if self._is_number else (0.0, 1.0)
                made.append(Track(name, "wig", color, extent=extent, height_px=60 if source == "coding" else 40, **own))
        return made

    def features(self, source: str, chrom: str, start: int, end: int) -> Sequence[Feature]:
        """Features of a source on a stretch, 0-based half-open; a stretch beyond the contig is cut to it.

        Raises:
            InputError: no such source or contig, or too long a stretch.
        """
        length_bp = self._genome.lengths.get(chrom)
        if source not in self.sources or length_bp is None:
            raise InputError(self.run, f"no {source!r} on {chrom!r}", expected=f"one of {', '.join(self.sources)}")
        if start >= length_bp or end <= max(0, start):
            return []
        start = max(0, start) // _STEP_BP * _STEP_BP
        end = min(length_bp, -(-end // _STEP_BP) * _STEP_BP)
        if end - start > 2 * VISIBLE_BP + 2 * _STEP_BP:
            raise InputError(self.run, f"{end - start:,} bp are asked for", expected=f"at most {VISIBLE_BP:,} bp")
        with self._lock:  # one prediction at a time; who asked for the same stretch meanwhile gets it from memory
            return self._kept(chrom, start, end)[source]

    def _predicted(self, chrom: str, start: int, end: int) -> dict[str, list[Feature]]:
        """Features of all sources on a stretch."""
        self._model = self._model or load(self.run)
        if self.per_base:
            return self._genes(self._model, chrom, start, end)
        return self._windows(self._model, chrom, start, end)

    def _genes(self, model: Model, chrom: str, start: int, end: int) -> dict[str, list[Feature]]:
        from dnaspt.inference.emissions import ContigSlice
        from dnaspt.inference.genes import genes_and_probabilities

        first, last = max(0, start - _CONTEXT_BP), min(self._genome.lengths[chrom], end + _CONTEXT_BP)
        contig = Contig(chrom, self._genome.codes(chrom, first, last))
        whole = ContigSlice.whole(contig.codes)
        both = model.averages(asked=None)
        genes, classes = genes_and_probabilities(model.task_model(), self.config, contig, whole, average_strands=both)
        placed = [moved(gene, first) for gene in genes]
        coding = coding_features(classes[start - first : end - first, [CDS, CDS + MINUS]].T, chrom, start, _STEPS)
        return {
            "genes": [gene_feature(gene) for gene in placed if gene.start < end and start < gene.end],
            "coding": coding,
        }

    def _windows(self, model: Model, chrom: str, start: int, end: int) -> dict[str, list[Feature]]:
        import pyarrow.parquet as pq

        from dnaspt.inference.windows import WindowOptions, contig_windows

        margin_bp = self.config.window_bp
        bin_bp = TASKS[self.config.task].resolution_bp
        first = max(0, start - (0 if bin_bp else margin_bp))
        last = min(self._genome.lengths[chrom], end + margin_bp)
        codes = self._genome.codes(chrom, first, last)
        stride_bp = min(_STRIDE_BP, self.config.window_bp)
        options = WindowOptions(stride_bp, TASKS[self.config.task].on_cpgs, average_strands=model.averages(asked=None))
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "windows.parquet"
            interval = [(start - first, min(end, last) - first)]
            contig_windows(file, model.task_model(), self.config, Contig(chrom, codes), interval, options)
            table = pq.read_table(file) if file.is_file() else None
        made: dict[str, list[Feature]] = {source: [] for source in self.sources}
        if table is None:
            return made
        starts, ends = (table.column(name).to_numpy() + first for name in ("start", "end"))
        digits = "6g" if self._is_number else "3f"
        for source, features in made.items():
            values = table.column(source).to_numpy()
            features += [
                {"chr": chrom, "start": int(left), "end": int(right), "value": float(f"{value:.{digits}}")}
                for left, right, value in zip(starts, ends, values, strict=True)
            ]
        return made
