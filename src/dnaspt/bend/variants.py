"""BEND's variant effects (bed with alt and label) to a dataset of windows around variants, scored without training."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dnaspt.data.dataset import Window
from dnaspt.errors import InputError
from dnaspt.genome import alphabet
from dnaspt.genome.bed import rows_by_value
from dnaspt.genome.columns import Column, find_header, read_columns
from dnaspt.genome.contig_names import check_contigs
from dnaspt.genome.fasta import Contig, read_fasta
from dnaspt.prepare.writer import DatasetWriter

if TYPE_CHECKING:
    import pyarrow as pa

CONTEXT_BP = 256
"""Bases on either side of a variant that a window holds, as in BEND."""
_NEEDED = ("start", "end", "alt", "label")


@dataclass(frozen=True, slots=True)
class VariantTable:
    """Rows of BEND's table of variants; each column has an item for each row.

    Attributes:
        path: the file.
        chrom: name of the contig.
        start: position, 0-based.
        ref: reference base as the table has it; None where it has no such column.
        alt: alternative base, in capitals.
        label: 1 where the variant has an effect.
        line: 1-based line of the file.
    """

    path: Path
    chrom: np.ndarray
    start: np.ndarray
    ref: np.ndarray | None
    alt: np.ndarray
    label: np.ndarray
    line: np.ndarray


class Allele(NamedTuple):
    """A variant that is kept: its contig, its 0-based position, and its two bases."""

    chrom: str
    pos: int
    ref: str
    alt: str


class WrittenVariants(NamedTuple):
    """What `write_variants` wrote, and what it left out by reason."""

    counts: Counter[str]
    dropped: Counter[str]


def write_variants(
    writer: DatasetWriter, bed: Path, genome: Path, table_name: str, *, strict: bool = False
) -> WrittenVariants:
    """Write a window for each variant into the test split, and a table of their alleles.

    Args:
        writer: of the dataset.
        bed: BEND's table.
        genome: FASTA.
        table_name: name of the table of alleles.
        strict: a REF that differs from the genome, and a contig that it does not have, are errors.

    Raises:
        InputError: a column is missing, an alternative that is no base, a label other than 0 and 1, a position off its contig.
    """
    variants = read_variant_table(bed)
    rows_by_contig = rows_by_value(variants.chrom)
    counts, dropped, present = Counter[str](), Counter[str](), set()
    alleles: list[Allele] = []
    for contig in read_fasta(genome):
        present.add(contig.name)
        rows = rows_by_contig.get(contig.name, np.zeros(0, np.int64))
        for row, allele in _alleles(variants, contig, rows, dropped, strict=strict):
            label = variants.label[row : row + 1].astype(np.int8)
            start, end = max(0, allele.pos - CONTEXT_BP), min(len(contig), allele.pos + CONTEXT_BP + 1)
            writer.add("test", Window(contig.name, start, end, ".", contig.codes[start:end].copy(), label))
            alleles.append(allele)
            counts["variants"] += 1
            counts["with_effect"] += int(label[0])
    for contig_name in check_contigs(bed, rows_by_contig, genome, present, strict=strict):
        dropped["contig_not_in_genome"] += len(rows_by_contig[contig_name])
    writer.add_table(table_name, _allele_table(alleles))
    return WrittenVariants(counts, dropped)


def _alleles(
    variants: VariantTable, contig: Contig, rows: np.ndarray, dropped: Counter[str], *, strict: bool
) -> Iterator[tuple[int, Allele]]:
    """Rows on a contig, by number, whose reference base is known and is that of the genome; others are counted.

    Raises:
        InputError: a position off the contig; with `strict`, another reference base than the genome's.
    """
    for row in rows.tolist():
        pos, line = int(variants.start[row]), int(variants.line[row])
        if pos >= len(contig):
            found = f"{contig.name}:{pos} is off the contig"
            raise InputError(variants.path, found, expected=f"at most {len(contig)} bp", line=line)
        base = alphabet.decode(alphabet.tokens(contig.codes[pos : pos + 1]))
        ref = base if variants.ref is None else str(variants.ref[row])
        if ref.upper() != base:
            if strict:
                raise InputError(variants.path, f"ref {ref}", expected=f"{base}, as the genome has it", line=line)
            dropped["reference_mismatch"] += 1
        elif base == "N":
            dropped["unknown_bases"] += 1
        else:
            yield row, Allele(contig.name, pos, base, str(variants.alt[row]))


def read_variant_table(bed: Path) -> VariantTable:
    """Read BEND's table of variants.

    Raises:
        InputError: a column is missing, or a value is none that a variant has.
    """
    header = find_header(bed)
    missing = [column for column in _NEEDED if header is None or column not in header.names]
    if header is None or missing:
        raise InputError(bed, f"no column {', '.join(missing)}", expected="chromosome, start, end, alt, label", line=1)
    kinds = {"chrom": str, "start": int, "end": int, "label": int, "alt": str}
    kinds |= {"ref": str} if "ref" in header.names else {}
    columns = [Column(name, header.names.index(name), kind) for name, kind in kinds.items()]
    frames = list(read_columns(bed, columns, header))
    values = {name: np.concatenate([np.asarray(frame[name]) for frame in frames]) for name in (*kinds, "line")}
    _check_values(bed, values)
    alt = np.array([str(letter).upper() for letter in values["alt"]])
    line, label = values["line"], values["label"]
    return VariantTable(bed, values["chrom"], values["start"], values.get("ref"), alt, label, line)


def _check_values(bed: Path, values: dict[str, np.ndarray]) -> None:
    """Refuse values that no variant of BEND has.

    Raises:
        InputError: names the first, with its line.
    """
    is_base = np.array([str(alt).upper() in ("A", "C", "G", "T") for alt in values["alt"]])
    for is_valid, column, expected in (
        (is_base, "alt", "one of A, C, G, T"),
        (values["end"] - values["start"] == 1, "end", "start + 1: one base"),
        (np.isin(values["label"], (0, 1)), "label", "0 or 1"),
        (values["start"] >= 0, "start", "0 or more"),
    ):
        if not is_valid.all():
            row = int(np.argmax(~is_valid))
            raise InputError(bed, f"{column} {values[column][row]}", expected=expected, line=int(values["line"][row]))


def _allele_table(alleles: list[Allele]) -> "pa.Table":
    import pyarrow as pa

    types = {"chrom": pa.string(), "pos": pa.int64(), "ref": pa.string(), "alt": pa.string()}
    columns = [[allele[index] for allele in alleles] for index in range(len(types))]
    arrays = [pa.array(column, kind) for column, kind in zip(columns, types.values(), strict=True)]
    return pa.Table.from_arrays(arrays, schema=pa.schema(list(types.items())))
