"""Every count that the code can make has words of its own, and they stand in docs/glossary.md."""

import ast
import re
import runpy
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import pytest

import dnaspt
from dnaspt.baselines.ngram import NgramBaseline
from dnaspt.data.manifest import read_manifest
from dnaspt.genome import gff3, stop_in_cds
from dnaspt.inference.embeddings import EmbeddingSummary
from dnaspt.inference.genes import GeneSummary
from dnaspt.inference.sequence_file import SequenceSummary
from dnaspt.inference.windows import WindowSummary
from dnaspt.prepare.gene_labels import INTRON_MOTIFS
from dnaspt.prepare.held_out import CutOut
from dnaspt.simulation.simulate import SimulationSummary
from dnaspt.words import FOUND, LEFT_OUT, WORDS, words_of

SOURCE = Path(dnaspt.__file__).parent
DOCS = Path(__file__).parents[2] / "docs"
HOLDERS = {"counts", "dropped", "skipped", "odd_regions"}
"""Names of what counts are kept in, by reason."""
ROOMS = ("genome", "prepare", "bend", "inference")
"""Rooms that count what they read: evaluation counts matrices under the same names."""


def name_of(node: ast.AST | None) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def texts(node: ast.AST) -> Iterator[str]:
    """Constant texts in an expression; of an f-string, what is not constant is a star."""
    if isinstance(node, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else "*" for part in node.values)
        return
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    for child in ast.iter_child_nodes(node):
        yield from texts(child)


def keys(node: ast.AST) -> Iterator[str]:
    for found in ast.walk(node):
        if isinstance(found, ast.Dict):
            for key in found.keys:
                yield from texts(key) if key is not None else ()


def counted(node: ast.AST) -> Iterator[str]:
    """The names under which a piece of code counts something."""
    if isinstance(node, ast.Subscript) and name_of(node.value) in HOLDERS:
        yield from texts(node.slice)
    if isinstance(node, ast.Call):
        called = name_of(node.func)
        if called in ("odd", "drop") or (called == "setdefault" and name_of(node.func.value) in HOLDERS):  # type: ignore[attr-defined]
            yield from texts(node.args[0])
        if called == "update" and name_of(node.func.value) in HOLDERS:  # type: ignore[attr-defined]
            yield from (name for argument in node.args for name in keys(argument))
        if called == "Counter":
            yield from (word.arg for word in node.keywords if word.arg)
        if called in ("Counter", "RegionRows"):
            yield from (name for argument in node.args for name in keys(argument))
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if node.value is not None and any(name_of(target) in HOLDERS for target in targets):
            yield from keys(node.value)
    if isinstance(node, ast.FunctionDef) and node.returns is not None and "dict[str, int]" in ast.unparse(node.returns):
        returned = (found.value for found in ast.walk(node) if isinstance(found, ast.Return) and found.value)
        yield from (name for value in returned for name in keys(value))
    if isinstance(node, ast.For) and any(name_of(found) == "reason" for found in ast.walk(node.target)):
        yield from texts(node.iter)


def counted_names() -> set[str]:
    found = {
        name
        for room in ROOMS
        for path in (SOURCE / room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for name in counted(node)
    }
    fates = {f"transcripts_{fate}" for fate in get_args(gff3._Fate) if fate not in ("segment", "protein")}
    stops = set(re.findall(r'"(stop_codons_\w+)"', Path(stop_in_cds.__file__).read_text(encoding="utf-8")))
    return found | fates | stops | set(INTRON_MOTIFS.values())


def test_every_count_of_the_source_has_words() -> None:
    names = counted_names()
    assert {"not_in_one_split", "region_without_window", "cpg_with_call", "zero_signal", "introns_gt_ag"} <= names
    assert {"coding_genes", "illegal_stretches", "other_modification", "nameless_sequence_regions"} <= names
    open_names = {name for name in names if "*" in name}
    assert open_names == {"transcripts_*", "*s_without_transcript"}  # gff3.py lists what stands there
    assert {name for name in names - open_names if name[0].isalpha() and name not in WORDS} == set()


def test_what_a_manifest_counts_has_words(simulated: Path, gene_data: Path, tmp_path: Path) -> None:
    genome = simulated / "genome.fa"
    peaks = dnaspt.prepare_regions(genome, simulated / "peaks_A.bed", out=tmp_path / "peaks", window_bp=256)
    sites = dnaspt.prepare_methylation(genome, simulated / "methylation.bedmethyl", out=tmp_path / "cpg", window_bp=256)
    for manifest in (read_manifest(gene_data), peaks.manifest, sites.manifest):
        assert {*manifest.counts} <= {*FOUND, *WORDS} and {*manifest.dropped} <= {*LEFT_OUT}


@pytest.mark.parametrize("kind", [GeneSummary, WindowSummary, SequenceSummary, EmbeddingSummary, NgramBaseline, CutOut])
def test_what_a_command_has_written_has_words(kind: Any) -> None:
    assert {field.name for field in fields(kind)} <= WORDS.keys()


def test_what_a_simulation_has_written_has_words() -> None:
    assert SimulationSummary.model_fields.keys() <= WORDS.keys()


def test_words_say_more_than_the_name() -> None:
    assert not [
        words
        for words in WORDS.values()
        if "_"
        in words.replace("stop_codon rows", "").replace("coding_exon rows", "").replace("gene_id and transcript_id", "")
    ]


def test_a_name_without_words_loses_its_underscores() -> None:
    assert words_of("n_layers") == "layers" and words_of("dilation_max") == "dilation max"
    assert words_of("annotation_cds_without_parent") == "annotation: CDS rows without Parent"
    assert words_of("stop codon in frame") == "stop codon in frame"


def test_the_glossary_is_current_and_has_every_name() -> None:
    page = (DOCS / "glossary.md").read_text(encoding="utf-8")
    assert page == runpy.run_path(str(DOCS / "make_glossary.py"))["glossary_page"]()
    assert all(f"`{name}`" in page for name in counted_names() & WORDS.keys())
