"""The wheel is for any system, has all files of the package, and works where there is no checkout."""

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

import dnaspt

ROOT = Path(__file__).parents[2]
SOURCE = Path(dnaspt.__file__).parent
USE = """
import dnaspt
assert "site-packages" in dnaspt.__file__, dnaspt.__file__
dnaspt.simulate("genome", n_contigs=3, contig_bp=20_000, seed=1)
data = dnaspt.prepare_genes("genome/genome.fa", "genome/annotation.gff3", out="data", window_bp=1024)
run = dnaspt.finetune(data, out="run", head="softmax", preset="tiny", steps=2, batch_bp=2048, accelerator="cpu")
dnaspt.evaluate(run, data)
dnaspt.report(run, data=data, out="report.html")
dnaspt.load(run).predict_file("genome/genome.fa", "genes.gff3")
"""


@pytest.mark.slow
def test_the_wheel_is_for_any_system_and_works_without_the_checkout(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path / "dist"), str(ROOT)]
    built = subprocess.run(build, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,) = (tmp_path / "dist").iterdir()
    assert wheel.name == f"dnaspt-{dnaspt.__version__}-py3-none-any.whl"

    names = set(zipfile.ZipFile(wheel).namelist())
    expected = {
        path.relative_to(SOURCE.parent).as_posix()
        for path in SOURCE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {"dnaspt/py.typed", "dnaspt/reports/report.html.j2"} <= expected
    assert {name for name in names if ".dist-info/" not in name} == expected
    assert any(name.endswith("/licenses/LICENSE") for name in names)

    venv.create(tmp_path / "venv", with_pip=True)
    scripts = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin")
    python = str(scripts / "python")
    pip = [python, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--disable-pip-version-check", str(wheel)]
    subprocess.run(pip, check=True)
    # What it depends on is that of the tests: gigabytes are not installed again.
    site = subprocess.run(
        [python, "-c", "import site; print(site.getsitepackages()[-1])"], capture_output=True, text=True
    )
    (Path(site.stdout.strip()) / "of_the_tests.pth").write_text("\n".join(p for p in sys.path if "site-packages" in p))
    work = tmp_path / "work"
    work.mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    used = subprocess.run([python, "-c", USE], cwd=work, env=environment, capture_output=True, text=True)
    assert used.returncode == 0, used.stderr
    assert "<svg" in (work / "report.html").read_text(encoding="utf-8")
    help_text = subprocess.run([scripts / "dnaspt", "--help"], env=environment, capture_output=True, text=True)
    assert "predict" in help_text.stdout
