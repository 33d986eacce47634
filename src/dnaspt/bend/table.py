"""BEND's tasks as data: where their files lie in the public share, and which genome they are on."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from dnaspt.errors import ConfigError

Kind = Literal["genes", "windows", "bins", "variants"]
"""What has labels: each base (genes), a window, each 128-bp bin of a window, or a variant."""


@dataclass(frozen=True, slots=True)
class BendTask:
    """One task of the benchmark.

    Attributes:
        name: name of the task in BEND's folders and on the command line.
        folder: folder of its files below the root.
        stem: name of its bed file, and of the HDF5 file with labels where they are too large for a column.
        genome: assembly, which the file name of the genome contains.
        n_labels: number of labels of a base, window or bin; 0 for variants, which are scored without training.
        kind: what has labels.
    """

    name: str
    folder: str
    stem: str
    genome: str
    n_labels: int
    kind: Kind


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
BEND_TASKS = MappingProxyType({task.name: task for task in _ROWS})
GENOMES = "data/genomes"
"""Folder of the reference genomes below the root."""


def find_task(name: str) -> BendTask:
    """The task of a name.

    Raises:
        ConfigError: BEND has no such task.
    """
    if name not in BEND_TASKS:
        raise ConfigError(f"no task of BEND is called {name!r}; known: {', '.join(BEND_TASKS)}")
    return BEND_TASKS[name]
