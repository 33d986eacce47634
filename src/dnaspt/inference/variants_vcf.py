"""VCF and genome to scored alleles: a table, a VCF with fields in INFO, or Parquet; contig by contig.

Files and settings are checked before PyTorch is imported, so that a mistake shows at once.
"""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from dnaspt.arguments import as_path, as_path_or_none
from dnaspt.atomic import atomic_file
from dnaspt.errors import ConfigError, InputError
from dnaspt.genome import alphabet
from dnaspt.genome.contig_names import check_contigs
from dnaspt.genome.fasta import Contig, read_fasta
from dnaspt.genome.text_files import check_text_file
from dnaspt.genome.vcf import (
    Allele,
    Alleles,
    InfoField,
    Values,
    check_bgzip,
    names_in_header,
    normalize,
    read_alleles,
    write_info,
)
from dnaspt.inference.model import Model, load_unless_loaded
from dnaspt.output import locked_output, refuse_existing, refuse_inputs
from dnaspt.tasks import TASKS
from dnaspt.words import words_of

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

log = logging.getLogger(__name__)

WINDOW_BP = 512
"""Window of a language model, as BEND's."""
_LEAST_WINDOW_BP = 64
_BASES = frozenset("ACGT")
_CHUNK_ALLELES = 1024
"""Alleles that are scored at a time."""
_BGZIP_SUFFIXES = (".vcf.gz", ".vcf.bgz")
_SUFFIXES = (".vcf", *_BGZIP_SUFFIXES, ".parquet")

COSINE = InfoField("SPT_COSINE", "A", "1 - cos of the hidden states at the allele, mean of both strands")
LLR = InfoField("SPT_LLR", "A", "log P(ALT) - log P(REF) under the masked language model, nats, mean of both strands")
DELTA = InfoField("SPT_DELTA", ".", "change of each label of spt_labels, for each allele in turn, mean of both strands")


@dataclass(slots=True)
class VariantSummary:
    """What was scored.

    Attributes:
        records: records of the VCF.
        scored: alleles that were scored.
        not_scored: alleles that were not, by reason.
    """

    records: int = 0
    scored: int = 0
    not_scored: dict[str, int] = field(default_factory=dict)


class AlleleKey(NamedTuple):
    """An alternative allele: number of its record in the file, and of the allele in the record, from 0."""

    record: int
    number: int


@dataclass(frozen=True, slots=True)
class ScoredAlleles:
    """Alleles of a VCF and their scores.

    Attributes:
        alleles: the alleles, by contig.
        labels: names of the labels whose changes are scored; none for a language model, and for one of methylation.
        has_llr: whether a language model gave log-likelihood ratios.
        cosine: cosine distance of each scored allele.
        others: its other scores: (1,) log-likelihood ratio, or (K,) changes of the labels.
        not_scored: alleles that were not scored, by reason.
    """

    alleles: Alleles
    labels: tuple[str, ...]
    has_llr: bool
    cosine: Mapping[AlleleKey, float]
    others: Mapping[AlleleKey, np.ndarray]
    not_scored: Mapping[str, int]

    @property
    def summary(self) -> VariantSummary:
        """Counts of what was scored."""
        return VariantSummary(self.alleles.n_records, len(self.cosine), dict(self.not_scored))

    def table(self) -> "pa.Table":
        """A row for each allele of `alleles`, in the order of the file: chrom, pos (1-based), ref, alt, and the scores."""
        import pyarrow as pa

        by_contig = self.alleles.by_contig.items()
        rows = sorted(
            (AlleleKey(own.record, own.alternative), chrom, own) for chrom, alleles in by_contig for own in alleles
        )
        keys = [key for key, _, _ in rows]
        columns: dict[str, Sequence[object] | pa.Array] = {
            "chrom": [chrom for _, chrom, _ in rows],
            "pos": [allele.start + 1 for *_, allele in rows],
            "ref": [allele.ref for *_, allele in rows],
            "alt": [allele.alt for *_, allele in rows],
            "cosine": pa.array(
                [self.cosine.get(key) for key in keys], pa.float64()
            ),  # numbers also where none is scored
        }
        for index, name in enumerate(["llr"] if self.has_llr else [f"delta {label}" for label in self.labels]):
            values = [float(self.others[key][index]) if key in self.others else None for key in keys]
            columns[name] = pa.array(values, pa.float64())
        return pa.table(columns)


