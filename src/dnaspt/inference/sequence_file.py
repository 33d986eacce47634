"""A table or FASTA file of sequences to a table of probabilities or predicted numbers, a row for each sequence, in its order."""

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from dnaspt.arguments import as_path, check_switches
from dnaspt.atomic import atomic_file
from dnaspt.errors import ConfigError, InputError, refuse_full_disk
from dnaspt.genome import alphabet
from dnaspt.genome.sequence_tables import read_sequence_table, sequences_of
from dnaspt.inference.model import Model, load_unless_loaded, naming_model
from dnaspt.inference.sequences import NamedSequence
from dnaspt.output import check_file_to_write, locked_output, refuse_existing, refuse_inputs
from dnaspt.progress import along_sequence
from dnaspt.tasks import TASKS

log = logging.getLogger(__name__)

SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")
_CHUNK = 4096
"""Sequences that are predicted at a time."""


@dataclass(frozen=True, slots=True)
class SequenceSummary:
    """What was predicted and written.

    Attributes:
        n_sequences: sequences predicted.
        n_empty: rows without a sequence, whose probabilities are left empty.
        n_unknown: sequences that are more than half N, whose probabilities are left empty.
        files: the file written.
    """

    n_sequences: int
    n_empty: int
    n_unknown: int
    files: tuple[str, ...]


def predict_sequences_file(
    model: str | Path | Model,
    sequences: str | Path,
    out: str | Path,
    *,
    sequence_column: str | None = None,
    name_column: str | None = None,
    average_strands: bool | None = None,
    accelerator: str = "auto",
    overwrite: bool = False,
    progress: bool = False,
) -> SequenceSummary:
    """Predict the labels of each sequence of a table or FASTA file, as a whole.

    Args:
        model: run of `finetune`, checkpoint, or loaded model of windows or sequences.
        sequences: CSV, TSV, JSON lines, Parquet or FASTA, plain or gzip.
        out: the file to write, .csv, .tsv, .jsonl or .parquet: name, and of each label the probability, or the
            predicted number. It has the rows of
            `sequences` in their order, and appears whole or not at all.
        sequence_column: column of the sequences; None for the one with a usual name (docs/files.md), such as sequence.
        name_column: column of the names; None for the one with a usual name; without one, rows have numbers.
        average_strands: average over both strands; None as was better on valid.
        accelerator: auto takes a GPU where there is one; of no effect on a model that is loaded already.
        overwrite: replace a file that is there. It stays until the new one is whole.
        progress: show a progress bar with the time left.

    Returns:
        counts of what was predicted and written.

    Raises:
        CheckpointError: not a fine-tuned model. ConfigError: another suffix, a file that is there already, or a model of genes or
        bins.
        InputError: the file cannot be used, a letter is no nucleotide, or a sequence is too long for the model, or,
        for a model of methylation, has no CG in its middle.
    """
    check_switches(overwrite=overwrite, progress=progress)
    sequences, out = as_path(sequences, "sequences"), as_path(out, "out")
    if out.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"{out}: unknown suffix; expected {', '.join(SUFFIXES)}")
    run = None if isinstance(model, Model) else as_path(model, "model")
    refuse_inputs(out, {"sequences": sequences, "run": run}, is_file=True)
    check_file_to_write(out)
    with locked_output(out):
        refuse_existing(out, overwrite=overwrite)
        table = read_sequence_table(sequences)
        names, rows = sequences_of(table, sequence_column, name_column)
        loaded = load_unless_loaded(model, accelerator=accelerator)  # type: ignore[arg-type]
        loaded.task_model()
        if TASKS[loaded.task].resolution_bp:
            raise ConfigError(
                f"{loaded.path}: predicts {loaded.task}; give a FASTA with --genome instead of --sequences"
            )
        is_empty = np.array([not len(codes) for codes in rows])
        is_unknown = np.array([alphabet.is_mostly_unknown(codes) for codes in rows])
        scored = np.flatnonzero(~is_empty & ~is_unknown)
        if not len(scored):
            raise InputError(sequences, "no sequence can be predicted: all are empty or more than half N")
        probabilities = np.full((len(rows), len(loaded.labels)), np.nan, dtype=np.float32)
        n_bp = sum(len(rows[row]) for row in scored)
        sequences_of_rows = [NamedSequence(f"{sequences}:{table.lines[row]}", rows[row]) for row in scored]
        loaded.check_windows(sequences_of_rows)  # before anything is computed
        with naming_model(loaded), along_sequence("predict", lambda: n_bp, wanted=progress) as told:
            for first in range(0, len(scored), _CHUNK):
                chunk = scored[first : first + _CHUNK]
                named = sequences_of_rows[first : first + _CHUNK]
                probabilities[chunk] = loaded.predict_windows(named, average_strands=average_strands)
                told(sum(len(rows[row]) for row in chunk))
        frame = pd.DataFrame(probabilities, columns=list(loaded.labels))
        frame.insert(0, "name", names)
        _write(out, frame)
    return SequenceSummary(len(scored), int(is_empty.sum()), int(is_unknown.sum()), (str(out),))


def _write(out: Path, frame: pd.DataFrame) -> None:
    """Write the table, whole or not at all; a probability that is not known is empty (null in JSON and Parquet).

    Raises:
        NoSpaceError: the disk is full.
    """
    suffix = out.suffix.lower()
    try:
        with atomic_file(out) as unfinished:
            if suffix == ".parquet":
                with unfinished.open("wb") as file:
                    frame.to_parquet(file, index=False)
            elif suffix == ".jsonl":
                with unfinished.open("w", encoding="utf-8", newline="\n") as text:
                    text.writelines(_json_lines(frame))
            else:
                separator = "\t" if suffix == ".tsv" else ","
                frame.to_csv(unfinished, index=False, sep=separator, float_format="%.6g", lineterminator="\n")
    except OSError as error:
        refuse_full_disk(out, error)
        raise


def _json_lines(frame: pd.DataFrame) -> Iterator[str]:
    """A line of JSON for each row."""
    labels: Sequence[str] = [str(name) for name in frame.columns[1:]]
    for name, *values in frame.itertuples(index=False):
        known = {
            label: None if np.isnan(value) else float(f"{value:.6g}")
            for label, value in zip(labels, values, strict=True)
        }
        yield json.dumps({"name": name} | known) + "\n"
