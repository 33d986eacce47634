"""The head of gene models: hidden states to site scores, and sensors, site scores and lengths to whole genes.

Nothing of it is trained by gradients: `training/fit_gene_model.py` estimates it. All that is estimated are buffers of the
module, so that it lies in the checkpoint's safetensors.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from functools import cache

import numpy as np
import torch
from torch import Tensor, nn

from dnaspt.errors import ConfigError
from dnaspt.genome import alphabet
from dnaspt.genome.gene_states import CDS, GENE_STATES, INTRON, MINUS, NONCODING
from dnaspt.genome.genetic_code import STANDARD, GeneticCode
from dnaspt.models.batch import Batch, Loss
from dnaspt.models.decoding import Decoded, DecodingContext, GenePosterior, GeneRules
from dnaspt.models.gene_model import (
    WEIGHT_NAMES,
    GeneCall,
    GeneModel,
    Shares,
    class_columns,
    classes_of,
    genes_of,
    posteriors_of,
)
from dnaspt.models.gene_structure import INTERGENIC
from dnaspt.models.kernels.crf_viterbi import Emissions
from dnaspt.models.kernels.semi_markov import BestPath, Potentials, best_path, site_probabilities, sum_paths
from dnaspt.models.kernels.threads import inherit_flush_to_zero
from dnaspt.models.length_densities import (
    EXPLICIT_EXON_BP,
    EXPLICIT_INTRON_BP,
    GeneLengths,
    LengthDensity,
)
from dnaspt.models.sensors import Sensors
from dnaspt.models.shared_potentials import SharedPotentials
from dnaspt.models.site_scores import N_SITES, SiteProbe

_PARTS = ("intron", "single", "initial", "internal", "terminal")
_SHARES = ("log_single", "log_multi", "log_internal", "log_terminal", "log_gene", "log_stay")


RULES = GeneRules(
    codon_bases=np.array([-1, *(0, 1, 2) * 4, *(0, 1, 2) * 4], np.int8),
    starts=np.array([False, *([False] * 3 + [True] * 3 + [False] * 6) * 2]),
    stops=np.array([False, *([False] * 6 + [True] * 3 + [False] * 3) * 2]),
    classes=np.array([NONCODING, *[CDS] * 9, *[INTRON] * 3, *[CDS + MINUS] * 9, *[INTRON + MINUS] * 3], np.int8),
)
"""States of a decoded base: 0 between genes; then for each strand, by codon base in the direction of transcription, 3 of
ordinary codons, 3 of the start codon, 3 of the stop codon, and 3 of introns, by the codon base that follows."""
_OF_STRAND, _START, _STOP, _INTRON = 12, 3, 6, 9


class GeneModelHead(nn.Module):
    """Whole genes from sensors, site scores and lengths, by a semi-Markov CRF.

    Args:
        hidden_size: D, channels of the encoder.
        n_offsets: positions around a candidate site at which hidden states are read.
        genetic_code: which codons start and stop a gene.
        stop_in_cds: whether the stop codon has class CDS where the context does not say.
        has_network: whether its emissions are (L, 17): site scores, and behind them the nine class scores of a network.
    """

    emission_complement: tuple[int, ...] = (4, 5, 6, 7, 0, 1, 2, 3)
    """For each column of the emissions that of the other strand."""

    def __init__(
        self,
        hidden_size: int,
        n_offsets: int,
        genetic_code: GeneticCode = STANDARD,
        *,
        stop_in_cds: bool = True,
        has_network: bool = False,
    ) -> None:
        super().__init__()
        self._model: GeneModel | None = None
        self.register_load_state_dict_post_hook(self._forget)  # type: ignore[no-untyped-call]
        self.trunk = SiteProbe(hidden_size, n_offsets)
        self.genetic_code = genetic_code
        self.stop_in_cds = stop_in_cds
        for name, array in Sensors.zero().arrays().items():
            self.register_buffer(f"sensors_{name}", torch.from_numpy(array.copy()))
        for part in _PARTS:
            longest = EXPLICIT_INTRON_BP if part == "intron" else EXPLICIT_EXON_BP
            self.register_buffer(f"length_{part}", torch.zeros(longest + 1, dtype=torch.float64))
        self.register_buffer("length_tails", torch.zeros(len(_PARTS), 2, dtype=torch.float64))
        self.register_buffer("gene_shares", torch.zeros(len(_SHARES), dtype=torch.float64))
        self.register_buffer("base_shares", torch.ones(3, dtype=torch.float64) / 3)
        self.register_buffer("weights", torch.zeros(len(WEIGHT_NAMES), dtype=torch.float64))
        self.has_network = has_network
        if has_network:
            self.register_buffer("network_weight", torch.zeros((), dtype=torch.float64))
            self.register_buffer("network_gene", torch.zeros((), dtype=torch.float64))
            self.emission_complement += tuple(N_SITES + state for state in GENE_STATES.complement)

    @property
    def flank_bp(self) -> int:
        """Bases on either side of a base whose hidden states it reads."""
        return self.trunk.flank_bp

    @torch.no_grad()
    def take(self, model: GeneModel, probe: SiteProbe) -> None:
        """Take over what was estimated."""
        self.trunk.load_state_dict(probe.state_dict())
        for name, array in model.sensors.arrays().items():
            self.get_buffer(f"sensors_{name}").copy_(torch.from_numpy(array))
        densities = (model.lengths.intron, *model.lengths.exons)
        for row, (part, density) in enumerate(zip(_PARTS, densities, strict=True)):
            self.get_buffer(f"length_{part}").copy_(torch.from_numpy(density.log_explicit))
            tail = torch.tensor([density.tail_start, density.tail_slope], dtype=torch.float64)
            self.get_buffer("length_tails")[row] = tail
        shares = [getattr(model.lengths, name) for name in _SHARES]
        self.get_buffer("gene_shares").copy_(torch.tensor(shares, dtype=torch.float64))
        self.get_buffer("base_shares").copy_(torch.tensor(model.shares, dtype=torch.float64))
        self.get_buffer("weights").copy_(torch.from_numpy(model.weights))
        if self.has_network:
            self.get_buffer("network_weight").fill_(model.network_weight)
            self.get_buffer("network_gene").fill_(model.network_gene)
        self._forget()

    def model(self) -> GeneModel:
        """What was estimated; kept until other weights are loaded."""
        if self._model is not None:
            return self._model

        def array(name: str) -> np.ndarray:
            return np.asarray(self.get_buffer(name).cpu().numpy())

        tails = array("length_tails")
        intron, single, initial, internal, terminal = (
            LengthDensity(array(f"length_{part}"), float(tails[row, 0]), float(tails[row, 1]))
            for row, part in enumerate(_PARTS)
        )
        lengths = GeneLengths(intron, (single, initial, internal, terminal), *map(float, array("gene_shares")))
        sensors = Sensors.from_arrays({field.name: array(f"sensors_{field.name}") for field in fields(Sensors)})
        shares = Shares(*map(float, array("base_shares")))
        names = ("network_weight", "network_gene") if self.has_network else ()
        of_network = map(float, map(array, names))
        self._model = GeneModel(sensors, lengths, array("weights"), shares, self.genetic_code, *of_network)
        return self._model

    def _forget(self, *_: object) -> None:
        """Forget what the buffers held before other ones were loaded."""
        self._model = None

    def loss(self, emissions: Tensor, batch: Batch) -> Loss:
        """A gene model is estimated, not trained.

        Raises:
            ConfigError: always.
        """
        raise ConfigError("a gene model is estimated, not trained by gradients")

    def probabilities(self, emissions: Tensor, lengths: Tensor, *, average_strands: bool = False) -> Tensor:
        """Needs the letters, which emissions do not have.

        Raises:
            ConfigError: always.
        """
        raise ConfigError("a gene model gives probabilities of genes and exons, not of single bases alone")

    def decode(self, emissions: Emissions, context: DecodingContext, *, with_posterior: bool = True) -> Decoded:
        """The best genes of one sequence, from its site scores (L, 8), or (L, 17) with class scores of a network.

        Where the context says what stands beside the sequence, no gene goes on beyond it.
        """
        if context.grammar is None:
            context = context._replace(grammar=RULES._replace(stop_in_cds=self.stop_in_cds))
        return GeneModelDecoder(self.model()).decode(emissions, context, with_posterior=with_posterior)


@dataclass(frozen=True)
class GeneModelDecoder:
    """Decodes emissions by a gene model, which need not be the one that a head holds."""

    model: GeneModel

    def decode(self, emissions: Emissions, context: DecodingContext, *, with_posterior: bool = True) -> Decoded:
        """As `GeneModelHead.decode`."""
        scores = self.model.potentials(context.codes, emissions, context.first, rules_of(context).softmask)
        return decode_genes(self.model, scores, len(emissions), context, with_posterior=with_posterior)


def rules_of(context: DecodingContext) -> GeneRules:
    """What the context asks of a gene model."""
    return context.grammar if isinstance(context.grammar, GeneRules) else RULES


def decode_genes(
    model: GeneModel, scores: Potentials, n: int, context: DecodingContext, *, with_posterior: bool = True
) -> Decoded:
    """The best genes of one sequence.

    Where the context says what stands beside the sequence, no gene goes on beyond it.

    Args:
        model: lengths and moves.
        scores: potentials of the sequence, as its tiles ask for them.
        n: bases of the sequence.
        context: letters, and what is asked for.
        with_posterior: compute the posterior, else it is empty.
    """
    rules = rules_of(context)
    tokens = np.ascontiguousarray(alphabet.tokens(context.codes[context.first : context.first + n]))
    segments = model.segments(
        may_begin=context.before is None and not rules.complete,
        may_end=context.after is None and not rules.complete,
        min_intron_bp=rules.min_intron_bp,
        gene_offset=rules.gene_offset,
    )

    def find() -> tuple[BestPath, list[GeneCall], np.ndarray]:
        path = best_path(tokens, scores, segments)
        genes = genes_of(path.sites)
        return path, genes, classes_of(genes, n)

    def decoded(
        genes: list[GeneCall], classes: np.ndarray, posterior: np.ndarray, posteriors: tuple[GenePosterior, ...] = ()
    ) -> Decoded:
        path_classes = classes if rules.stop_in_cds else classes_of(genes, n, stop_in_cds=False)
        return Decoded(path_classes, posterior, states_of(genes, n), posteriors)

    if not with_posterior:
        _, genes, classes = find()
        return decoded(genes, classes, np.empty(0, np.float32))
    posterior, columns = np.empty(n, np.float32), class_columns().T
    scores = SharedPotentials(scores)

    def keep(first: int, rows: np.ndarray) -> None:
        own = best()[2][first : first + len(rows)]
        posterior[first : first + len(rows)] = rows[:, INTERGENIC]
        coded = np.flatnonzero(own != NONCODING)
        chances = np.take_along_axis(rows[coded] @ columns, own[coded, None], axis=1)
        posterior[first + coded] = chances[:, 0]
        if context.marginals is not None:
            context.marginals(first, rows @ columns)

    with ThreadPoolExecutor(1) as pool:  # where a thread may help, it finds the best path while the sums go forward
        best = pool.submit(inherit_flush_to_zero(find)).result if context.alone else cache(find)
        sums = sum_paths(tokens, scores, segments, path=lambda: best()[0], marginals=keep)
    path, genes, classes = best()
    probabilities = posteriors_of(genes, site_probabilities(path, sums))
    posteriors = tuple(
        GenePosterior(gene.exons[0][0], probability, tuple(exons))
        for gene, (probability, exons) in zip(genes, probabilities, strict=True)
        if gene.exons
    )
    return decoded(genes, classes, np.clip(posterior, 0, 1), posteriors)


def states_of(genes: list[GeneCall], n: int) -> np.ndarray:
    """`RULES` of each base of a sequence with these genes: (n,) int8."""
    states = np.zeros(n, np.int8)
    for gene in genes:
        first = 1 + _OF_STRAND * gene.strand
        bases = np.concatenate([np.arange(start, end) for start, end in gene.exons]) if gene.exons else np.zeros(0, int)
        from_left = (gene.phase + np.arange(len(bases))) % 3
        codon = from_left if gene.strand == 0 else 2 - from_left
        kind = np.zeros(len(bases), int)
        left, right = (_START, _STOP) if gene.strand == 0 else (_STOP, _START)
        if gene.has_left:
            kind[:3] = left
        if gene.has_right:
            kind[-3:] = right
        states[bases] = first + kind + codon
        edges = [gene.start, *(edge for exon in gene.exons for edge in exon), gene.end]
        coded = gene.phase
        lengths = [end - start for start, end in gene.exons]
        for number, (start, end) in enumerate(zip(edges[::2], edges[1::2], strict=True)):
            phase = (coded + sum(lengths[:number])) % 3
            states[start:end] = first + _INTRON + (phase if gene.strand == 0 else (3 - phase) % 3)
    return states