def score_variants(
    model: str | Path | Model,
    vcf: str | Path,
    genome: str | Path,
    *,
    out: str | Path | None = None,
    window_bp: int | None = None,
    strict: bool = False,
    accelerator: Literal["auto", "cpu", "gpu"] = "auto",
    overwrite: bool = False,
) -> "pd.DataFrame":
    """Score every alternative allele of a VCF, and return a table; see `score_file` for what is scored and for errors.

    Args:
        model: run or checkpoint of `pretrain` or `finetune`, or a loaded model.
        vcf: VCF, plain, gzip or bgzip.
        genome: FASTA, plain, gzip or bgzip.
        out: file to write too: .vcf, .vcf.gz or .parquet.
        window_bp: bases around an allele that the model sees; left out, those of a fine-tuned model's windows, else 512.
        strict: a REF that differs from the genome is an error.
        accelerator: auto takes a GPU where there is one; of no effect on a model that is loaded already.
        overwrite: replace a file that is there. It stays until the new one is whole.

    Returns:
        A row for each allele that `read_alleles` reads, in the order of the file, with the columns chrom, pos (1-based), ref,
        alt, cosine, and llr (language model) or "delta LABEL" for each label (fine-tuned model, but not of methylation). Scores
        are NaN where an allele was not scored.
    """
    vcf, genome, out = as_path(vcf, "vcf"), as_path(genome, "genome"), as_path_or_none(out, "out")
    with nullcontext() if out is None else _claimed(out, vcf, genome, model, overwrite=overwrite):
        scored = _score(model, vcf, genome, window_bp=window_bp, strict=strict, accelerator=accelerator)
        if out is not None:
            _write(scored, vcf, out)
    frame: pd.DataFrame = scored.table().to_pandas()
    return frame


def score_file(
    model: str | Path | Model,
    vcf: str | Path,
    genome: str | Path,
    out: str | Path,
    *,
    window_bp: int | None = None,
    strict: bool = False,
    accelerator: Literal["auto", "cpu", "gpu"] = "auto",
    overwrite: bool = False,
) -> VariantSummary:
    """Score every alternative allele of a VCF: cosine and llr of a language model, cosine and delta of a fine-tuned one.

    A model of methylation gives cosine alone, and a warning says so: its labels are those of a CpG in the middle of the window,
    where the allele stands here.

    A score does not depend on how an allele is written: for scoring, letters that REF and ALT share are cut off, and insertions
    and deletions are moved to the left in repeats, as `bcftools norm` does. POS, REF and ALT are written as they came.

    Not scored, and counted: alleles without letters, equal to REF, on contigs that the genome lacks, with an N, longer than half
    the window, in a window of which more than half is N, or with a REF that differs from the genome.

    Args:
        model: run or checkpoint of `pretrain` or `finetune`, or a loaded model.
        vcf: VCF, plain, gzip or bgzip.
        genome: FASTA, plain, gzip or bgzip.
        out: .vcf, .vcf.gz or .parquet; appears whole or not at all.
        window_bp: bases around an allele that the model sees; left out, those of a fine-tuned model's windows, else 512.
        strict: a REF that differs from the genome is an error.
        accelerator: auto takes a GPU where there is one; of no effect on a model that is loaded already.
        overwrite: replace a file that is there. It stays until the new one is whole.

    Raises:
        InputError: a file that cannot be used; with `strict`, a REF that differs. CheckpointError: no model.
        ConfigError: a suffix, window or accelerator that does not fit, or `out` is read or there already.
        BusyError: another process writes it.
    """
    with _claimed(Path(out), Path(vcf), Path(genome), model, overwrite=overwrite):
        scored = _score(model, Path(vcf), Path(genome), window_bp=window_bp, strict=strict, accelerator=accelerator)
        _write(scored, Path(vcf), Path(out))
    return scored.summary


