"""Gene models that have seen no gene, as checkpoints: priors of lengths, and site scores and sensors of 0."""

from pathlib import Path

from tests.unit.inference.small_models import GENES, model_of

from dnaspt.checkpoint import CheckpointConfig, save_checkpoint
from dnaspt.models.emission_decoder import prior_gene_model
from dnaspt.models.gene_model_head import GeneModelHead

GENE_MODEL = GENES.model_copy(update={"head": "gene-model"})


def gene_model_run(folder: Path, genes_per_mb: float = 3e5, config: CheckpointConfig = GENE_MODEL) -> Path:
    """A checkpoint folder of a gene model; of so many genes that random sequence has some."""
    model = model_of(config)
    assert isinstance(model.head, GeneModelHead)
    model.head.take(prior_gene_model(genes_per_mb, config.code), model.head.trunk)
    save_checkpoint(folder, model, config)
    return folder
