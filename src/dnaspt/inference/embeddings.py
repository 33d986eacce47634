"""Hidden states of an encoder to a file: of whole sequences, of windows of a genome, or of each base.

Memory is bounded: sequences and windows pass in groups, and each group is written before the next one is read. The states of a
window of a genome are computed with the sequence around it; those of a sequence alone have nothing around it.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dnaspt.arguments import as_path, as_path_or_none, check_switches, check_whole_numbers
from dnaspt.atomic import atomic_file
from dnaspt.errors import ConfigError, InputError, refuse_full_disk
from dnaspt.genome.fasta import read_fasta
from dnaspt.genome.sequence_tables import read_sequence_table, sequences_of
from dnaspt.inference.emissions import ContigSlice, hidden_states, predict_sequences
from dnaspt.inference.model import Model, load_unless_loaded, naming_model
from dnaspt.inference.predict import intervals_of
from dnaspt.output import check_file_to_write, locked_output, refuse_existing, refuse_inputs
from dnaspt.progress import along_sequence, say

SUFFIXES = (".parquet", ".npz")
_WINDOW_BP = 512
"""Length of windows where none is given."""
_GROUP_NUMBERS = 1 << 26
"""Numbers of hidden states that are held in memory at a time (256 MB of float32), about."""
_MOST_NPZ = 1 << 28
"""Numbers of a .npz file, which is made in memory."""


@dataclass(frozen=True, slots=True)
class EmbeddingSummary:
    """What was written.

    Attributes:
        n_vectors: vectors: of sequences, windows or bases.
        hidden_size: numbers of each vector.
        n_empty: rows without a sequence, whose vector is NaN; of vectors for each base they have none.
        n_bytes: size of the vectors before they are packed.
        files: the file written.
    """

    n_vectors: int
    hidden_size: int
    n_empty: int
    n_bytes: int
    files: tuple[str, ...]


class _Slice(NamedTuple):
    """What is embedded: positions start to end of a sequence, which is read as a whole around them."""

    name: str
    start: int
    end: int
    codes: np.ndarray


def embed_file(
    model: str | Path | Model,
    out: str | Path,
    *,
    sequences: str | Path | None = None,
    genome: str | Path | None = None,
    regions: str | Path | None = None,
    window_bp: int | None = None,
    per_base: bool = False,
    sequence_column: str | None = None,
    name_column: str | None = None,
    accelerator: Literal["auto", "cpu", "gpu"] = "auto",
    overwrite: bool = False,
    progress: bool = False,
) -> EmbeddingSummary:
    """Write hidden states of an encoder.

    Rows of a table or FASTA of sequences keep their order. Windows and intervals of a genome come contig by contig, as in the
    genome, intervals of a contig in the order of the BED file: join them to other tables by name, start and end. Stretches of N
    have vectors, too.

    Args:
        model: run of `pretrain` or `finetune`, checkpoint, or loaded model.
        out: the file to write; it appears whole or not at all. .parquet: name, start and end (0-based half-open), and
            `embedding`, a list of D numbers; of any size. .npz: arrays `names`, `start`, `end` and `embeddings` (n, D), made in
            memory.
        sequences: table or FASTA of sequences: one vector each, the mean over its bases.
        genome: instead of sequences, FASTA of a genome.
        regions: with a genome, BED of intervals: one vector each. None for windows of all contigs, end to end.
        window_bp: length of these windows, 512 if left out; the last one of a contig is shorter.
        per_base: a vector for each base instead of the mean.
        sequence_column: column of the sequences; None for the one with a usual name (docs/files.md), such as sequence.
        name_column: column of the names; None for the one with a usual name, such as name or id.
        accelerator: auto takes a GPU where there is one; of no effect on a model that is loaded already.
        overwrite: replace a file that is there. It stays until the new one is whole.
        progress: say the size of the vectors before, and show a progress bar with the time left.

    Returns:
        counts of what was written.

    Raises:
        CheckpointError: a model without an encoder. InputError: a file cannot be used.
        ConfigError: another suffix, both or neither of sequences and genome, more vectors than a .npz file holds, or a file that
        is there already.
    """
    check_whole_numbers(**({} if window_bp is None else {"window_bp": window_bp}))
    check_switches(per_base=per_base, overwrite=overwrite, progress=progress)
    out = as_path(out, "out")
    sequences_path, genome_path = as_path_or_none(sequences, "sequences"), as_path_or_none(genome, "genome")
    regions_path = as_path_or_none(regions, "regions")
    _check(out, sequences_path, genome_path, regions_path, window_bp)
    run = None if isinstance(model, Model) else as_path(model, "model")
    inputs = {"sequences": sequences_path, "genome": genome_path, "regions": regions_path, "run": run}
    refuse_inputs(out, inputs, is_file=True)
    check_file_to_write(out)
    with locked_output(out):
        refuse_existing(out, overwrite=overwrite)
        loaded = load_unless_loaded(model, accelerator=accelerator)
        loaded.check_embeds()
        n_empty = 0
        if sequences_path is not None:
            names, rows = sequences_of(read_sequence_table(sequences_path), sequence_column, name_column)
            slices = [_Slice(name, 0, len(codes), codes) for name, codes in zip(names, rows, strict=True)]
            n_empty = sum(not len(codes) for codes in rows)
            n_bp, n_vectors, wanted = sum(map(len, rows)), len(slices), iter(slices)
        else:
            assert genome_path is not None
            n_bp, n_vectors = _sizes(genome_path, regions_path, window_bp or _WINDOW_BP)
            wanted = _genome_slices(genome_path, regions_path, window_bp or _WINDOW_BP)
        if not n_bp:
            raise InputError(sequences_path or genome_path or out, "nothing to embed in it")
        size = loaded.config.encoder.hidden_size
        n_vectors = n_bp if per_base else n_vectors
        n_bytes = n_vectors * size * 4
        if out.suffix.lower() == ".npz" and n_vectors * size > _MOST_NPZ:
            raise ConfigError(f"{out}: would hold {n_bytes / 1e9:,.1f} GB, all in memory; write .parquet instead")
        if progress:
            say(f"{out}: {n_vectors:,} vectors of {size} numbers, {n_bytes / 1e6:,.1f} MB before packing")
        with naming_model(loaded), along_sequence("embed", lambda: n_bp, wanted=progress) as told:
            _write(out, _embedded(loaded, wanted, size, per_base=per_base, told=told), size)
    return EmbeddingSummary(n_vectors, size, n_empty, n_bytes, (str(out),))


def _check(out: Path, sequences: Path | None, genome: Path | None, regions: Path | None, window_bp: int | None) -> None:
    """Refuse what contradicts itself.

    Raises:
        ConfigError: says what.
    """
    if out.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"{out}: unknown suffix; expected {' or '.join(SUFFIXES)}")
    if (sequences is None) == (genome is None):
        raise ConfigError("give either sequences (a table or FASTA of sequences) or genome (FASTA of contigs)")
    if regions is not None and genome is None:
        raise ConfigError("regions are intervals of a genome; give it, too")
    if window_bp is None:
        return
    if genome is None or regions is not None:
        raise ConfigError("window_bp is for windows of a genome; leave it out, or leave out regions and sequences")
    if window_bp < 1:
        raise ConfigError(f"window_bp {window_bp}; expected 1 or more")


def _sizes(genome: Path, regions: Path | None, window_bp: int) -> tuple[int, int]:
    """Bases and windows that will be embedded."""
    n_bp = n_windows = 0
    for own in _genome_slices(genome, regions, window_bp):
        n_bp += own.end - own.start
        n_windows += 1
    return n_bp, n_windows


def _genome_slices(genome: Path, regions: Path | None, window_bp: int) -> Iterator[_Slice]:
    """Intervals of a genome, or windows end to end, contig by contig.

    Raises:
        ConfigError: an interval on a contig that is not in the genome. InputError: one that lies outside its contig.
    """
    wanted = None if regions is None else intervals_of(regions, genome, joined=False)
    for contig in read_fasta(genome):
        tiles = [(start, min(start + window_bp, len(contig))) for start in range(0, len(contig), window_bp)]
        for start, end in tiles if wanted is None else wanted.get(contig.name, []):
            yield _Slice(contig.name, start, end, contig.codes)


def _embedded(
    model: Model, slices: Iterator[_Slice], size: int, *, per_base: bool, told: Callable[[int], None]
) -> Iterator[pa.Table]:
    """Tables of name, start, end and embedding, a group of slices at a time; the bases of each are told."""
    encoder = hidden_states(model.network)
    group: list[_Slice] = []
    n_numbers = 0

    def mean_of_long(own: _Slice) -> pa.Table:
        total = np.zeros(size)
        for part in _parts(own, size):
            (states,) = predict_sequences(encoder, [ContigSlice(part.codes, part.start, part.end)])
            total += np.asarray(states).sum(axis=0, dtype=np.float64)
        mean = (total / (own.end - own.start)).astype(np.float32)
        return _table(pa.array([own.name]), np.array([own.start]), np.array([own.end]), mean, size)

    def flushed() -> pa.Table:
        runs = _runs([own for own in group if own.end > own.start])
        found = predict_sequences(encoder, [ContigSlice(own[0].codes, own[0].start, own[-1].end) for own in runs])
        states = [
            np.asarray(rows[own.start - run[0].start : own.end - run[0].start], np.float32)
            for run, rows in zip(runs, found, strict=True)
            for own in run
        ]
        if per_base:
            starts = np.concatenate([np.arange(own.start, own.end) for own in group])
            names = pa.array(np.repeat([own.name for own in group], [own.end - own.start for own in group]))
            return _table(names, starts, starts + 1, np.concatenate([np.zeros((0, size), np.float32), *states]), size)
        means = np.full((len(group), size), np.nan, np.float32)
        filled = [number for number, own in enumerate(group) if own.end > own.start]
        for number, rows in zip(filled, states, strict=True):
            means[number] = rows.mean(axis=0, dtype=np.float64)
        starts, ends = np.array([(own.start, own.end) for own in group]).T
        return _table(pa.array([own.name for own in group]), starts, ends, means, size)

    for own in slices:
        for part in _parts(own, size) if per_base else [own]:
            own_numbers = (part.end - part.start) * size
            if group and n_numbers + own_numbers > _GROUP_NUMBERS:
                yield flushed()
                told(n_numbers // size)
                group, n_numbers = [], 0
            if own_numbers > _GROUP_NUMBERS:
                yield mean_of_long(part)
                told(part.end - part.start)
                continue
            group.append(part)
            n_numbers += (part.end - part.start) * size
    if group:
        yield flushed()
        told(n_numbers // size)


def _runs(group: list[_Slice]) -> list[list[_Slice]]:
    """Slices of a contig that follow each other, or overlap and end one after the other, in one list: they are computed at once.

    Alone, each would be read with the receptive field on both sides.
    """
    runs: list[list[_Slice]] = []
    for own in group:
        last = runs[-1][-1] if runs else None
        if last is not None and last.codes is own.codes and last.start <= own.start <= last.end <= own.end:
            runs[-1].append(own)
        else:
            runs.append([own])
    return runs


def _parts(own: _Slice, size: int) -> Iterator[_Slice]:
    """A slice in parts that fit into memory."""
    step = max(1, _GROUP_NUMBERS // size)
    for start in range(own.start, own.end, step):
        yield own._replace(start=start, end=min(start + step, own.end))


def _table(names: pa.Array, starts: np.ndarray, ends: np.ndarray, vectors: np.ndarray, size: int) -> pa.Table:
    embedding = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), size)
    columns = {"name": names, "start": pa.array(starts), "end": pa.array(ends), "embedding": embedding}
    return pa.table(columns, schema=_schema(size))


def _schema(size: int) -> pa.Schema:
    columns = [
        ("name", pa.string()),
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("embedding", pa.list_(pa.float32(), size)),
    ]
    return pa.schema(columns)


def _write(out: Path, tables: Iterator[pa.Table], size: int) -> None:
    """Write the file, whole or not at all.

    Raises:
        NoSpaceError: the disk is full.
    """
    try:
        with ExitStack() as stack:
            unfinished = stack.enter_context(atomic_file(out))
            file = stack.enter_context(unfinished.open("wb"))
            if out.suffix.lower() == ".parquet":
                with pq.ParquetWriter(file, _schema(size), compression="zstd") as writer:
                    for table in tables:
                        writer.write_table(table)
                return
            whole = pa.concat_tables(tables)
            vectors = np.concatenate([chunk.flatten().to_numpy() for chunk in whole["embedding"].chunks]).reshape(
                -1, size
            )
            names = np.array(whole["name"].to_pylist(), dtype=np.str_)
            starts, ends = (whole[name].to_numpy() for name in ("start", "end"))
            np.savez(file, names=names, start=starts, end=ends, embeddings=vectors)
    except OSError as error:
        refuse_full_disk(out, error)
        raise