@contextmanager
def _claimed(out: Path, vcf: Path, genome: Path, model: str | Path | Model, *, overwrite: bool) -> Iterator[None]:
    """A block in which no other process writes a file.

    Raises:
        ConfigError: another suffix, a file that is read, or one that is there already. InputError: it cannot be written.
        BusyError: another process writes it.
    """
    if not out.name.endswith(_SUFFIXES):
        raise ConfigError(f"{out}: expected a name that ends in .vcf, .vcf.gz or .parquet")
    run = None if isinstance(model, Model) else Path(model)
    refuse_inputs(out, {"VCF": vcf, "genome": genome, "run": run}, is_file=True)
    if not out.parent.is_dir():
        raise InputError(out.parent, "no such folder", do="make it first")
    if out.name.endswith(_BGZIP_SUFFIXES):
        check_bgzip()
    with locked_output(out):
        refuse_existing(out, overwrite=overwrite)
        yield


def _score(
    model: str | Path | Model,
    vcf: Path,
    genome: Path,
    *,
    window_bp: int | None,
    strict: bool,
    accelerator: Literal["auto", "cpu", "gpu"],
) -> ScoredAlleles:
    """Score the alleles of a VCF, contig by contig."""
    for file in (vcf, genome):
        check_text_file(file)
    loaded = load_unless_loaded(model, accelerator=accelerator)
    from dnaspt.inference.variant_effects import check_scores

    check_scores(loaded.path, loaded.network)
    window_bp = window_bp or _default_window_bp(loaded)
    if window_bp < _LEAST_WINDOW_BP:
        raise ConfigError(f"window_bp {window_bp}; expected {_LEAST_WINDOW_BP} or more")
    labels = _scored_labels(loaded)
    if loaded.labels and not labels:
        log.warning(
            "%s: its labels are those of CpGs, and an allele is none; alleles are scored by hidden states alone (cosine)",
            loaded.path,
        )
    alleles = read_alleles(vcf)
    skipped = Counter(alleles.skipped)
    cosine: dict[AlleleKey, float] = {}
    others: dict[AlleleKey, np.ndarray] = {}
    present = set()
    for contig in read_fasta(genome):
        present.add(contig.name)
        known = alleles.by_contig.get(contig.name, [])
        fitting = list(_fitting(contig, known, vcf, window_bp, skipped, strict=strict))
        for first in range(0, len(fitting), _CHUNK_ALLELES):
            chunk = fitting[first : first + _CHUNK_ALLELES]
            for allele, distance, other in zip(chunk, *_scores(loaded, contig, chunk, window_bp), strict=True):
                key = AlleleKey(allele.record, allele.alternative)
                cosine[key], others[key] = float(distance), np.atleast_1d(other)
    absent = check_contigs(vcf, alleles.by_contig, genome, present, strict=strict) if alleles.by_contig else []
    skipped["contig_not_in_genome"] += sum(len(alleles.by_contig[name]) for name in absent)
    if n_other := skipped["reference_mismatch"]:
        log.warning("%s: REF of %d alleles is not what %s has; is it the same assembly?", vcf, n_other, genome)
    if not cosine:
        reasons = "; ".join(f"{words_of(reason)}: {n:,}" for reason, n in skipped.items() if n) or "it has none"
        log.warning("%s: no allele is scored (%s)", vcf, reasons)
    not_scored = {reason: n for reason, n in skipped.items() if n}
    return ScoredAlleles(alleles, labels, not loaded.is_finetuned, cosine, others, not_scored)


