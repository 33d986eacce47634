"""BEND's variant effects (bed with alt and label) to a dataset of windows around variants, scored without training."""

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa

from dnaspt.data.dataset import Window
from dnaspt.errors import InputError
from dnaspt.genome import alphabet
from dnaspt.genome.bed import rows_by_value
from dnaspt.genome.columns import Column, find_header, read_columns
from dnaspt.genome.contig_names import check_contigs
from dnaspt.genome.fasta import read_fasta
from dnaspt.prepare.writer import DatasetWriter

CONTEXT_BP = 256
"""On either side of a variant, as BEND's."""
SCHEMA = pa.schema([("chrom", pa.string()), ("pos", pa.int64()), ("ref", pa.string()), ("alt", pa.string())])
_NEEDED = ("start", "end", "alt", "label")


def write_variants(
    writer: DatasetWriter, bed: Path, genome: Path, table: str, *, strict: bool = False
) -> tuple[Counter[str], Counter[str]]:
    """Write a window for each variant to the test split, and the table `table` of alleles; counts of what was seen and dropped.

    Raises:
        InputError: a column is missing, an alternative that is no letter, a label other than 0 and 1, a place off its contig.
    """
    header = find_header(bed)
    missing = [column for column in _NEEDED if header is None or column not in header.names]
    if header is None or missing:
        raise InputError(bed, f"no column {', '.join(missing)}", expected="chromosome, start, end, alt, label", line=1)
    has_ref = "ref" in header.names
    kinds = {"chrom": str, "start": int, "end": int, "label": int, "alt": str} | ({"ref": str} if has_ref else {})
    columns = [Column(column, header.names.index(column), kind) for column, kind in kinds.items()]
    frames = list(read_columns(bed, columns, header))
    found = {name: np.concatenate([np.asarray(frame[name]) for frame in frames]) for name in (*kinds, "line")}
    _check(bed, found)
    rows_by_contig = rows_by_value(found["chrom"])
    counts, dropped, present = Counter[str](), Counter[str](), set()
    alleles: dict[str, list[object]] = {column: [] for column in SCHEMA.names}
    for contig in read_fasta(genome):
        present.add(contig.name)
        for row in rows_by_contig.get(contig.name, np.zeros(0, np.int64)).tolist():
            at = int(found["start"][row])
            if at >= len(contig):
                line = int(found["line"][row])
                raise InputError(
                    bed, f"{contig.name}:{at} is off the contig", expected=f"at most {len(contig)} bp", line=line
                )
            here = alphabet.decode(alphabet.tokens(contig.codes[at : at + 1]))
            if has_ref and str(found["ref"][row]).upper() != here:
                if strict:
                    line = int(found["line"][row])
                    raise InputError(
                        bed, f"ref {found['ref'][row]}", expected=f"{here}, as the genome has it", line=line
                    )
                dropped["reference_mismatch"] += 1
                continue
            if here == "N":
                dropped["unknown_bases"] += 1
                continue
            start, end = max(0, at - CONTEXT_BP), min(len(contig), at + CONTEXT_BP + 1)
            label = np.array([found["label"][row]], dtype=np.int8)
            writer.add("test", Window(contig.name, start, end, ".", contig.codes[start:end].copy(), label))
            for column, value in zip(
                SCHEMA.names, (contig.name, at, here, str(found["alt"][row]).upper()), strict=True
            ):
                alleles[column].append(value)
            counts["variants"] += 1
            counts["with_effect"] += int(label[0])
    for contig_name in check_contigs(bed, rows_by_contig, genome, present, strict=strict):
        dropped["contig_not_in_genome"] += len(rows_by_contig[contig_name])
    writer.add_table(table, pa.table(alleles, schema=SCHEMA))
    return counts, dropped


def _check(bed: Path, found: dict[str, np.ndarray]) -> None:
    is_letter = np.array([str(alt).upper() in ("A", "C", "G", "T") for alt in found["alt"]])
    is_single = found["end"] - found["start"] == 1
    is_label = np.isin(found["label"], (0, 1))
    checks = (
        (is_letter, "alt", "one of A, C, G, T"),
        (is_single, "end", "start + 1: one base"),
        (is_label, "label", "0 or 1"),
        (found["start"] >= 0, "start", "0 or more"),
    )
    for sound, column, expected in checks:
        if not sound.all():
            row = int(np.argmax(~sound))
            raise InputError(bed, f"{column} {found[column][row]}", expected=expected, line=int(found["line"][row]))
