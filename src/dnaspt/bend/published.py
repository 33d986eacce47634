"""Published numbers, as they were found in the sources that are named; nothing here was computed by us."""

from typing import NamedTuple


class ResultRow(NamedTuple):
    """A score of a model on a task, as a table shows it.

    Attributes:
        task: task of BEND, or another one that is close to it.
        metric: the metric.
        model: the model.
        value: the score, as it was published or with its interval.
        source: the publication, or our runs.
        note: what to know when comparing.
    """

    task: str
    metric: str
    model: str
    value: str
    source: str
    note: str


_SPT, _AGAIN = "arXiv 2506.17766", "arXiv 2610.11761, table 1"
_TIBERIUS = "Bioinformatics 40(12) btae685"
_END_TO_END = "fine-tuned end to end"
_FROZEN = "re-evaluation: frozen embeddings + CNN"
_WHOLE_GENOME = "whole genome, not BEND's loci"
_OTHER_SPECIES = "another genome and other test parts than BEND's"
_A_THALIANA = ("genes, A. thaliana", "CDS-base F1 / gene F1")
PUBLISHED = (
    ResultRow("gene_finding", "MCC", "SPT, softmax", "0.50", _SPT, _END_TO_END),
    ResultRow("gene_finding", "MCC", "SPT + CRF", "0.64", _SPT, f"{_END_TO_END}; scratch + CRF is not reported"),
    ResultRow("gene_finding", "MCC", "HyenaDNA", "0.33", _AGAIN, _FROZEN),
    ResultRow("gene_finding", "MCC", "DNABERT-2", "0.41", _AGAIN, _FROZEN),
    ResultRow("gene_finding", "MCC", "GENA-LM", "0.50", _AGAIN, _FROZEN),
    ResultRow("gene_finding", "MCC", "RAGenome", "0.60", _AGAIN, _FROZEN),
    ResultRow("gene_finding", "MCC", "NT-MS 2.5B", "0.66", _AGAIN, _FROZEN),
    ResultRow("gene_finding", "MCC", "Evo2 7B", "0.81", _AGAIN, _FROZEN),
    ResultRow("genes, human", "gene F1", "Tiberius", "62 %", _TIBERIUS, _WHOLE_GENOME),
    ResultRow("genes, human", "gene F1", "next best ab initio", "21 %", _TIBERIUS, _WHOLE_GENOME),
    ResultRow(*_A_THALIANA, "AUGUSTUS", "86.8/73.6", "ANNEVO README", _OTHER_SPECIES),
    ResultRow(*_A_THALIANA, "Helixer", "95.3/87.0", "ANNEVO README", _OTHER_SPECIES),
    ResultRow(*_A_THALIANA, "ANNEVO v2", "95.3/88.7", "ANNEVO README", _OTHER_SPECIES),
    ResultRow(
        "genes, C. elegans",
        "base, exon, gene Sn/Pr",
        "AUGUSTUS",
        "99.0/90.5, 92.5/80.2, 80.1/51.8",
        "AUGUSTUS accuracy page (nGASP)",
        _OTHER_SPECIES,
    ),
)
