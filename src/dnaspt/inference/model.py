"""A trained model as Python users hold it: sequences in, genes, probabilities and embeddings out.

Nothing here imports PyTorch before a model is loaded, so that a wrong path is an error at once.
"""

import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dnaspt.arguments import as_path, check_switches
from dnaspt.atomic import sha256_of_file
from dnaspt.checkpoint_config import DESCRIPTION, TENSORS, CheckpointConfig, find_checkpoint, read_config
from dnaspt.config import BASELINE_ENCODERS
from dnaspt.errors import CheckpointError, ConfigError, InputError, NotFiniteError
from dnaspt.genome import alphabet
from dnaspt.genome.fasta import Contig
from dnaspt.genome.transcripts import Transcript
from dnaspt.hub import local_folder
from dnaspt.inference.sequences import NamedSequence, Sequences, read_sequences
from dnaspt.tasks import TASKS

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from dnaspt.checkpoint import Accelerator
    from dnaspt.inference.embeddings import EmbeddingSummary
    from dnaspt.inference.genes import GeneSummary
    from dnaspt.inference.sequence_file import SequenceSummary
    from dnaspt.inference.windows import WindowSummary
    from dnaspt.models.language_model import LanguageModel
    from dnaspt.models.task_model import TaskModel

log = logging.getLogger(__name__)

