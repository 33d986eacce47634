"""The package is one for any system: what Linux can show of that, with a Windows that is pretended (`pretended_windows`)."""

import ast
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from tests.unit.pretended_windows import is_forbidden

import dnaspt

ROOT = Path(__file__).parents[2]
SOURCES = sorted(Path(dnaspt.__file__).parent.rglob("*.py"))
SHIPPED = [*SOURCES, *sorted((ROOT / "workflow").rglob("*.py"))]
IMPORT_ALL = """
import importlib, pkgutil
from tests.unit.pretended_windows import pretend, take_from_dnaspt
pretend()
import dnaspt
names = [module.name for module in pkgutil.walk_packages(dnaspt.__path__, "dnaspt.")]
for name in names:
    if name != "dnaspt.__main__" and not name.endswith("_triton"):
        importlib.import_module(name)
take_from_dnaspt()
"""
USE = """
import gzip, sys
from pathlib import Path
import pandas as pd

short = dict(batch_bp=2048, steps=2, precision="32", accelerator="cpu")
dnaspt.simulate("g", n_contigs=3, contig_bp=50_000, seed=1)
names = {"chr1": "chr:1|a*?", "chr2": "NUL", "chr3": "größe<3>"} # no name of a file on Windows, and not in ASCII
for file in sorted(Path("g").iterdir()):
    text = file.read_text(encoding="utf-8")
    for old, new in names.items():
        text = text.replace(old, new)
    file.write_text(text.replace("\\n", "\\r\\n"), encoding="utf-8", newline="") # as Windows writes text
data = dnaspt.prepare_genes("g/genome.fa", "g/annotation.gff3", out="data/genes", window_bp=1024)
dnaspt.prepare_genes("g/genome.fa", "g/annotation.gff3", out="data/genes", window_bp=512, overwrite=True)
pre = dnaspt.pretrain(data, out="runs/pre", preset="tiny", **short)
dnaspt.pretrain(data, out="runs/pre", preset="tiny", overwrite=True, **short)
run = dnaspt.finetune(data, out="runs/genes", encoder=pre, head="crf", **short)
dnaspt.finetune(data, out="runs/genes", encoder=pre, head="crf", resume=True, **(short | {"steps": 3}))
dnaspt.evaluate(run, data)
dnaspt.report(run, data=data, out="report.html", pretrain=pre)
dnaspt.report(run, data=data, out="report.html", pretrain=pre, overwrite=True)
model = dnaspt.load(dnaspt.finetune(data, out="runs/model", head="gene-model"))
for again in (False, True):
    model.predict_file("g/genome.fa", "genes.gff3", proteins="proteins.fa", cds="cds.fa", overwrite=again)
model.predict_file("g/genome.fa", "genes.gtf")
dnaspt.compare_annotations("g/annotation.gff3", "genes.gff3", "g/genome.fa", out="compared.csv")
dnaspt.compare_annotations("g/annotation.gff3", "genes.gff3", "g/genome.fa", out="compared.json")
dnaspt.prepare_regions("g/genome.fa", ["g/peaks_A.bed", "g/peaks_B.bed"], out="data/peaks", window_bp=256)
peaks = dnaspt.finetune("data/peaks", out="runs/peaks", encoder=pre, **short)
dnaspt.evaluate(peaks, "data/peaks")
dnaspt.baseline("data/peaks", out="runs/cpg", model="cpg")
for suffix in (".bed", ".bw", ".parquet"):
    dnaspt.load(peaks).predict_file("g/genome.fa", f"peaks{suffix}", threshold=0.0)
base = Path("g/genome.fa").read_text(encoding="utf-8").splitlines()[1][9].upper()
header = "##fileformat=VCFv4.2\\n#CHROM\\tPOS\\tID\\tREF\\tALT\\tQUAL\\tFILTER\\tINFO\\n"
row = f"{names['chr1']}\\t10\\t.\\t{base}\\t{'A' if base != 'A' else 'C'}\\t.\\t.\\t.\\n"
Path("calls.vcf").write_text(header + row, encoding="utf-8", newline="\\n")
dnaspt.score_variants(pre, "calls.vcf", "g/genome.fa", out="scored.vcf")
sequences = [letter * n for letter in "ACGT" for n in range(9, 19)]
rows = {"name": [f"ä{n}" for n in range(40)], "sequence": sequences, "label": [0, 1] * 20}
pd.DataFrame(rows).to_csv("rows.csv", index=False, encoding="utf-8", lineterminator="\\r\\n")
table = dnaspt.prepare_sequences("rows.csv", out="data/rows", fractions=(0.5, 0.25, 0.25))
plain = dnaspt.finetune(table, out="runs/rows", **short)
from dnaspt.inference.sequence_file import predict_sequences_file
for suffix in (".csv", ".tsv", ".jsonl"):
    predict_sequences_file(plain, "rows.csv", f"rows_scored{suffix}")
dnaspt.load(pre).embed_file("windows.parquet", genome="g/genome.fa", window_bp=5000)
dnaspt.prepare_unlabeled("g/genome.fa", out="data/unlabeled")
dnaspt.export(plain, to="exported")
other = dnaspt.finetune(table, out="runs/other", seed=1, **short)
dnaspt.ensemble(table, [plain, other], out="runs/both")
rows["label"] = [n / 7 for n in range(40)]
pd.DataFrame(rows).to_csv("numbers.csv", index=False, encoding="utf-8", lineterminator="\\r\\n")
numbers = dnaspt.prepare_sequences("numbers.csv", out="data/numbers", fractions=(0.5, 0.25, 0.25))
dnaspt.evaluate(dnaspt.finetune(numbers, out="runs/numbers", **short), numbers)
settings = {"data": "data/peaks", "seeds": [0], "learning_rates": [1e-3], "arms": [{"name": "CpG: count", "init": "cpg"}]}
dnaspt.study(settings, out="study")
print(dnaspt.inspect("data/genes"))
"""


