"""Tasks as data: one row for each task, and the states of gene structure with the moves that are legal between them.

A task is a row, never a class or a branch. Kernels, heads and decoding take a `StateTable` and do not know what a state means.
"""

from dataclasses import dataclass
from types import MappingProxyType

from dnaspt.genome.gene_states import GENE_STATES, StateTable

GENE_MODEL = "gene-model"
"""Whole genes from sensors, an encoder's site scores, and lengths."""
FREE_CRF = "crf-unconstrained"
"""A CRF in which any class may follow any other, as in the paper: for comparisons, not for use."""


@dataclass(frozen=True, slots=True)
class Task:
    """What a dataset asks of a model.

    Attributes:
        name: name in the manifest.
        labels: names of the labels; empty if each dataset has its own.
        resolution_bp: bases for each label: 1 for a class of each base, more for bins, 0 for whole windows.
        heads: names of the heads that fit, the usual one first; empty if nothing is trained.
        metric: name of the primary metric. Higher is better.
        states: the states of a linear chain, for classes of each base.
        on_cpgs: whether each window lies on a CpG; elsewhere the task asks nothing.
        few_labels: whether the paper's claim on a quarter of the labels (P4) is about this task.
        any_length: whether each sequence has a length of its own, and no place in a genome.
        one_of: whether each window has one of the labels, its class; else each label is true or false by itself.
        numbers: whether labels are numbers to predict (regression).
    """

    name: str
    labels: tuple[str, ...]
    resolution_bp: int
    heads: tuple[str, ...]
    metric: str
    states: StateTable | None = None
    on_cpgs: bool = False
    few_labels: bool = False
    any_length: bool = False
    one_of: bool = False
    numbers: bool = False

    @property
    def per_base(self) -> bool:
        """Whether each base has a class."""
        return self.resolution_bp == 1

    @property
    def is_binary(self) -> bool:
        """Whether each label of a window is true or false by itself."""
        return not self.per_base and not self.one_of and not self.numbers

    @property
    def has(self) -> str:
        """What the labels are, for messages."""
        return (
            "classes"
            if self.one_of or self.per_base
            else "numbers"
            if self.numbers
            else "labels that are true or false"
        )

    @property
    def drawn(self) -> str:
        """What intervals resample, in words."""
        return "sequences" if self.any_length else "blocks of about 10 kb"

    def chosen_by(self, setting: str) -> str:
        """Name of the score on valid by which checkpoints and learning rates are chosen; setting: `choose_by` of `finetune`."""
        return f"valid_{self.metric if setting == 'auto' else setting}"


TASKS = MappingProxyType(
    {
        task.name: task
        for task in (
            Task("genes", GENE_STATES.names, 1, (GENE_MODEL, "crf", "softmax", FREE_CRF), "mcc", GENE_STATES),
            Task("regions", (), 0, ("sigmoid",), "auroc"),
            Task("methylation", (), 0, ("sigmoid",), "auroc", on_cpgs=True, few_labels=True),
            Task("sequences", (), 0, ("sigmoid",), "auroc", any_length=True),
            Task("classes", (), 0, ("softmax",), "auroc", any_length=True, one_of=True),
            Task("values", (), 0, ("mse", "poisson"), "pearson", any_length=True, numbers=True),
            Task("signal", (), 0, ("mse", "poisson"), "pearson", numbers=True),
            Task("enhancers", ("enhancer",), 128, ("sigmoid",), "auprc"),
            Task("variants", ("effect",), 0, (), "auroc"),
            Task("unlabeled", (), 0, (), ""),
        )
    }
)