def _scored_labels(model: Model) -> tuple[str, ...]:
    """Labels whose changes are scored: all of a model, but none of one that knows CpGs alone."""
    return () if model.is_finetuned and TASKS[model.task].on_cpgs else model.labels


def _default_window_bp(model: Model) -> int:
    """The window of a model that was fine-tuned on windows, else `WINDOW_BP`."""
    is_of_windows = model.is_finetuned and not TASKS[model.task].resolution_bp
    return model.window_bp if is_of_windows else WINDOW_BP


def _fitting(
    contig: Contig, alleles: Sequence[Allele], vcf: Path, window_bp: int, skipped: Counter[str], *, strict: bool
) -> Iterator[Allele]:
    """The alleles of a contig that can be scored, normalized (see `normalize`); the others are counted.

    Raises:
        InputError: with `strict`, a REF that differs from the genome.
    """
    from dnaspt.inference.variant_effects import AllelePair

    for written in alleles:
        here = alphabet.decode(alphabet.tokens(contig.codes[written.start : written.start + len(written.ref)]))
        fits = here == written.ref
        allele = normalize(written, contig.codes) if fits else written
        if not set(allele.ref + allele.alt + ("" if fits else here)) <= _BASES:
            skipped["unknown_bases"] += 1
        elif not fits:
            if strict:
                found = f"REF {written.ref[:20]} at {contig.name}:{written.start + 1}"
                expected = f"{here[:20] or 'a place on the contig'}, as the genome has it"
                raise InputError(vcf, found, expected=expected, do="is it the same assembly?")
            skipped["reference_mismatch"] += 1
        elif max(len(allele.ref), len(allele.alt)) > window_bp // 2:
            skipped["longer_than_half_the_window"] += 1
        elif alphabet.is_mostly_unknown(contig.codes[AllelePair.window(allele.start, window_bp)]):
            skipped["unknown_window"] += 1
        else:
            yield allele


def _scores(model: Model, contig: Contig, alleles: Sequence[Allele], window_bp: int) -> tuple[np.ndarray, np.ndarray]:
    """Cosine distances (n,), and log-likelihood ratios (n,) or changes of the K scored labels (n, K), both strands averaged."""
    from dnaspt.checkpoint import mask_token_of
    from dnaspt.inference.variant_effects import AllelePair, cosine_distances, label_changes, log_likelihood_ratios
    from dnaspt.models.language_model import LanguageModel

    pairs = []
    for allele in alleles:
        alt = alphabet.encode(allele.alt)
        pairs.append(AllelePair.of(contig.codes, allele.start, len(allele.ref), alt, window_bp))
    cosine = cosine_distances(model.network, pairs).mean(axis=1)
    if isinstance(model.network, LanguageModel):
        return cosine, log_likelihood_ratios(model.network, pairs, mask_token_of(model.config))
    if not _scored_labels(model):
        return cosine, np.zeros((len(pairs), 0))
    states = TASKS[model.task].states
    return cosine, label_changes(model.network, pairs, states.complement if states else None)


def _write(scored: ScoredAlleles, vcf: Path, out: Path) -> None:
    """Write the scores as Parquet, or as a copy of the VCF with fields in INFO."""
    if out.suffix == ".parquet":
        import pyarrow.parquet as pq

        with atomic_file(out) as unfinished, unfinished.open("wb") as file:
            pq.write_table(scored.table(), file)
        return

    def cosine(record: int, number: int) -> list[float] | None:
        key = AlleleKey(record, number)
        return [scored.cosine[key]] if key in scored.cosine else None

    def others(record: int, number: int) -> list[float] | None:
        key = AlleleKey(record, number)
        return scored.others[key].tolist() if key in scored.others else None

    fields: dict[InfoField, tuple[int, Values]] = {COSINE: (1, cosine)}
    if scored.has_llr:
        fields[LLR] = (1, others)
    elif scored.labels:
        fields[DELTA] = (len(scored.labels), others)
    write_info(vcf, out, fields, {"spt_labels": names_in_header(scored.labels)} if scored.labels else {})