def run(code: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run Python code in a folder; its modules are those of the tests."""
    paths = os.pathsep.join([str(ROOT), str(SOURCES[0].parents[1]), os.environ.get("PYTHONPATH", "")])
    settings = os.environ | {"PYTHONPATH": paths} | environment
    return subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=folder, env=settings, check=False)


@pytest.mark.slow
def test_every_module_imports_without_the_modules_of_posix_systems(tmp_path: Path) -> None:
    said = run(IMPORT_ALL + "print(len(names))", tmp_path)
    assert said.returncode == 0, said.stderr.decode()
    assert int(said.stdout) > 100


@pytest.mark.slow
def test_the_commands_work_on_a_pretended_windows_and_write_the_same_text_there(tmp_path: Path) -> None:
    said = run(IMPORT_ALL + textwrap.dedent(USE), tmp_path)
    assert said.returncode == 0, said.stderr.decode()
    written = [path for path in tmp_path.rglob("*") if tmp_path / "g" not in path.parents]
    assert len(written) > 100
    assert not [path for path in written if is_forbidden(path.name)]
    texts = 0
    for path in written:
        if path.suffix in {
            ".gff3",
            ".gtf",
            ".bed",
            ".fa",
            ".csv",
            ".tsv",
            ".json",
            ".jsonl",
            ".vcf",
            ".html",
            ".svg",
            ".md",
        }:
            assert b"\r" not in path.read_bytes() or path.name in ("rows.csv", "numbers.csv"), path
            path.read_bytes().decode("utf-8")
            texts += 1
    assert texts > 30
    assert "größe<3>".encode() in (tmp_path / "genes.gff3").read_bytes()


def calls() -> list[tuple[str, ast.Call, str]]:
    """Every call in the shipped code: where it stands, the call, the name of what is called."""
    found = []
    for path in SHIPPED:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                function = node.func
                name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
                found.append((f"{path.relative_to(ROOT)}:{node.lineno}", node, name))
    return found


def keywords(call: ast.Call) -> dict[str, object]:
    """The keywords of a call, with their values where these are constants."""
    return {word.arg or "**": getattr(word.value, "value", None) for word in call.keywords}


def mode_of(call: ast.Call, name: str) -> str:
    """The mode of a call that opens a file; "" for any other call."""
    owner = call.func.value if isinstance(call.func, ast.Attribute) else None
    is_method = owner is not None and getattr(owner, "id", "") not in ("gzip", "bz2", "io")
    if name not in ("open", "open_text", "fdopen") or getattr(owner, "id", "") in ("pybigtools", "tarfile"):
        return ""
    given = [keywords(call).get("mode"), *(getattr(argument, "value", None) for argument in call.args)]
    modes = [mode for mode in given if isinstance(mode, str) and mode and not set(mode) - set("rwxabt+")]
    return modes[0] if modes else "" if is_method or name != "open" else "r"


def test_text_is_written_in_utf_8_with_the_line_ends_of_unix_on_every_system() -> None:
    """Without `newline`, Python writes those of the system; without `encoding`, it takes that of the user's country."""
    wrong = []
    for where, call, name in calls():
        words = keywords(call)
        mode = mode_of(call, name)
        writes_text = name == "write_text" or (mode.strip("+bt") in ("w", "a", "x") and "b" not in mode)
        if writes_text and not (words.get("encoding") in ("utf-8", "ascii") and words.get("newline") == "\n"):
            wrong.append(f"{where}: {name} without encoding and newline")
        if name == "read_text" and "encoding" not in words and "resources" not in ast.dump(call):
            wrong.append(f"{where}: read_text without encoding")
        if name in ("to_csv", "writer") and "csv" in ast.dump(call.func) and words.get("lineterminator") != "\n":
            wrong.append(f"{where}: {name} without lineterminator")
        if words.get("text") is True or words.get("universal_newlines") is True:
            wrong.append(f"{where}: a process whose output is read without encoding")
    assert not wrong, "\n".join(wrong)


ODD_LANGUAGES = (
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "cp1252"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii:strict"},
)


@pytest.mark.slow
@pytest.mark.parametrize("environment", ODD_LANGUAGES, ids=("C", "cp1252", "ascii"))
def test_the_command_line_works_where_the_terminal_has_few_letters(environment: dict[str, str], tmp_path: Path) -> None:
    classes = ("β-cells → on", "größe", "others")
    rows = "".join(f"{letter * n},{classes[n % 3]}\n" for letter in "ACGT" for n in range(9, 24))
    for name in ("rows.csv", "größe.csv"):
        (tmp_path / name).write_text(f"sequence,label\n{rows}", encoding="utf-8", newline="\n")
    prepare = ["prepare", "sequences", "--sequences"]
    for words, code in (
        ([*prepare, "rows.csv", "--out", "data"], 0),
        (["inspect", "data"], 0),
        ([*prepare, "größe.csv", "--out", "others"], 2),
    ):
        command = [sys.executable, "-m", "dnaspt", *words]
        said = subprocess.run(command, capture_output=True, cwd=tmp_path, env=os.environ | environment, check=False)
        errors = said.stderr.decode(errors="replace")
        assert said.returncode == code and "Traceback" not in errors, errors
    assert errors.startswith("error: sequences = 'gr\\udcc3") and errors.count("\n") == 1
    assert "β-cells → on" in (tmp_path / "data" / "manifest.json").read_text(encoding="utf-8")
