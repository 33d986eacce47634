"""Published numbers, as they were found in the sources that are named; nothing here was computed by us."""

from typing import NamedTuple


class Published(NamedTuple):
    """A row: of which task and metric, the model, the value as published, its source, and what to know when comparing."""

    task: str
    metric: str
    model: str
    value: str
    source: str
    note: str


_SPT, _AGAIN = "arXiv 2506.17766", "arXiv 2610.11761, table 1"
_END_TO_END = "fine-tuned end to end"
_FROZEN = "re-evaluation: frozen embeddings + CNN"
_OTHER_SPECIES = "another genome and other test parts than BEND's"
PUBLISHED = (
    Published("gene_finding", "MCC", "SPT, softmax", "0.50", _SPT, _END_TO_END),
    Published("gene_finding", "MCC", "SPT + CRF", "0.64", _SPT, f"{_END_TO_END}; scratch + CRF is not reported"),
    Published("gene_finding", "MCC", "HyenaDNA", "0.33", _AGAIN, _FROZEN),
    Published("gene_finding", "MCC", "DNABERT-2", "0.41", _AGAIN, _FROZEN),
    Published("gene_finding", "MCC", "GENA-LM", "0.50", _AGAIN, _FROZEN),
    Published("gene_finding", "MCC", "RAGenome", "0.60", _AGAIN, _FROZEN),
    Published("gene_finding", "MCC", "NT-MS 2.5B", "0.66", _AGAIN, _FROZEN),
    Published("gene_finding", "MCC", "Evo2 7B", "0.81", _AGAIN, _FROZEN),
    Published(
        "genes, human", "gene F1", "Tiberius", "62 %", "Bioinformatics 40(12) btae685", "whole genome, not BEND's loci"
    ),
    Published(
        "genes, human",
        "gene F1",
        "next best ab initio",
        "21 %",
        "Bioinformatics 40(12) btae685",
        "whole genome, not BEND's loci",
    ),
    Published("genes, A. thaliana", "CDS-base F1 / gene F1", "AUGUSTUS", "86.8/73.6", "ANNEVO README", _OTHER_SPECIES),
    Published("genes, A. thaliana", "CDS-base F1 / gene F1", "Helixer", "95.3/87.0", "ANNEVO README", _OTHER_SPECIES),
    Published("genes, A. thaliana", "CDS-base F1 / gene F1", "ANNEVO v2", "95.3/88.7", "ANNEVO README", _OTHER_SPECIES),
    Published(
        "genes, C. elegans",
        "base, exon, gene Sn/Pr",
        "AUGUSTUS",
        "99.0/90.5, 92.5/80.2, 80.1/51.8",
        "AUGUSTUS accuracy page (nGASP)",
        _OTHER_SPECIES,
    ),
)
