"""A FASTA file to groups of contigs: a BED file each, 0000.bed and so on, in the order of the FASTA file.

Contigs that follow each other share a group up to its size; a longer contig is a group of its own. A group of short scaffolds
alone would be small, and might hold no window to predict: it joins its neighbor. The predictions of all groups, one below the
other, are those of the whole file.
"""

from collections.abc import Iterable
from pathlib import Path

from dnaspt.atomic import atomic_folder
from dnaspt.genome.fasta import contig_lengths

Group = list[tuple[str, int]]
"""Contigs: name, bp."""
_MB = 1_000_000
_LEAST_SHARE = 0.1
"""A group of fewer bases than this share of its size joins its neighbor."""


def contig_groups(lengths: Iterable[tuple[str, int]], group_bp: float) -> list[Group]:
    """Contigs (name, bp) in groups of about `group_bp` bases at most, in their order; a longer contig has a group of its own."""
    groups: list[Group] = []
    room_bp = 0.0
    for name, length in lengths:
        if not groups or length > room_bp:
            groups.append([])
            room_bp = group_bp
        groups[-1].append((name, length))
        room_bp -= length
    joined: list[Group] = []
    for group in groups:
        if joined and min(_size_bp(group), _size_bp(joined[-1])) < _LEAST_SHARE * group_bp:
            joined[-1] += group
        else:
            joined.append(group)
    return joined


def _size_bp(group: Group) -> int:
    return sum(length for _, length in group)


def write_groups(groups: list[Group], out: Path) -> None:
    """Write the BED files into a folder, which appears whole or not at all."""
    digits = max(4, len(str(len(groups) - 1)))  # so that the names sort
    with atomic_folder(out) as folder:
        for number, group in enumerate(groups):
            rows = "".join(f"{name}\t0\t{length}\n" for name, length in group)
            (folder / f"{number:0{digits}}.bed").write_text(rows, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    from snakemake.script import snakemake

    lengths = contig_lengths(snakemake.input[0]).items()
    write_groups(contig_groups(lengths, snakemake.params.group_mb * _MB), Path(snakemake.output[0]))
