"""Every command at 80 columns breaks no word, number or interval; with --json it prints what docs/json.md says, alone.

No command writes over what is there, unless --overwrite is given.
"""

import json
import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.integration.in_process import dnaspt
from tests.unit.cli.help_texts import COMMANDS
from tests.unit.inference.variant_models import write_vcf

from dnaspt.cli import terminal
from dnaspt.genome import alphabet
from dnaspt.genome.fasta import read_fasta
from dnaspt.progress import console
from dnaspt.reports.tables import cell

DOCUMENTED = (Path(__file__).parents[2] / "docs" / "json.md").read_text(encoding="utf-8")
WIDTH = 80
NO_TABLE = {"report", "browse", "bend download"}
QUICK = "--preset tiny --steps 2 --batch-bp 2048 --accelerator cpu"
GENOME = "--genome genome/genome.fa"
STUDY = """data = "data/peaks"
seeds = [0]
learning_rates = [0.01, 0.003]
finetune = { preset = "tiny", epochs = 0.01, batch_bp = 2048, tensorboard = false }
arms = [{ name = "from scratch, with an arm's name that is long" }, { name = "CpG count", init = "cpg" }]
"""
LINES = (
    "simulate --out genome --n-contigs 3 --contig-bp 24000 --seed 1",
    f"prepare genes {GENOME} --annotation genome/annotation.gff3 --out data/genes --window-bp 1024",
    f"prepare genes {GENOME} --annotation genome/annotation.gff3 --out data/folds --window-bp 1024 --folds 3",
    f"prepare regions {GENOME} --regions genome/peaks_A.bed --regions genome/peaks_B.bed --out data/peaks --window-bp 256",
    f"prepare methylation {GENOME} --calls genome/methylation.bedmethyl --out data/cpg --window-bp 256",
    "prepare sequences --sequences rows.csv --out data/rows",
    "prepare sequences --sequences numbers.csv --kind numbers --out data/numbers",
    "prepare sequences --sequences classes.csv --out data/classes",
    "prepare unlabeled --genome genome/genome.fa --out data/genome",
    f"pretrain data/genes --out runs/pre {QUICK}",
    f"finetune data/genes --encoder runs/pre --head crf --out runs/genes {QUICK}",
    f"finetune data/peaks --out runs/peaks {QUICK}",
    f"finetune data/peaks --out runs/other --seed 1 {QUICK}",
    f"finetune data/numbers --out runs/numbers {QUICK}",
    f"finetune data/classes --out runs/classes {QUICK}",
    "finetune data/genes --head gene-model --out runs/model",
    "ensemble runs/peaks runs/other --data data/peaks --out runs/both",
    "evaluate runs/genes --data data/genes",
    "evaluate runs/peaks --data data/peaks",
    "evaluate runs/peaks --data data/peaks --baseline kmer --baseline cpg",
    "evaluate runs/numbers --data data/numbers --baseline kmer",
    "evaluate runs/classes --data data/classes",
    "evaluate runs/model --data data/genes",
    "explain runs/peaks --data data/peaks --label peaks_A --method gradient --n-windows 2 --out explained.npz",
    "export runs/pre --out shared_pre",
    "baseline data/peaks --out runs/kmers",
    f"predict runs/genes {GENOME} --out genes.gff3",
    f"predict runs/model {GENOME} --out model.gff3 --tracks model",
    "predict runs/numbers --sequences numbers.csv --out numbers.tsv",
    f"predict runs/peaks {GENOME} --out peaks.bed",
    "predict runs/peaks --sequences rows.csv --out rows.tsv",
    f"embed runs/pre {GENOME} --out pre.parquet",
    f"decode --emissions classes.npz {GENOME} --out decoded.gff3",
    f"variants runs/pre --vcf calls.vcf {GENOME} --out scored.vcf",
    f"compare-annotations genome/annotation.gff3 genome/annotation.gff3 {GENOME}",
    "baseline data/genes --annotation genes.gff3 --out runs/annotation",
    "study study.toml --out study --dry-run",
    "study study.toml --out study --stage tune",
    "study study.toml --out study",
    *(f"inspect {name}" for name in ("data/genes", "data/folds", "data/cpg", "runs/pre", "runs/genes", "runs/peaks")),
    *(f"inspect runs/{name}" for name in ("both", "kmers", "annotation", "numbers", "classes", "model")),
    *(f"inspect data/{name}" for name in ("numbers", "classes")),
    "bend results",
)
AFTER = (
    "report runs/genes --pretrain runs/pre --data data/genes --out report.html",
    "compare-annotations genome/annotation.gff3 genes.gff3 --out compared.csv",
)
"""Commands that print no table, or write a file where that is asked for."""
WITH_BEND_FILES = {"prepare bend", "bend run"}
"""Commands that need BEND's files. Their tables are those of prepare and of study."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The working folder of the commands, at 80 columns; paths in it are short."""
    place = tmp_path_factory.mktemp("terminal")
    (place / "study.toml").write_text(STUDY)
    rows = "".join(f"{letter * 30}{pair},{k % 2}\n" for k, letter in enumerate("ACGT" * 10) for pair in ("AC", "GT"))
    (place / "rows.csv").write_text(f"sequence,label\n{rows}")
    draw = random.Random(0)
    for name, labels in (("numbers", [k / 7 for k in range(60)]), ("classes", ["low", "middle", "high"] * 20)):
        lines = [f"{''.join(draw.choices('ACGT', k=60))},{label}\n" for label in labels]
        (place / f"{name}.csv").write_text("".join(["sequence,label\n", *lines]))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setattr(console, "width", WIDTH, raising=False)
        yield place


