"""A dataset of genes whose labels and transcripts leave the stop codon out of the CDS, as those of BEND do."""

from pathlib import Path

import numpy as np

from dnaspt.data.dataset import Window, read_split
from dnaspt.data.manifest import read_manifest
from dnaspt.data.segments import segments
from dnaspt.data.transcript_table import TRANSCRIPTS, ReferenceTranscript, read_transcripts, transcript_table
from dnaspt.genome.gene_states import MISSING, label_contig
from dnaspt.genome.genetic_code import STANDARD
from dnaspt.genome.stop_in_cds import without_stop_codon
from dnaspt.genome.transcripts import moved
from dnaspt.prepare.writer import DatasetWriter

SPLITS = ("train", "valid", "test")


def without_stop_codons(data: Path, out: Path) -> Path:
    """Copy a dataset of genes without overlaps; the labels are those of its transcripts without their stop codons."""
    references = []
    with DatasetWriter(out) as writer:
        for split in SPLITS:
            transcripts = read_transcripts(data, split)
            for segment in segments(read_split(data, split)):
                own = []
                for transcript, is_longest in transcripts:
                    if transcript.chrom == segment.chrom and segment.start <= transcript.start < segment.end:
                        inside = moved(transcript, -segment.start)
                        bare = without_stop_codon(inside, segment.codes, STANDARD)
                        assert bare.cds_bp == inside.cds_bp - 3
                        references.append(ReferenceTranscript(moved(bare, segment.start), split, is_longest))
                        own += [bare] if is_longest else []
                labels, _ = label_contig(own, segment.codes)
                labels[segment.labels == MISSING] = MISSING
                step = 1024
                for first in range(0, len(labels), step):
                    part = slice(first, min(first + step, len(labels)))
                    start, end = segment.start + part.start, segment.start + part.stop
                    writer.add(split, Window(segment.chrom, start, end, "+", segment.codes[part], labels[part]))
        writer.add_table(TRANSCRIPTS, transcript_table(references))
        manifest = read_manifest(data).model_copy(update={"stop_in_cds": False})
        writer.finish(manifest)
    return out


def n_coding(data: Path) -> int:
    """Coding bases of the train split."""
    return int(np.isin(read_split(data, "train").labels, (0, 4)).sum())
