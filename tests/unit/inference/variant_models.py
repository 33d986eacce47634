"""A genome and three small models for the tests of variants."""

from pathlib import Path

import torch
from tests.integration.in_process import letters

from dnaspt.checkpoint import CheckpointConfig, save_checkpoint
from dnaspt.config import EncoderConfig
from dnaspt.genome.gene_states import GENE_STATES
from dnaspt.models.encoder import DilatedEncoder
from dnaspt.models.heads import CRFHead, HeadCNN, SigmoidHead
from dnaspt.models.language_model import LanguageModel
from dnaspt.models.task_model import TaskModel

TINY = EncoderConfig(hidden_size=16, n_layers=4)
GENOME = letters(3000, 7)


def write_models(folder: Path) -> Path:
    """Folders language, windows and genes with checkpoints, and g.fa."""
    (folder / "g.fa").write_text(f">chr1\n{GENOME[:2000]}\n>chr2 rest\n{GENOME[2000:]}\n")
    torch.manual_seed(0)
    save_checkpoint(folder / "language", LanguageModel(TINY), CheckpointConfig(kind="language", encoder=TINY))
    windows = TaskModel(DilatedEncoder(TINY), SigmoidHead(HeadCNN(16, 2, resolution_bp=0), 2))
    described = {"kind": "task", "encoder": TINY, "task": "regions", "head": "sigmoid", "window_bp": 256}
    save_checkpoint(folder / "windows", windows, CheckpointConfig(**described, labels=("open", "closed")))
    genes = TaskModel(DilatedEncoder(TINY), CRFHead(16, GENE_STATES))
    described |= {"task": "genes", "head": "crf", "labels": GENE_STATES.names}
    save_checkpoint(folder / "genes", genes, CheckpointConfig(**described))
    return folder


def other(letter: str) -> str:
    return "ACGT"["ACGT".index(letter) - 1]


def write_vcf(path: Path, rows: list[tuple[str, int, str, str]]) -> Path:
    lines = ["##fileformat=VCFv4.2", "##contig=<ID=chr1>", "##contig=<ID=chr2>", "##contig=<ID=chrM>"]
    lines.append("#" + "\t".join(("CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO")))
    lines += [f"{chrom}\t{pos}\t.\t{ref}\t{alt}\t.\tPASS\t." for chrom, pos, ref, alt in rows]
    path.write_text("\n".join(lines) + "\n")
    return path