def more_files(folder: Path) -> None:
    """Files that are made from the simulated genome."""
    import numpy as np

    contigs = {contig.name: contig.codes for contig in read_fasta(folder / "genome" / "genome.fa")}
    np.savez(
        folder / "classes.npz", **{name: np.full((len(codes), 9), 1 / 9, np.float32) for name, codes in contigs.items()}
    )
    ref = alphabet.decode(alphabet.tokens(contigs["chr1"][999:1000]))
    write_vcf(folder / "calls.vcf", [("chr1", 1000, ref, "ACGT"["ACGT".index(ref) - 1]), ("chrM", 5, "A", "C")])


class Shown:
    """The tables that a command prints: as they were meant, and as they are drawn."""

    def __init__(self, line: str, patch: pytest.MonkeyPatch) -> None:
        self.tables: list[tuple[str, Sequence[str], Sequence[Sequence[Any]]]] = []
        self.drawn, draw = "", terminal.table

        def keep(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
            self.tables.append((title, columns, rows))
            with console.capture() as captured:
                draw(title, columns, rows)
            self.drawn += captured.get()

        patch.setattr(terminal, "table", keep)
        ran = dnaspt(*line.split())
        assert ran.code == 0, ran.errors

    def unbroken(self) -> Iterator[str]:
        """What must stand on one line: words, numbers and intervals of the cells, and words of the names of columns."""
        for _, columns, rows in self.tables:
            for text in (*columns, *(cell(value) for row in rows for value in row)):
                yield from re.findall(r"\S+ \[[^\]]*\]|\d\S* of \d\S*|\S+", text)


@pytest.mark.slow
def test_every_command_fits_80_columns_and_prints_json(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for line in LINES:
        with monkeypatch.context() as patch:
            shown = Shown(line, patch)
        if line.startswith("simulate"):
            more_files(folder)
        assert shown.tables or line == "study study.toml --out study", line
        assert [long for long in shown.drawn.splitlines() if len(long) > WIDTH] == [], line
        assert [part for part in shown.unbroken() if part not in shown.drawn] == [], line
        if " --out " in line and not line.startswith("study"):
            check_refusal(line)
        check_json(line)
    for line in (*AFTER, "bend results --out results.csv"):
        assert dnaspt(*line.split()).code == 0
        check_refusal(line)
        assert dnaspt(*line.split(), "--overwrite").code == 0
    check_failures()


def content_of(path: Path) -> dict[Path, bytes]:
    files = [path] if path.is_file() else [own for own in sorted(path.rglob("*")) if own.is_file()]
    return {file: file.read_bytes() for file in files}


def check_refusal(line: str) -> None:
    """The same command again is refused in the same words, and what is there stays as it is."""
    out = Path(line.split(" --out ")[1].split()[0])
    before = content_of(out)
    ran = dnaspt(*line.split())
    assert ran.code == 2 and content_of(out) == before, line
    assert re.fullmatch(
        rf"error: {out}: already there; .*choose another --(out|to), or say --overwrite", ran.errors[-1]
    ), line


def check_failures() -> None:
    """A command that fails keeps what it was to replace."""
    Path("protein.fa").write_text(">p\nMKLV*\n")
    for line, out in (
        ("predict runs/genes --genome protein.fa --out genes.gff3", "genes.gff3"),
        ("predict runs/genes --genome genome/genome.fa --out other.gff3 --proteins rows.tsv", "rows.tsv"),
        ("variants runs/pre --vcf calls.vcf --genome protein.fa --out scored.vcf", "scored.vcf"),
        ("embed runs/pre --genome protein.fa --out pre.parquet", "pre.parquet"),
        ("prepare genes --genome protein.fa --annotation genome/annotation.gff3 --out data/genes", "data/genes"),
        ("finetune data/peaks --encoder runs/pre --out runs/peaks --batch-bp 1", "runs/peaks"),
        ("baseline data/peaks --annotation genes.gff3 --out runs/kmers", "runs/kmers"),
    ):
        before = content_of(Path(out))
        assert dnaspt(*line.split(), *(["--overwrite"] if "--proteins" not in line else [])).code == 2, line
        assert before and content_of(Path(out)) == before, line
    assert not Path("other.gff3").exists()


def check_json(line: str) -> None:
    """The same command with --json prints an object with the names of docs/json.md on standard output."""
    has_output = " --out " in line and not line.startswith("study")
    ran = dnaspt(*line.split(), "--json", *(["--overwrite"] if has_output else []))
    assert ran.code == 0, ran.errors
    content = json.loads(ran.printed, parse_constant=pytest.fail)
    documented = [set(re.findall(r"`(\w+)`", row.split("|")[2])) for row in DOCUMENTED.splitlines() if row[:1] == "|"]
    assert any(content.keys() <= names for names in documented), (line, list(content))


def test_every_command_that_prints_a_table_is_tried_and_has_json() -> None:
    tried = {name for name in COMMANDS for line in LINES if line.startswith(f"{name} ") or line == name}
    assert tried == COMMANDS.keys() - NO_TABLE - WITH_BEND_FILES
    with_json = {name for name, command in COMMANDS.items() if any("--json" in one.opts for one in command.params)}
    assert with_json == COMMANDS.keys() - NO_TABLE
    assert all(f"`{name.split()[0]}" in DOCUMENTED for name in with_json)
