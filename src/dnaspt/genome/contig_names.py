"""Contig names of a file against those of its genome: names must match, and are often those of another naming scheme."""

from collections.abc import Iterable, Set
from pathlib import Path

from dnaspt.errors import InputError


def check_contigs(path: Path, contigs: Iterable[str], genome: Path, present: Set[str], *, strict: bool) -> list[str]:
    """Find the contigs of a file that its genome does not have.

    Args:
        path: the file.
        contigs: contig names in the file.
        genome: FASTA or dataset folder that the error names.
        present: contig names of the genome.
        strict: whether a single absent contig is an error.

    Returns:
        The absent contigs, sorted.

    Raises:
        InputError: all contigs are absent, or, with `strict`, any of them.
    """
    contigs = set(contigs)
    absent = sorted(contigs - present)
    all_absent = len(absent) == len(contigs)
    if absent and (strict or all_absent):
        found = f"contig {absent[0]!r} has no record in {genome} ({len(absent)} of {len(contigs)} contigs have none)"
        without_chr = {name.removeprefix("chr") for name in contigs} & {name.removeprefix("chr") for name in present}
        differ_in_chr = without_chr and all_absent
        do = (
            "the names differ only in 'chr': rename one side"
            if differ_in_chr
            else "is it the genome of these intervals?"
        )
        raise InputError(path, found, expected=f"names such as {min(present)!r}", do=do)
    return absent
