"""Whether an annotation belongs to a genome: lengths of contigs, and how introns begin and end."""

import logging
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from dnaspt.data.gene_labels import INTRON_MOTIFS
from dnaspt.errors import InputError
from dnaspt.genome.gff3 import Annotation

log = logging.getLogger(__name__)

_MIN_INTRONS, _USUAL_INTRONS = 20, 0.9
"""From so many introns on, so large a share has the usual ends where annotation and genome belong together."""


def check_assembly(
    read: Mapping[Path, Annotation], lengths: Mapping[str, int], counts: Counter[str], *, strict: bool
) -> None:
    """Say, or with `strict` refuse, that an annotation seems to be of another assembly.

    Args:
        read: annotations by file.
        lengths: of the contigs of the genome.
        counts: of introns by motif, see `label_genes`.
        strict: refuse.

    Raises:
        InputError: with `strict`: a `##sequence-region` of another length than its contig, or too few introns that begin
            and end as introns do.
    """
    found = [
        (path, f"##sequence-region of {name!r} ends at {end:,}; the contig has {lengths[name]:,} bp")
        for path, annotation in read.items()
        for name, end in annotation.lengths.items()
        if end != lengths.get(name, end)
    ]
    n_usual = sum(counts[name] for name in INTRON_MOTIFS.values())
    n_known = n_usual + counts["introns_other"]
    if n_known >= _MIN_INTRONS and n_usual < _USUAL_INTRONS * n_known:
        share = f"{n_usual:,} of {n_known:,} introns are GT-AG, GC-AG or AT-AC"
        found.append((next(iter(read)), f"{share}; expected {_USUAL_INTRONS:.0%} at least"))
    for path, what in found:
        do = "is it the annotation of this assembly?"
        if strict:
            raise InputError(path, what, do=do)
        log.warning("%s: %s; %s", path, what, do)
