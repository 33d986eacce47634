"""BEND's tasks as data: where their files lie in the public share, and which genome they are on."""

from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class BendTask:
    """One task of the benchmark.

    Attributes:
        name: as BEND's folders and the command line call it.
        folder: of its files below the root.
        stem: of its bed file, and of the HDF5 file with labels where they are too large for a column.
        genome: what its reference's file name contains.
        n_labels: of a base, a window or a bin; 0 for variants, which are scored without training.
        kind: genes (a class per base), windows (labels of a window), bins (labels of 128-bp bins) or variants.
    """

    name: str
    folder: str
    stem: str
    genome: str
    n_labels: int
    kind: str


_ROWS = (
    BendTask("gene_finding", "data/gene_finding", "gene_finding", "GRCh38", 9, "genes"),
    BendTask(
        "chromatin_accessibility", "data/chromatin_accessibility", "chromatin_accessibility", "GRCh37", 125, "windows"
    ),
    BendTask("histone_modification", "data/histone_modification", "histone_modification", "GRCh38", 18, "windows"),
    BendTask("cpg_methylation", "data/cpg_methylation", "cpg_methylation", "GRCh38", 7, "windows"),
    BendTask("enhancer_annotation", "data/enhancer_annotation", "enhancer_annotation", "GRCh38", 1, "bins"),
    BendTask(
        "variant_effects_expression", "data/variant_effects", "variant_effects_expression", "GRCh38", 0, "variants"
    ),
    BendTask("variant_effects_disease", "data/variant_effects", "variant_effects_disease", "GRCh38", 0, "variants"),
)
BEND_TASKS = MappingProxyType({row.name: row for row in _ROWS})
GENOMES = "data/genomes"
"""Folder of the reference genomes."""
