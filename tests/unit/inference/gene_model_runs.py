"""Gene models that have seen no gene, as checkpoints: priors of lengths, and site scores and sensors of 0."""

from dataclasses import replace
from pathlib import Path

from tests.unit.inference.small_models import ENCODER, GENES, model_of

from dnaspt.checkpoint import CheckpointConfig, save_checkpoint
from dnaspt.checkpoint_config import NetworkConfig
from dnaspt.models.emission_decoder import prior_gene_model
from dnaspt.models.gene_model_head import GeneModelHead
from dnaspt.models.task_model import TaskModel

GENE_MODEL = GENES.model_copy(update={"head": "gene-model"})
WITH_NETWORK = GENE_MODEL.model_copy(update={"network": NetworkConfig(encoder=ENCODER, head="softmax")})


def gene_model(
    genes_per_mb: float = 3e5, config: CheckpointConfig = GENE_MODEL, network_weight: float = 0.0
) -> TaskModel:
    """A gene model; of so many genes that random sequence has some. The scores of its network spread over several nats."""
    model = model_of(config)
    assert isinstance(model.head, GeneModelHead)
    prior = replace(prior_gene_model(genes_per_mb, config.code), network_weight=network_weight)
    model.head.take(prior, model.head.trunk)
    if model.network is not None:
        model.network.head.trunk.linear.weight.data *= 30
    return model


def gene_model_run(
    folder: Path,
    genes_per_mb: float = 3e5,
    config: CheckpointConfig = GENE_MODEL,
    network_weight: float = 0.0,
) -> Path:
    """A checkpoint folder of a gene model."""
    save_checkpoint(folder, gene_model(genes_per_mb, config, network_weight), config)
    return folder