MAX_WINDOW_BP = 100_000
"""Longest sequence that is read as one window."""
EMBED_GROUP_BP = 1 << 18
"""Bases whose hidden states are in memory at once; a longer sequence is a group of its own."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Model:
    """A trained model on its device: what `dnaspt.load` returns.

    A fine-tuned model predicts genes or labels of windows. A pretrained one gives embeddings and scores variants.

    Attributes:
        network: the PyTorch module, in eval mode.
        config: description of the checkpoint: encoder, task, head, labels, provenance.
        path: run or checkpoint that it was loaded from.
        checkpoint: the checkpoint of the run that was taken.
        digests: sha256 of the checkpoint's files: tensors, description.
        folder: the same path from the root, so that the working folder may change.

    Example:
        >>> model = dnaspt.load("runs/genes")
        >>> model.task, model.head, len(model.labels)
        ('genes', 'crf', 9)
    """

    network: "TaskModel | LanguageModel"
    config: CheckpointConfig
    path: Path
    checkpoint: Path
    digests: tuple[str, str]
    folder: Path = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", self.path.absolute())

    @property
    def is_finetuned(self) -> bool:
        """Whether it was fine-tuned; a pretrained model is a language model, also where its data have a task."""
        return self.config.kind == "task"

    @property
    def task(self) -> str:
        """Task that it was fine-tuned for, as `Evaluation.task` names it: genes, regions, ...; empty for a pretrained model."""
        return self.config.task if self.is_finetuned else ""

    @property
    def head(self) -> str:
        """Head: gene-model, crf, crf-unconstrained, softmax, sigmoid, mse or poisson; empty for a pretrained model."""
        return self.config.head

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the K labels or classes; none for a pretrained model."""
        return self.config.labels

    @property
    def window_bp(self) -> int:
        """Length of the windows that it was fine-tuned on, in bp; 0 for a pretrained model."""
        return self.config.window_bp if self.is_finetuned else 0

    @property
    def name(self) -> str:
        """Name of its run, without the folders around it; of a checkpoint that lies in no run its own name."""
        path = Path(os.path.normpath(self.folder))
        return path.parents[1].name if path.parent.name in ("best", "last") else path.name

    @property
    def is_on_disk(self) -> bool:
        """Whether its path still holds it: false after the folder was removed, or trained anew."""
        try:
            return _digests(find_checkpoint(self.folder)) == self.digests
        except (CheckpointError, OSError):
            return False

    @property
    def device(self) -> "torch.device":
        """Where it computes."""
        from dnaspt.checkpoint import model_device

        return model_device(self.network)

    def __repr__(self) -> str:
        what = f"task={self.task!r}, head={self.head!r}" if self.is_finetuned else "pretrained language model"
        return f"Model({str(self.path)!r}, {what}, hidden_size={self.config.encoder.hidden_size}, device={str(self.device)!r})"

    def __fspath__(self) -> str:
        return str(self.path)

    def averages(self, *, asked: bool | None) -> bool:
        """Whether both strands are averaged: what is asked for, or, where that is None, what was better on valid.

        Raises:
            ConfigError: neither True nor False nor None.
        """
        if asked is None:
            return self.config.both_strands
        check_switches(average_strands=asked)
        return asked

    def task_model(self) -> "TaskModel":
        """The network of a fine-tuned model.

        Raises:
            CheckpointError: a pretrained model, which has no task.
        """
        from dnaspt.models.task_model import TaskModel

        if not isinstance(self.network, TaskModel):
            raise CheckpointError(f"{self.path}: holds a language model; expected a run of 'dnaspt finetune'")
        return self.network

    def predict(
        self,
        seqs: Sequences,
        *,
        average_strands: bool | None = None,
        codons: bool = True,
        complete_genes: bool = False,
        min_intron_bp: int | None = None,
        min_score: float = 0.0,
        min_coding_bp: int = 0,
        softmask: float = 0.0,
        sensitivity: float | None = None,
    ) -> "list[list[Transcript]] | pd.DataFrame":
        """Predict the genes on sequences, or the labels of windows.

        Genes are decoded as `predict_file` decodes them: each sequence as a whole, long runs of N are non-coding.

        Args:
            seqs: a string, a list of strings, an array of letters (L,) or (B, L), or a FASTA path.
            average_strands: average over both strands; None: models of windows as was better on valid, of genes not.
            codons: genes of a CRF keep to codons (start, stop, frame, GT-AG or GC-AG introns).
            complete_genes: with codons: no gene goes on beyond its sequence.
            min_intron_bp: with codons: bases of the shortest intron; None for that of the training annotation, 10 at least.
            min_score: genes: lowest score, 0 to 1: the probability of the whole gene where a gene model knows it, else the
                mean posterior of its coding bases.
            min_coding_bp: genes: fewest coding bases.
            softmask: gene-model: nats that each soft-masked (lower-case) base costs as a coding one.
            sensitivity: gene-model: share of the exons that is to be found with both ends exact, above 0, at most 1. Genes are
                made more or less probable, so that the model's valid split reaches it, with the highest precision.

        Returns:
            For genes: for each sequence a list of `Transcript`, by start; `dnaspt.to_frame` makes a table of them. A transcript's
            chrom is the name of its FASTA record, else seq1, seq2, ...; coordinates are 0-based half-open.

            For windows: a DataFrame with a row for each sequence and a column for each label, with its probability, or its number
            (regression). For bins: a row for each whole bin, with the index (sequence, start). Sequences, or bins, of which more
            than half is N have NaN, and a warning counts them.

        Raises:
            CheckpointError: a pretrained model, which predicts nothing.
            InputError: a letter that is not a nucleotide code, an empty sequence, or one of a length that the model cannot read;
                for a model of methylation, one without CG in its middle.
            ConfigError: complete_genes without a CRF or without codons; a limit out of range; a sensitivity that was not
                reached on valid, or of another head than a gene model.

        Example:
            >>> model = dnaspt.load("runs/genes")
            >>> genes = model.predict(["ACGT" * 500, "GATTACA" * 300])
            >>> len(genes)
            2
        """
        from dnaspt.inference.predict import PredictOptions, check_gene_limits, keeps_to_codons, warn_of_softmask
        from dnaspt.inference.sensitivity import check_sensitivity

        options = PredictOptions(
            average_strands=self.averages(asked=average_strands),
            codons=codons,
            complete_genes=complete_genes,
            min_intron_bp=min_intron_bp,
            min_score=min_score,
            min_coding_bp=min_coding_bp,
            softmask=softmask,
            sensitivity=sensitivity,
        )
        network, sequences = self.task_model(), read_sequences(seqs)
        check_sensitivity(sensitivity, self.head)
        if not TASKS[self.task].per_base:
            if not codons or complete_genes:
                log.warning("codons and complete_genes have no effect on windows")
            if (min_intron_bp, min_score, min_coding_bp, softmask) != (None, 0, 0, 0):
                log.warning("min_intron_bp, min_score, min_coding_bp and softmask have no effect on windows")
            return self._window_table(sequences, average_strands=self.averages(asked=average_strands))
        has_codons = keeps_to_codons(self.head, options)
        if not codons and self.head != "crf":
            why = "always keeps to codons" if has_codons else "knows no codons"
            log.warning("codons has no effect on a %s head, which %s", self.head, why)
        if complete_genes and not has_codons:
            raise ConfigError("complete_genes needs a gene model, or a CRF with codons: others do not know whole genes")
        from dnaspt.inference.genes import predict_contigs

        check_gene_limits(options, has_codons=has_codons)
        warn_of_softmask(options, self.head)
        contigs = [Contig(name, codes) for name, codes in sequences]
        return predict_contigs(network, self.config, contigs, options)

    def _window_table(self, sequences: Sequence[NamedSequence], *, average_strands: bool) -> "pd.DataFrame":
        """Probabilities of the labels of windows or bins."""
        import pandas as pd

        probabilities = self._window_probabilities(sequences, average_strands=average_strands)
        names = [name for name, _ in sequences]
        if bin_bp := TASKS[self.task].resolution_bp:
            rows = [
                (name, n * bin_bp) for name, bins in zip(names, probabilities, strict=True) for n in range(len(bins))
            ]
            index: pd.Index = pd.MultiIndex.from_tuples(rows, names=["sequence", "start"])
            matrix = np.concatenate(probabilities) if probabilities else np.zeros((0, len(self.labels)), np.float32)
        else:
            index = pd.Index(names, name="sequence", dtype=object)
            matrix = np.reshape(np.array(probabilities, np.float32), (len(sequences), len(self.labels)))
        return pd.DataFrame(matrix, index=index, columns=list(self.labels))

    def predict_windows(self, sequences: Sequence[NamedSequence], *, average_strands: bool | None = None) -> np.ndarray:
        """Probabilities of the K labels of B sequences, each one window, or the predicted numbers: (B, K) float32.

        Args:
            sequences: names and codes; `predict_proba` takes letters.
            average_strands: average over both strands; None as was better on valid.

        Raises:
            InputError: a sequence that the model cannot read as one window.
        """
        probabilities = self._window_probabilities(sequences, average_strands=self.averages(asked=average_strands))
        return np.reshape(np.array(probabilities, np.float32), (len(sequences), len(self.labels)))

    def _window_probabilities(self, sequences: Sequence[NamedSequence], *, average_strands: bool) -> list[np.ndarray]:
        """Probabilities of each sequence: (K,), or (bins, K); NaN for a sequence, or a bin, of which more than half is N.

        Sequences of one length are predicted together.
        """
        from dnaspt.inference.windows import label_probabilities

        self.check_windows(sequences)
        bin_bp = TASKS[self.task].resolution_bp
        by_length: dict[int, list[int]] = {}
        for number, (_, codes) in enumerate(sequences):
            by_length.setdefault(len(codes), []).append(number)
        by_number: dict[int, np.ndarray] = {}
        for length_bp, numbers in by_length.items():
            whole_bp = length_bp // bin_bp * bin_bp if bin_bp else length_bp
            windows = [sequences[number].codes[:whole_bp] for number in numbers]
            rows = label_probabilities(self.task_model(), windows, average_strands=average_strands)
            shape = (-1, len(self.labels)) if bin_bp else (len(self.labels),)
            by_number |= {number: row.reshape(shape) for number, row in zip(numbers, rows, strict=True)}
        probabilities, n_unknown = [], 0
        for number, (_, codes) in enumerate(sequences):
            own = by_number[number]
            if bin_bp:
                is_unknown = alphabet.mostly_unknown_bins(codes[: len(own) * bin_bp], bin_bp)[:, None]
            else:
                is_unknown = np.array([alphabet.is_mostly_unknown(codes)])
            probabilities.append(np.where(is_unknown, np.float32(np.nan), own))
            n_unknown += int(is_unknown.sum())
        _warn_of_unknown(n_unknown, "bins" if bin_bp else "sequences")
        return probabilities

    def check_windows(self, sequences: Sequence[NamedSequence]) -> None:
        """Refuse sequences that the model cannot read as one window.

        A model of methylation knows windows around a CpG alone, with the C just left of the middle. Sequences that are more than
        half N need none: they are not predicted.

        Raises:
            InputError: too long, shorter than a bin, or, for a model of methylation, without CG in the middle.
        """
        reads_one_length = self.config.encoder.architecture == "basset"
        longest_bp = self.window_bp if reads_one_length else MAX_WINDOW_BP
        shortest_bp = TASKS[self.task].resolution_bp or 1
        for name, codes in sequences:
            if not shortest_bp <= len(codes) <= longest_bp:
                do = f"cut it into windows of {self.window_bp:,} bp, or predict whole contigs as a genome"
                expected = f"{shortest_bp:,} to {longest_bp:,} bp"
                raise InputError(
                    name, f"{len(codes):,} bp", expected=expected, do=do if len(codes) > longest_bp else ""
                )
            first = max(0, len(codes) // 2 - 1)
            middle = codes[first : first + 2 + len(codes) % 2]  # of an odd length, the middle of either strand
            if TASKS[self.task].on_cpgs and not (
                len(alphabet.cpg_positions(middle)) or alphabet.is_mostly_unknown(codes)
            ):
                expected = f"CG, since this model learned windows of {self.window_bp:,} bp around CpGs"
                raise InputError(
                    name,
                    f"has {alphabet.decode(alphabet.tokens(middle))} in its middle",
                    expected=expected,
                    do="give windows around CpGs, or predict whole contigs as a genome",
                )

    def predict_proba(self, seqs: Sequences, *, average_strands: bool | None = None) -> np.ndarray | list[np.ndarray]:
        """Probability of each class at each base, or of each label of each window.

        The classes of bases have the posterior marginals of a CRF, or the probabilities of a softmax. They are those of the head
        alone: the rules on codons and on long runs of N, which `predict` keeps, have no part in them.

        Args:
            seqs: as in `predict`.
            average_strands: average over both strands (emissions of bases, logits of windows); None as in `predict`.

        Returns:
            For genes: float32 (B, L, K) where all B sequences have one length, else a list of (L, K). For windows: (B, K).
            For bins: (B, bins, K), or a list of (bins, K). K is the number of labels, in the order of `labels`. Windows, or bins,
            of which more than half is N have NaN, as in `predict`.

        Raises:
            CheckpointError, InputError: as in `predict`. ConfigError: a model of numbers (regression), which have no probability
            (`predict` gives the numbers); or a gene model, which has none of single bases (`predict_file` writes tracks).

        Example:
            >>> model = dnaspt.load("runs/genes")
            >>> model.predict_proba(["ACGT" * 100, "GATT" * 100]).shape
            (2, 400, 9)
        """
        network = self.task_model()
        if TASKS[self.task].numbers:
            raise ConfigError(f"{self.path}: predicts numbers, which have no probability; call predict")
        average_strands, sequences = self.averages(asked=average_strands), read_sequences(seqs)
        n_labels = len(self.labels)
        if not TASKS[self.task].per_base:
            windows = self._window_probabilities(sequences, average_strands=average_strands)
            return _stacked(windows, (0, n_labels))
        from dnaspt.inference.decode import class_probabilities, grouped, predict_emissions
        from dnaspt.inference.emissions import ContigSlice

        rows = []
        for group in grouped(sequences, lambda sequence: len(sequence.codes)):
            slices = [ContigSlice.whole(codes) for _, codes in group]
            for emissions in predict_emissions(network, slices, average_strands=average_strands):
                rows.append(class_probabilities(network, emissions, average_strands=average_strands))
        return _stacked(rows, (0, 0, n_labels))

    def explain(
        self,
        seqs: Sequences,
        *,
        label: str | None = None,
        method: Literal["ism", "gradient", "deeplift"] = "ism",
        average_strands: bool | None = None,
        hypothetical: bool = False,
        n_references: int = 20,
        seed: int = 0,
    ) -> np.ndarray | list[np.ndarray]:
        """How much each base speaks for a label: attributions of its log-odds, in nats, or of its number.

        For models of windows or sequences (docs/explain.md); `dnaspt.explain` writes files. It needs tangermeme:
        pip install tangermeme.

        Args:
            seqs: as in `predict`; each is read as one window.
            label: the label that is explained; None where the model has one label only.
            method: ism (each base is changed to each other letter), gradient (gradient x input) or deeplift (DeepLIFT/SHAP).
            average_strands: explain the mean of both strands; None: as the model predicts by default.
            hypothetical: numbers for all four letters of each base; else those of letters that do not stand there are 0.
            n_references: deeplift: shuffled sequences with which each is compared.
            seed: deeplift: of the shuffles.

        Returns:
            float32 (B, 4, L), for A, C, G and T, where all B sequences have one length, else a list of (4, L). Sequences of which
            more than half is N have NaN, and a warning counts them.

        Raises:
            CheckpointError: a pretrained model. InputError: as in `predict`, of windows.
            ConfigError: a model of genes or bins; no such label; tangermeme is not installed.

        Example:
            >>> model = dnaspt.load("runs/peaks")
            >>> model.explain(["ACGT" * 32, "GATT" * 32], label="peaks_A", method="gradient").shape
            (2, 4, 128)
        """
        from dnaspt.inference.explain_file import label_number
        from dnaspt.inference.explain_options import ExplainOptions

        check_switches(hypothetical=hypothetical)
        number, sequences = label_number(self, label), read_sequences(seqs)
        self.check_windows(sequences)
        from dnaspt.inference.explain import attributions, onehot

        options = ExplainOptions(method, self.averages(asked=average_strands), n_references, seed)
        found = [np.full((4, len(sequence.codes)), np.nan, np.float32) for sequence in sequences]
        known = [row for row, own in enumerate(sequences) if not alphabet.is_mostly_unknown(own.codes)]
        _warn_of_unknown(len(sequences) - len(known), "sequences")
        codes = [sequences[row].codes for row in known]
        with naming_model(self):
            for row, own in zip(known, attributions(self.task_model(), codes, number, options), strict=True):
                found[row] = own.scores if hypothetical else own.scores * onehot(sequences[row].codes)
        return _stacked(found, (0, 4, 0))

    def embed(self, seqs: Sequences, *, pool: Literal["mean"] | None = "mean") -> np.ndarray | list[np.ndarray]:
        """Hidden states of the encoder; pretrained models have them too.

        Args:
            seqs: as in `predict`; of any length.
            pool: mean: one vector for each sequence, the mean over its bases; None: one vector for each base.

        Returns:
            float32 (B, D) with pool="mean", else a list of (L, D) arrays; D is the encoder's hidden size.

        Raises:
            CheckpointError: an ensemble; no encoder (onehot), or one without a state for each base (Basset).
            InputError: as in `predict`. ConfigError: another word than mean.

        Example:
            >>> model = dnaspt.load("runs/pre")
            >>> model.embed("ACGT" * 100).shape == (1, model.config.encoder.hidden_size)
            True
        """
        if pool not in ("mean", None):
            raise ConfigError(f"pool {pool!r}; expected 'mean' or None")
        self.check_embeds()
        from dnaspt.inference.decode import grouped
        from dnaspt.inference.emissions import ContigSlice, hidden_states, predict_sequences

        encoder, vectors = hidden_states(self.network), []
        for group in grouped(read_sequences(seqs), lambda sequence: len(sequence.codes), EMBED_GROUP_BP):
            for states in predict_sequences(encoder, [ContigSlice.whole(codes) for _, codes in group]):
                rows = np.asarray(states)
                vectors.append((rows if pool is None else rows.mean(axis=0, dtype=np.float64)).astype(np.float32))
        if pool is None:
            return vectors
        return np.stack(vectors) if vectors else np.zeros((0, self.config.encoder.hidden_size), np.float32)

    def predict_sequences_file(
        self,
        sequences: str | Path,
        out: str | Path,
        *,
        sequence_column: str | None = None,
        name_column: str | None = None,
        average_strands: bool | None = None,
        overwrite: bool = False,
        progress: bool = False,
    ) -> "SequenceSummary":
        """Predict the labels of each sequence of a table or FASTA file, as a whole, and write a table.

        Args:
            sequences: CSV, TSV, JSON lines, Parquet or FASTA, plain or gzip.
            out: the file to write, .csv, .tsv, .jsonl or .parquet: name, and the probability of each label, or its number; a row
                for each row of `sequences` in its order. Rows without a sequence, or with more than half N, have empty values.
            sequence_column: column of the sequences; None for the one with a usual name (docs/files.md), such as sequence.
            name_column: column of the names; None for the one with a usual name; without one, rows have numbers.
            average_strands: average over both strands; None as was better on valid.
            overwrite: replace a file that is there. It stays until the new one is whole.
            progress: show a progress bar with the time left.

        Returns:
            counts of what was predicted and written.

        Raises:
            CheckpointError: a pretrained model. ConfigError: another suffix, a file that is there already, or a model of genes or
            bins.
            InputError: the file cannot be used, a letter is no nucleotide, or a sequence is too long for the model, or,
            for a model of methylation, has no CG in its middle.

        Example:
            >>> import pandas as pd
            >>> model = dnaspt.load("runs/peaks")
            >>> pd.DataFrame({"name": ["one"], "sequence": ["ACGT" * 64]}).to_csv("new.csv", index=False)
            >>> model.predict_sequences_file("new.csv", "scores.csv").n_sequences
            1
        """
        from dnaspt.inference.sequence_file import predict_sequences_file

        return predict_sequences_file(
            self,
            sequences,
            out,
            sequence_column=sequence_column,
            name_column=name_column,
            average_strands=average_strands,
            overwrite=overwrite,
            progress=progress,
        )

    def embed_file(
        self,
        out: str | Path,
        *,
        sequences: str | Path | None = None,
        genome: str | Path | None = None,
        regions: str | Path | None = None,
        window_bp: int | None = None,
        per_base: bool = False,
        sequence_column: str | None = None,
        name_column: str | None = None,
        overwrite: bool = False,
        progress: bool = False,
    ) -> "EmbeddingSummary":
        """Write hidden states of the encoder to a file, in bounded memory; pretrained models have them too.

        Args:
            out: the file to write: .parquet with the columns name, start, end (0-based half-open) and embedding (D numbers), or
                .npz with the arrays names, start, end and embeddings (n, D).
            sequences: table (CSV, TSV, JSON lines, Parquet) or FASTA of sequences: a vector each, the mean over its bases.
            genome: instead of sequences, FASTA of a genome; states are computed with the sequence around each window.
            regions: with a genome, BED of intervals, a vector each; None for windows of all contigs, end to end.
            window_bp: length of these windows, 512 if left out.
            per_base: a vector for each base instead of the mean; with `progress`, the size of the file is said before.
            sequence_column: column of the sequences; None for the one with a usual name (docs/files.md), such as sequence.
            name_column: column of the names; None for the one with a usual name, such as name or id.
            overwrite: replace a file that is there. It stays until the new one is whole.
            progress: show a progress bar with the time left.

        Returns:
            counts of what was written.

        Raises:
            CheckpointError: as in `embed`. InputError: a file cannot be used. ConfigError: settings that contradict each other,
            or a file that is there already.

        Example:
            >>> model = dnaspt.load("runs/pre")
            >>> summary = model.embed_file("windows.parquet", genome="genome/genome.fa", window_bp=1000)
            >>> summary.n_vectors > 0
            True
        """
        from dnaspt.inference.embeddings import embed_file

        return embed_file(
            self,
            out,
            sequences=sequences,
            genome=genome,
            regions=regions,
            window_bp=window_bp,
            per_base=per_base,
            sequence_column=sequence_column,
            name_column=name_column,
            overwrite=overwrite,
            progress=progress,
        )

    def check_embeds(self) -> None:
        """Refuse a model that has no hidden state for each base.

        Raises:
            CheckpointError: an ensemble; no encoder (onehot), or Basset.
        """
        if self.config.members:
            raise CheckpointError(f"{self.path}: is an ensemble; embed sequences with one of its models")
        if self.config.encoder.architecture == "basset":
            raise CheckpointError(f"{self.path}: Basset has no state for each base; use another encoder for embeddings")
        if self.config.encoder == BASELINE_ENCODERS["onehot"]:
            raise CheckpointError(f"{self.path}: reads letters, without an encoder; embeddings need one (--encoder)")

    def predict_file(
        self,
        genome: str | Path,
        out: str | Path,
        *,
        regions: str | Path | None = None,
        proteins: str | Path | None = None,
        cds: str | Path | None = None,
        tracks: str | Path | None = None,
        stride_bp: int = 128,
        threshold: float = 0.5,
        average_strands: bool | None = None,
        codons: bool = True,
        complete_genes: bool = False,
        min_intron_bp: int | None = None,
        min_score: float = 0.0,
        min_coding_bp: int = 0,
        softmask: float = 0.0,
        sensitivity: float | None = None,
        overwrite: bool = False,
        progress: bool = False,
    ) -> "GeneSummary | WindowSummary":
        """Predict on a FASTA file and write GFF3 or GTF for genes; BED, bigWig or Parquet for windows.

        A genome of any size passes through bounded memory. A prediction that was broken off goes on where it stopped.

        Args:
            genome: FASTA, plain, gzip or bgzip.
            out: the file to write: .gff3 or .gtf for genes; .bed, .bw or .parquet for windows. It appears whole or not at all.
            regions: BED of the intervals to predict; None for all of every contig.
            proteins: genes: FASTA of the predicted proteins to write too.
            cds: genes: FASTA of the predicted coding sequences to write too.
            tracks: gene-model: beginning of the names of bigWig files to write too. PREFIX.coding_plus.bw, PREFIX.donor_plus.bw,
                PREFIX.acceptor_plus.bw and those of the minus strand have the probability of each base.
            stride_bp: windows: step along the contig.
            threshold: windows: probability from which a BED row is written.
            average_strands: average over both strands; None: models of windows as was better on valid, of genes not.
            codons: genes of a CRF keep to codons.
            complete_genes: with codons: no gene goes on beyond its contig.
            min_intron_bp: with codons: bases of the shortest intron; None for that of the training annotation, 10 at least.
            min_score: genes: lowest score that is written, 0 to 1: the probability of the whole gene where a gene model
                knows it, else the mean posterior of its coding bases.
            min_coding_bp: genes: fewest coding bases that are written.
            softmask: gene-model: nats that each soft-masked (lower-case) base costs as a coding one.
            sensitivity: gene-model: share of the exons that is to be found with both ends exact, above 0, at most 1. Genes are
                made more or less probable, so that the model's valid split reaches it, with the highest precision.
            overwrite: replace files that are there. They stay until the new ones are whole.
            progress: show a progress bar with the time left.

        Returns:
            counts of what was predicted and written.

        Raises:
            CheckpointError: a pretrained model. ConfigError: a suffix or a setting that does not fit the task, or a file that is
            there already. InputError: the FASTA or the BED cannot be used, or no window can be scored.

        Example:
            >>> model = dnaspt.load("runs/genes")
            >>> summary = model.predict_file("genome/genome.fa", "genes.gff3")
            >>> summary.n_bp > 0
            True
        """
        from dnaspt.inference.predict import PredictOptions, predict_file

        options = PredictOptions(
            stride_bp=stride_bp,
            threshold=threshold,
            average_strands=average_strands,
            codons=codons,
            complete_genes=complete_genes,
            min_intron_bp=min_intron_bp,
            min_score=min_score,
            min_coding_bp=min_coding_bp,
            softmask=softmask,
            sensitivity=sensitivity,
        )
        files = {"proteins": proteins, "cds": cds, "tracks": tracks}
        return predict_file(
            self, genome, out, options, regions=regions, **files, overwrite=overwrite, progress=progress
        )


def load(path: str | Path, *, revision: str = "", accelerator: "Accelerator" = "auto") -> Model:
    """Load a model onto a device, in eval mode.

    Args:
        path: run of `pretrain` or `finetune` (its best checkpoint is taken), a checkpoint folder, or a name on the Hugging Face
            hub, OWNER/NAME or OWNER/NAME@REVISION, of which the copy on this machine is then the path.
        revision: of a name on the hub, commit, tag or branch; empty for the newest commit.
        accelerator: auto takes a GPU where there is one; cpu or gpu.

    Raises:
        CheckpointError: nothing there, or no checkpoint. ConfigError: no GPU where one is asked for.
    """
    path = local_folder(as_path(path, "path"), revision)
    checkpoint = find_checkpoint(path)
    read_config(checkpoint)
    from dnaspt.checkpoint import choose_device, load_model
    from dnaspt.models.kernels.threads import subnormals_as_zero

    device = choose_device(accelerator)
    with subnormals_as_zero():
        network, config = load_model(checkpoint)
    return Model(network.to(device), config, path, checkpoint, _digests(checkpoint))


@contextmanager
def naming_model(model: Model) -> Iterator[None]:
    """A block in which scores that are not finite are an error that names the model.

    Raises:
        NotFiniteError: says which model, and why that may be.
    """
    try:
        yield
    except NotFiniteError as error:
        why = "are its weights damaged, or has its training diverged?"
        raise NotFiniteError(f"{model.path}: {error}; {why}") from error


def load_unless_loaded(model: str | Path | Model, *, accelerator: "Accelerator" = "auto") -> Model:
    """The model itself, or the one that a path holds. A loaded model stays on its device: a warning says so.

    Raises:
        CheckpointError, ConfigError: as `load`.
    """
    if not isinstance(model, Model):
        return load(model, accelerator=accelerator)
    if accelerator != "auto":
        log.warning("accelerator=%r has no effect: the model is loaded already, on %s", accelerator, model.device)
    return model


def _warn_of_unknown(n: int, what: str) -> None:
    """Say how many sequences or bins have no prediction."""
    if n:
        log.warning("%d %s are more than half N: NaN is predicted for them", n, what)


def _digests(checkpoint: Path) -> tuple[str, str]:
    """sha256 of a checkpoint's tensors and of its description."""
    return sha256_of_file(checkpoint / TENSORS), sha256_of_file(checkpoint / DESCRIPTION)


_TRANSCRIPT_COLUMNS = {
    **dict.fromkeys(("chrom", "gene_id", "transcript_id", "strand"), "str"),
    **dict.fromkeys(("start", "end", "n_exons", "cds_bp"), "int64"),
    **{"score": "float64", "phase": "int64", "is_partial": "bool", "cds": "object"},
}
"""Columns of the table of transcripts, and their types; an empty table has them too."""


def to_frame(genes: Iterable[Transcript] | Iterable[Iterable[Transcript]]) -> "pd.DataFrame":
    """A table of transcripts, as `Model.predict` gives them.

    Args:
        genes: transcripts, or lists of transcripts.

    Returns:
        A row for each transcript, in order, with the columns

        - chrom, gene_id, transcript_id, strand;
        - start, end: first coding base and end of the last one, 0-based half-open;
        - n_exons, cds_bp: coding exons, and their bases;
        - score: mean posterior of its CDS bases (NaN where there is none);
        - phase: bases at its 5' end that complete a codon which began before it;
        - is_partial: whether it is known to lack a start or stop codon;
        - cds: tuple of (start, end) of the coding exons, ascending, 0-based half-open.

    Raises:
        InputError: what is no transcript, such as the table that a model of windows predicts.

    Example:
        >>> genes = dnaspt.load("runs/genes").predict("ACGT" * 500)
        >>> list(dnaspt.to_frame(genes).columns)[:6]
        ['chrom', 'gene_id', 'transcript_id', 'strand', 'start', 'end']
    """
    import pandas as pd

    transcripts = list(_flat(genes))
    rows = [
        (
            *(gene.chrom, gene.gene_id, gene.transcript_id, gene.strand, gene.start, gene.end),
            *(len(gene.cds), gene.cds_bp, gene.score, gene.phase, gene.is_partial, gene.cds),
        )
        for gene in transcripts
    ]
    return pd.DataFrame(rows, columns=list(_TRANSCRIPT_COLUMNS)).astype(_TRANSCRIPT_COLUMNS)


def _flat(genes: Any, *, depth: int = 2) -> Iterator[Transcript]:
    """Transcripts of a list, or of lists in it."""
    if isinstance(genes, Transcript) and depth < 2:
        yield genes
    elif (
        depth and isinstance(genes, Iterable) and not isinstance(genes, str | Mapping) and not hasattr(genes, "columns")
    ):
        for item in genes:
            yield from _flat(item, depth=depth - 1)
    else:
        expected = "transcripts, or lists of transcripts, as a model of genes predicts them"
        raise InputError("genes", f"a value of type {type(genes).__name__}", expected=expected)


def _stacked(rows: list[np.ndarray], empty: tuple[int, ...]) -> np.ndarray | list[np.ndarray]:
    """One array where all rows have one shape, else the list; of no rows an array of the shape `empty`."""
    if not rows:
        return np.zeros(empty, np.float32)
    return np.stack(rows) if len({row.shape for row in rows}) == 1 else rows
