"""Every public name has a docstring with an example, and the examples run."""

import doctest
import inspect
import os
from pathlib import Path

import pytest

import dnaspt

CALLS = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
NAMES = [name for name in dnaspt.__all__ if name != "__version__" and not name.endswith(("Error", "Stopped"))]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE | doctest.IGNORE_EXCEPTION_DETAIL


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the examples begin from: a genome, two datasets, a pretrained and two fine-tuned runs, and a VCF file."""
    folder = tmp_path_factory.mktemp("examples")
    before = Path.cwd()
    os.chdir(folder)
    try:
        dnaspt.simulate("genome", n_contigs=3, contig_bp=40_000, seed=1)
        genome = "genome/genome.fa"
        genes = dnaspt.prepare_genes(genome, "genome/annotation.gff3", out="data/genes", window_bp=1024)
        peaks = dnaspt.prepare_regions(genome, "genome/peaks_A.bed", out="data/peaks", window_bp=256, core_bp=128)
        quick = {"steps": 2, "batch_bp": 2048, "tensorboard": False}
        pre = dnaspt.pretrain(genes, out="runs/pre", preset="tiny", **quick)
        dnaspt.finetune(genes, out="runs/genes", encoder=pre, head="crf", **quick)
        dnaspt.finetune(peaks, out="runs/peaks", encoder=pre, **quick)
        sequence = "".join(Path(genome).read_text().split(">")[1].splitlines()[1:]).upper()
        ref = sequence[5_000]
        Path("calls.vcf").write_text(f"{CALLS}chr1\t5001\t.\t{ref}\t{'A' if ref != 'A' else 'C'}\t.\t.\t.\n")
    finally:
        os.chdir(before)
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_the_example_of_a_public_name_runs(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    public = getattr(dnaspt, name)
    finder = doctest.DocTestFinder(exclude_empty=True)
    examples = [test for test in finder.find(public, name, globs={"dnaspt": dnaspt}) if test.examples]
    assert examples, f"dnaspt.{name} has no example in its docstring"
    for example in examples:
        result = doctest.DocTestRunner(optionflags=FLAGS).run(example)
        assert result.failed == 0, f"the example of {example.name} fails"


@pytest.mark.parametrize("name", NAMES)
def test_a_public_docstring_begins_with_one_sentence(name: str) -> None:
    text = inspect.getdoc(getattr(dnaspt, name)) or ""
    first = text.split("\n\n")[0]
    assert first.endswith("."), f"{name}: {first!r}"
