"""VCF and genome to scored variants: VCF with fields in INFO, or Parquet; contig by contig."""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dnaspt.atomic import publish_file
from dnaspt.checkpoint import Accelerator, CheckpointConfig, choose_device, load_model, mask_token_of
from dnaspt.errors import ConfigError, InputError
from dnaspt.genome import alphabet
from dnaspt.genome.contig_names import check_contigs
from dnaspt.genome.fasta import Contig, read_fasta
from dnaspt.genome.vcf import Allele, Alleles, Info, Values, read_alleles, write_info
from dnaspt.inference.variant_effects import Sides, check_scores, cosine_distances, label_changes, log_likelihood_ratios
from dnaspt.models.language_model import LanguageModel
from dnaspt.models.task_model import TaskModel
from dnaspt.tasks import TASKS

log = logging.getLogger(__name__)

WINDOW_BP = 512
"""Of a language model, as BEND's."""
_AT_ONCE = 1024

COSINE = Info("SPT_COSINE", "A", "1 - cos of the hidden states at the allele, mean of both strands")
LLR = Info(
    "SPT_LLR", "A", "log-likelihood ratio of the allele under the masked language model, nats, mean of both strands"
)
DELTA = Info("SPT_DELTA", ".", "change of each label of spt_labels, for each allele in turn, mean of both strands")


@dataclass(slots=True)
class VariantSummary:
    """What was scored and what was not, and why."""

    records: int = 0
    scored: int = 0
    not_scored: dict[str, int] = field(default_factory=dict)


def score_file(
    run: Path,
    vcf: Path,
    genome: Path,
    out: Path,
    *,
    window_bp: int | None = None,
    strict: bool = False,
    accelerator: Accelerator = "auto",
) -> VariantSummary:
    """Score every alternative allele of a VCF: of a language model cosine and llr, of a fine-tuned model cosine and delta.

    Not scored, and counted: alleles without letters, of contigs that the genome lacks, with an N, longer than half the window, or
    whose REF is not what the genome has there.

    Args:
        run: run or checkpoint of `pretrain` or `finetune`.
        vcf: VCF, plain, gzip or bgzip.
        genome: FASTA.
        out: .vcf, .vcf.gz or .parquet; appears whole or not at all.
        window_bp: letters around an allele that a model sees; left out, those of a fine-tuned model's windows, else 512.
        strict: a REF that differs from the genome is an error.
        accelerator: auto takes a GPU where there is one.

    Raises:
        InputError: a file that cannot be used; with `strict`, a REF that differs. CheckpointError: no model.
        ConfigError: a suffix, window or accelerator that does not fit.
    """
    if not out.name.endswith((".vcf", ".vcf.gz", ".vcf.bgz", ".parquet")):
        raise ConfigError(f"{out}: expected a name that ends in .vcf, .vcf.gz or .parquet")
    if not out.parent.is_dir():
        raise InputError(out.parent, "no such folder", do="make it first")
    device = choose_device(accelerator)
    model, config = load_model(run)
    check_scores(run, model)
    model = model.to(device)
    window_bp = window_bp or _window_bp(config)
    if window_bp < 2 * 32:
        raise ConfigError(f"window_bp {window_bp}; expected 64 or more")
    alleles = read_alleles(vcf)
    skipped = Counter(alleles.skipped)
    found: dict[tuple[int, int], tuple[np.ndarray, ...]] = {}
    present = set()
    for contig in read_fasta(genome):
        present.add(contig.name)
        known = list(_fitting(contig, alleles.by_contig.get(contig.name, []), vcf, window_bp, skipped, strict=strict))
        for first in range(0, len(known), _AT_ONCE):
            some = known[first : first + _AT_ONCE]
            sides = [_sides(contig, allele, window_bp) for allele in some]
            for allele, *values in zip(some, *_scores(model, config, sides), strict=True):
                found[allele.record, allele.place] = tuple(np.atleast_1d(value) for value in values)
    absent = check_contigs(vcf, alleles.by_contig, genome, present, strict=strict) if alleles.by_contig else []
    skipped["contig_not_in_genome"] += sum(len(alleles.by_contig[name]) for name in absent)
    scored = _Scored(alleles, config.labels, found)
    if out.suffix == ".parquet":
        _write_parquet(out, scored)
    else:
        _write_vcf(vcf, out, scored)
    if n_other := skipped["reference_mismatch"]:
        log.warning("%s: REF of %d alleles is not what %s has; is it the same assembly?", vcf, n_other, genome)
    return VariantSummary(alleles.n_records, len(found), {reason: n for reason, n in skipped.items() if n})


