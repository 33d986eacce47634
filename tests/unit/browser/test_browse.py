import json
import re
import shutil
import socket
import urllib.request
from pathlib import Path

import pytest

from dnaspt.browser.browse import serve
from dnaspt.errors import CheckpointError, ConfigError, InputError


def read(url: str) -> bytes:
    with urllib.request.urlopen(url) as response:
        return bytes(response.read())


def view_of(page: bytes) -> dict[str, object]:
    found = re.search(rb'<script type="application/json" id="view">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return dict(json.loads(found[1]))


def test_files_and_runs_are_served_with_the_genome(simulated: Path, shown_runs: dict[str, Path]) -> None:
    genome, annotation = simulated / "genome.fa", simulated / "annotation.gff3"
    with serve([simulated / "peaks_A.bed", shown_runs["crf"], annotation], genome, locus="chr2:1,001-2,000") as browser:
        assert browser.tracks == ("annotation.gff3", "crf", "crf: P(coding), reverse strand below", "peaks_A.bed")
        assert browser.locus == "chr2:1,001-2,000"
        view = view_of(read(browser.url))
        assert view["loci"] == [{"chr": "chr2", "start": 1000, "end": 2000}]
        assert read(browser.url + "genome.fa") == genome.read_bytes()
        assert read(browser.url + view["tracks"][0]["url"]) == annotation.read_bytes()  # type: ignore[index]
        service = view["tracks"][2]["service"]  # type: ignore[index]
        assert json.loads(read(f"{browser.url}{service}?chr=chr2&start=1000&end=2000"))
        assert read(browser.url + "igv.min.js").startswith(b"!function")
    assert not (simulated / "genome.fa.fai").exists()


def test_the_first_row_of_a_file_is_shown_first(simulated: Path, tmp_path: Path) -> None:
    (tmp_path / "one.bed").write_text("chr3\t15000\t15100\n")
    with serve([tmp_path / "one.bed"], simulated / "genome.fa") as browser:
        assert browser.locus == "chr3:4,001-24,000"
    with serve([], simulated / "genome.fa") as browser:
        assert browser.locus == "chr1:1-20,000" and browser.tracks == ()


@pytest.mark.parametrize(
    ("locus", "shown"),
    [
        ("chr2", "chr2:1-20,000"),
        ("chr2:500", "chr2:1-20,000"),
        ("chr2:500-600", "chr2:500-600"),
        ("chr2:20,000-99,999", "chr2:20,000-24,000"),
        (" chr2:7-7 ", "chr2:7-7"),
    ],
)
def test_a_locus_is_read_as_genome_browsers_write_it(simulated: Path, locus: str, shown: str) -> None:
    with serve([], simulated / "genome.fa", locus=locus) as browser:
        assert browser.locus == shown


@pytest.mark.parametrize(
    "locus", ["chr9", "chr9:1-5", "chr2:0-5", "chr2:9-5", "chr2:24,001-24,005", "chr2:,", ":", "chr2:a-b"]
)
def test_a_locus_that_is_not_there_is_told(simulated: Path, locus: str) -> None:
    with pytest.raises(ConfigError, match=f"locus '{locus}'"):
        serve([], simulated / "genome.fa", locus=locus)


def test_the_folder_of_a_baseline_stands_for_its_genes(simulated: Path, gene_data: Path, tmp_path: Path) -> None:
    from dnaspt.baselines.baseline import run_baseline

    run_baseline(gene_data, tmp_path / "augustus", annotation=simulated / "annotation.gff3")
    with serve([tmp_path / "augustus"], simulated / "genome.fa") as browser:
        assert browser.tracks == ("augustus",)


def test_a_run_with_genes_in_its_folder_is_a_run(simulated: Path, shown_runs: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(shown_runs["crf"], tmp_path / "run")
    shutil.copy(simulated / "annotation.gff3", tmp_path / "run" / "genes.gff3")
    with serve([tmp_path / "run"], simulated / "genome.fa") as browser:
        assert browser.tracks == ("run", "run: P(coding), reverse strand below")


def test_what_cannot_be_shown_is_told(simulated: Path, tmp_path: Path) -> None:
    genome = simulated / "genome.fa"
    with pytest.raises(InputError, match="no such file or folder"):
        serve([tmp_path / "x.bed"], genome)
    with pytest.raises(CheckpointError, match="has no checkpoint in it"):
        serve([tmp_path], genome)
    with pytest.raises(InputError, match="a file of another kind"):
        serve([genome], genome)


def test_names_are_escaped_in_the_page(tmp_path: Path) -> None:
    genome = tmp_path / "<img src=x onerror=alert(1)>.fa"
    genome.write_text(">c</script>\nACGTACGT\n")
    bed = tmp_path / "a<b>.bed"
    bed.write_text("c</script>\t1\t5\n")
    with serve([bed], genome) as browser:
        page = read(browser.url)
    assert page.count(b"<img") == 0 and page.count(b"</script>") == 3
    assert view_of(page)["loci"] == [{"chr": "c</script>", "start": 0, "end": 8}]


def test_an_error_leaves_no_temporary_folder(simulated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ConfigError, match="choose another --port"):
            serve([], simulated / "genome.fa", port=taken.getsockname()[1])
    assert list(tmp_path.iterdir()) == []
