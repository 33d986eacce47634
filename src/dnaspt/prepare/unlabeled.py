"""FASTA to a dataset of sequence without labels: a language model can be pretrained on it, and nothing else."""

from collections import Counter
from typing import Self

import numpy as np
from pydantic import Field, model_validator

from dnaspt.config import MOST_BP
from dnaspt.data.dataset import Dataset
from dnaspt.data.manifest import Manifest
from dnaspt.genome.fasta import read_fasta
from dnaspt.prepare.windows import LabeledWindows, WindowFilter, WindowSettings, add_windows, tile_with_flanks
from dnaspt.prepare.writer import DatasetWriter, check_written
from dnaspt.tasks import TASKS


class PrepareUnlabeledConfig(WindowSettings):
    """Settings of `prepare unlabeled`."""

    window_bp: int = Field(4096, ge=16, le=MOST_BP)
    """Length of a window in bp. Pretraining joins windows that touch, and cuts them again; rarely changed."""
    split: str = "train"
    """How contigs are divided: `train` (the end of each contig, a tenth, for valid), `position` (parts of each contig, by
    `fractions`), `contig` (whole contigs), `train-only`, `valid` or `test` (all for one split), or the path of a table with the
    columns chromosome, start, end, split. Take `contig` or a table to keep sequence out of pretraining that a model is tested on
    later."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.folds is not None:
            raise ValueError("folds are for datasets with labels; leave them out")
        if "fractions" in self.model_fields_set and self.split != "position":
            raise ValueError(f"fractions are for split 'position'; split is {self.split!r}")
        return self


def prepare_unlabeled(config: PrepareUnlabeledConfig) -> Dataset:
    """Write the dataset folder `config.out`, one contig after the other. Where this fails, nothing is left behind.

    Dropped and counted: windows that hold too many N. The last window of a stretch is shorter.

    Raises:
        InputError: a file cannot be used, or no window is left, in all or in a split that training needs.
        ConfigError: settings contradict the genome.
        DatasetError: `config.out` exists, or, with `strict`, splits share sequence.
    """
    counts, dropped = Counter[str](), Counter[str]()
    with DatasetWriter(config.out, overwrite=config.overwrite, inputs=config.files()) as writer:
        config.check_files()
        plan = config.plan_of_genome()
        present = set[str]()
        for contig in read_fasta(config.genome):
            present.add(contig.name)
            intervals = plan.intervals(contig.name, len(contig))
            tiles = [window for interval in intervals for window in tile_with_flanks(interval, config.window_bp)]
            windows = np.array([(tile.start, tile.end) for tile in tiles], dtype=np.int64).reshape(-1, 2)
            kept = WindowFilter(intervals, config.max_n_fraction).keep(contig, windows, dropped)
            counts["contigs"] += 1
            counts["ambiguous_letters"] += contig.n_ambiguous
            counts["windows"] += len(kept.rows)
            no_labels = np.zeros((len(kept.rows), 0), dtype=np.int8)
            add_windows(writer, contig, LabeledWindows(windows[kept.rows], kept.split, no_labels))
        plan.check_contigs(config.genome, present, strict=config.strict)
        check_written(config.genome, writer.n_windows, plan.wanted, dropped)
        manifest = Manifest(
            task=TASKS["unlabeled"].name,
            labels=(),
            resolution_bp=0,
            window_bp=config.window_bp,
            sources=config.sources(),
            settings=config.recorded(),
            counts=dict(counts),
            dropped={reason: number for reason, number in dropped.items() if number},
        )
        return Dataset(config.out, writer.finish(manifest, strict=config.strict))
