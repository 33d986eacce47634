"""Small models with random weights, contigs and files for the tests of this folder."""

import resource
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from dnaspt.checkpoint import CheckpointConfig, build_model, save_checkpoint
from dnaspt.config import EncoderConfig
from dnaspt.genome.alphabet import decode as letters
from dnaspt.genome.fasta import Contig
from dnaspt.genome.gene_states import GENE_STATES
from dnaspt.genome.transcripts import Transcript
from dnaspt.inference import decode
from dnaspt.inference.decode import decode_path
from dnaspt.inference.emissions import ContigSlice, predict_sequences
from dnaspt.inference.genes import contig_genes
from dnaspt.inference.predict import PredictOptions
from dnaspt.models.codons import Grammar
from dnaspt.models.heads import Decoded
from dnaspt.models.language_model import LanguageModel
from dnaspt.models.task_model import TaskModel

ENCODER = EncoderConfig(hidden_size=16, n_layers=4)
WITHOUT_CODONS = PredictOptions(codons=False)
GENES = CheckpointConfig(
    kind="task", encoder=ENCODER, task="genes", head="crf", labels=GENE_STATES.names, window_bp=512, stop_in_cds=True
)
REGIONS = CheckpointConfig(
    kind="task", encoder=ENCODER, task="regions", head="sigmoid", labels=("A", "B"), window_bp=256
)
BINS = CheckpointConfig(
    kind="task", encoder=ENCODER, task="enhancers", head="sigmoid", labels=("enhancer",), window_bp=512
)
LANGUAGE = CheckpointConfig(kind="language", encoder=ENCODER)


def random_codes(length: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 4, length).astype(np.uint8)


def random_letters(length: int, seed: int = 0) -> str:
    return letters(random_codes(length, seed))


def model_of(config: CheckpointConfig) -> TaskModel:
    torch.manual_seed(1)
    model = build_model(config)
    assert isinstance(model, TaskModel)
    if config.head == "crf":
        # Untrained emissions are nearly flat; scaled up they spell genes.
        model.head.trunk.linear.weight.data *= 30
    return model.eval()


def run_of(folder: Path, config: CheckpointConfig) -> Path:
    """A checkpoint folder of a small model."""
    if config.kind == "language":
        torch.manual_seed(1)
        save_checkpoint(folder, LanguageModel(ENCODER), config)
    else:
        save_checkpoint(folder, model_of(config), config)
    return folder


def write_fasta(path: Path, contigs: dict[str, np.ndarray]) -> Path:
    path.write_text("".join(f">{name}\n{letters(codes)}\n" for name, codes in contigs.items()))
    return path


def genes_run(tmp_path: Path, contigs: dict[str, np.ndarray]) -> tuple[Path, Path]:
    return run_of(tmp_path / "run", GENES), write_fasta(tmp_path / "g.fa", contigs)


def windows_run(tmp_path: Path, contigs: dict[str, np.ndarray]) -> tuple[Path, Path]:
    return run_of(tmp_path / "run", REGIONS), write_fasta(tmp_path / "g.fa", contigs)


def predict_sequence(
    model: TaskModel, codes: np.ndarray, start: int = 0, end: int | None = None, tile_bp: int | None = None
) -> np.ndarray:
    contig_slice = ContigSlice(codes, start, len(codes) if end is None else end)
    return np.asarray(predict_sequences(model, [contig_slice], tile_bp=tile_bp)[0])


def decoded(model: TaskModel, codes: np.ndarray, start: int = 0, end: int | None = None) -> Decoded:
    contig_slice = ContigSlice(codes, start, len(codes) if end is None else end)
    (emissions,) = decode.predict_emissions(model, [contig_slice])
    return decode_path(model, emissions, contig_slice)


def genes_of(model: TaskModel, codes: np.ndarray, grammar: Grammar | None = None) -> list[Transcript]:
    contig_slice = ContigSlice.whole(codes)
    (emissions,) = decode.predict_emissions(model, [contig_slice])
    return contig_genes(model, GENES, Contig("chr1", codes), [(contig_slice, emissions)], grammar=grammar)


def give_emissions(patch: pytest.MonkeyPatch, emissions_of: Callable[[np.ndarray], np.ndarray]) -> None:
    """Emissions of whole contigs by their codes, instead of a model's."""

    def predicted(_: TaskModel, slices: Sequence[ContigSlice], **__: object) -> list[np.ndarray]:
        return [emissions_of(contig_slice.codes) for contig_slice in slices]

    patch.setattr(decode, "predict_sequences", predicted)


@contextmanager
def limited(n_bytes: int) -> Iterator[None]:
    """No file can grow beyond n_bytes: writing fails as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def broken_at(name: str, real: object, argument: int) -> object:
    """The function, interrupted at the contig of a name."""

    def interrupted(*arguments: object, **options: object) -> object:
        if arguments[argument].name == name:  # type: ignore[attr-defined]
            raise KeyboardInterrupt
        return real(*arguments, **options)  # type: ignore[operator]

    return interrupted
