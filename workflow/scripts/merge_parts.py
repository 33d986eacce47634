"""Predictions of groups of contigs to one file: GFF3, GTF, BED and FASTA one below the other, Parquet by rows.

The lines that begin with # at the head of a GFF3 or GTF file are written once. They must be the same in all parts: else the parts
are of different genomes, models or options.
"""

import itertools
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from dnaspt.atomic import atomic_file
from dnaspt.errors import InputError

_COMMENTED = (".gff3", ".gtf")


def merge_parts(parts: Sequence[Path], out: Path) -> None:
    """Write the parts into one file, in their order; it appears whole or not at all.

    Raises:
        InputError: parts with other head lines, or other columns, than the first.
    """
    with atomic_file(out) as unfinished:
        if out.suffix == ".parquet":
            _merge_tables(parts, unfinished)
        else:
            _merge_text(parts, unfinished, has_head=out.suffix in _COMMENTED)


def _merge_text(parts: Sequence[Path], out: Path, *, has_head: bool) -> None:
    """Write text files one below the other."""
    first: list[bytes] = []
    with out.open("wb") as merged:
        for number, part in enumerate(parts):
            with part.open("rb") as file:
                head = _head(file) if has_head else []
                if not number:
                    first = head
                    merged.writelines(head)
                elif head != first:
                    raise _of_another(part, parts[0], "head lines")
                shutil.copyfileobj(file, merged)


def _head(file: BinaryIO) -> list[bytes]:
    """The lines that begin with # at the beginning of a file, which is left behind them."""
    head = list(itertools.takewhile(lambda line: line.startswith(b"#"), iter(file.readline, b"")))
    file.seek(sum(map(len, head)))
    return head


def _merge_tables(parts: Sequence[Path], out: Path) -> None:
    """Write Parquet files one below the other, a row group at a time."""
    import pyarrow.parquet as pq

    schema = pq.read_schema(parts[0])
    with out.open("wb") as merged, pq.ParquetWriter(merged, schema, compression="zstd") as writer:
        for part in parts:
            with pq.ParquetFile(part) as table:
                if not table.schema_arrow.equals(schema):
                    raise _of_another(part, parts[0], "columns")
                for group in range(table.num_row_groups):
                    writer.write_table(table.read_row_group(group))


def _of_another(part: Path, first: Path, what: str) -> InputError:
    do = "was the model or the configuration changed in between? remove both, and predict again"
    return InputError(part, f"has other {what} than {first}", do=do)


if __name__ == "__main__":
    from snakemake.script import snakemake

    merge_parts([Path(part) for part in snakemake.input], Path(snakemake.output[0]))