def _window_bp(config: CheckpointConfig) -> int:
    is_windows = config.kind == "task" and not TASKS[config.task].resolution_bp
    return config.window_bp if is_windows else WINDOW_BP


def _fitting(
    contig: Contig, alleles: Sequence[Allele], vcf: Path, window_bp: int, skipped: Counter[str], *, strict: bool
) -> Iterator[Allele]:
    """The alleles of a contig that can be scored; the others are counted.

    Raises:
        InputError: with `strict`, a REF that differs from the genome.
    """
    for allele in alleles:
        here = alphabet.decode(alphabet.tokens(contig.codes[allele.start : allele.start + len(allele.ref)]))
        if max(len(allele.ref), len(allele.alt)) > window_bp // 2:
            skipped["longer_than_half_the_window"] += 1
        elif "N" in allele.ref + allele.alt + here:
            skipped["unknown_bases"] += 1
        elif here != allele.ref:
            if strict:
                found = f"REF {allele.ref[:20]} at {contig.name}:{allele.start + 1}"
                do = "is it the same assembly?"
                raise InputError(
                    vcf, found, expected=f"{here[:20] or 'a place on the contig'}, as the genome has it", do=do
                )
            skipped["reference_mismatch"] += 1
        else:
            yield allele


def _sides(contig: Contig, allele: Allele, window_bp: int) -> Sides:
    alt = alphabet.encode(allele.alt)
    return Sides.of(contig.codes, allele.start, len(allele.ref), alt, window_bp)


def _scores(
    model: LanguageModel | TaskModel, config: CheckpointConfig, sides: Sequence[Sides]
) -> tuple[np.ndarray, np.ndarray]:
    cosine = cosine_distances(model, sides).mean(axis=1)
    if isinstance(model, LanguageModel):
        return cosine, log_likelihood_ratios(model, sides, mask_token_of(config))
    states = TASKS[config.task].states
    return cosine, label_changes(model, sides, states.complement if states else None)


class _Scored(NamedTuple):
    """Alleles, names of the labels (none for a language model), and by record and place the cosine and the other scores."""

    alleles: Alleles
    labels: tuple[str, ...]
    found: dict[tuple[int, int], tuple[np.ndarray, ...]]


def _write_vcf(vcf: Path, out: Path, scored: _Scored) -> None:
    found, labels = scored.found, scored.labels

    def numbers(index: int) -> Values:
        return lambda record, place: found[record, place][index].tolist() if (record, place) in found else None

    fields = {COSINE: (1, numbers(0)), (DELTA if labels else LLR): (max(1, len(labels)), numbers(1))}
    write_info(vcf, out, fields, {"spt_labels": ",".join(labels)} if labels else {})


def _write_parquet(out: Path, scored: _Scored) -> None:
    """A row for each allele with letters, in the order of the file: chrom, pos (1-based), ref, alt, and the scores."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = sorted(
        (allele.record, allele.place, name, allele) for name, own in scored.alleles.by_contig.items() for allele in own
    )
    columns: dict[str, list[object]] = {
        "chrom": [name for _, _, name, _ in rows],
        "pos": [allele.start + 1 for *_, allele in rows],
        "ref": [allele.ref for *_, allele in rows],
        "alt": [allele.alt for *_, allele in rows],
    }
    names = ["cosine", *(f"delta {label}" for label in scored.labels)] if scored.labels else ["cosine", "llr"]
    for index, name in enumerate(names):
        scores = (scored.found.get((record, place)) for record, place, *_ in rows)
        columns[name] = [None if own is None else float(np.concatenate(own)[index]) for own in scores]
    with publish_file(out) as unfinished, unfinished.open("wb") as file:
        pq.write_table(pa.table(columns), file)
