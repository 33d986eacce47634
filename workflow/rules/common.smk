"""What the rules share: where files lie, and what the configuration asks for."""

import os
import re
import shlex

OUT = config["out"]
DATA, PRETRAINED, MODEL = f"{OUT}/data", f"{OUT}/pretrained", f"{OUT}/model"
LABELS_OPTION = {"genes": "--annotation", "regions": "--regions", "methylation": "--calls"}[config["task"]]
PRETRAINS = config["pretrain"] is not None
SEQUENCES = {"proteins": "proteins.fa", "cds": "cds.fa"}
PREDICTIONS = ("genes" if config["task"] == "genes" else "windows") + config["suffix"]
FILES = [PREDICTIONS, *(SEQUENCES[name] for name in config["sequences"])]
"""Names of the files of predictions: of each genome, and of each group of its contigs."""


def quoted(words):
    """Words of a shell, such as paths with blanks."""
    return shlex.join([words] if isinstance(words, str) else words)


def folder_of(file):
    """Folder of a file, as a word of a shell."""
    return quoted(os.path.dirname(file))


container: config["container"]


wildcard_constraints:
    command="prepare|pretrain|finetune",
    file="|".join(map(re.escape, FILES)),
    genome=r"[^/]+",
    group=r"\d+",


def encoder(wildcards):
    """The result of the pretraining; nothing where the configuration leaves pretraining out."""
    return f"{PRETRAINED}/result.json" if PRETRAINS else []


def parts(wildcards):
    """The predictions of all groups of contigs of a genome, in the order of its FASTA file."""
    folder = checkpoints.contig_groups.get(genome=wildcards.genome).output[0]
    groups = sorted(glob_wildcards(f"{folder}/{{group,[0-9]+}}.bed").group)
    return [f"{OUT}/parts/{wildcards.genome}/{group}/{wildcards.file}" for group in groups]
