import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tests.integration.in_process import dnaspt
from tests.unit.reports.cases import gene_scores, run_record
from tests.unit.reports.conftest import QUICK

import dnaspt as public
from dnaspt.baselines.baseline import run_baseline
from dnaspt.checkpoint_config import read_config
from dnaspt.config import FinetuneConfig
from dnaspt.data.dataset import read_split
from dnaspt.data.manifest import read_manifest
from dnaspt.data.transcript_table import read_transcripts
from dnaspt.errors import ConfigError, DnasptError
from dnaspt.evaluation.evaluate import evaluate
from dnaspt.evaluation.loci import choose_loci
from dnaspt.inference.attribution_file import read_attributions, write_attributions
from dnaspt.prepare.regions import PrepareRegionsConfig, prepare_regions
from dnaspt.reports import figures, run_page
from dnaspt.reports.explanation import kept_in_run
from dnaspt.reports.run_page import _training, write_report
from dnaspt.simulation.simulate import SimulateConfig, simulate
from dnaspt.training.finetune import finetune


@pytest.fixture(scope="module")
def page(runs: Path, gene_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report") / "genes.html"
    return write_report(out, gene_data, [runs / "a", runs / "b", runs / "c"], runs / "pre")


class Page(HTMLParser):
    """Tags, ids and addresses of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("src", "href", "xlink:href", "srcset", "action"):
                self.addresses.append(value or "")


def test_a_report_is_one_file_that_loads_nothing(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    parsed = Page(text)
    assert not {"img", "iframe", "object"} & set(parsed.tags)
    files = [address for address in parsed.addresses if not address.startswith(("#", "data:"))]
    assert all((page.parent / address).is_file() for address in files)
    assert "default-src &#39;none&#39;" in text and "<script src" not in text
    assert not re.search(r"@import|url\((?!#)", text[: text.index("<body>")])
    assert parsed.tags.count("svg") == 6


def test_ids_are_unique_and_every_reference_within_a_report_has_one(page: Path) -> None:
    parsed = Page(page.read_text(encoding="utf-8"))
    assert len(parsed.ids) == len(set(parsed.ids))
    assert {address[1:] for address in parsed.addresses if address.startswith("#")} <= set(parsed.ids)


def test_every_figure_is_also_a_file_of_its_own(page: Path) -> None:
    files = {file.name for file in (page.parent / "genes_figures").iterdir()}
    assert files == {"scores.svg", "locus.svg", "pretraining.svg", "loss.svg", "valid.svg", "valid_exons.svg"}


def test_the_command_writes_a_report_of_one_run_without_pretraining(
    runs: Path, gene_data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "sub" / "one.html"
    ran = dnaspt("report", runs / "a", "--data", gene_data, "--out", out)
    assert ran.code == 0 and f"{out}: written" in ran.printed, ran.errors
    assert "Self-pretraining raises" not in out.read_text(encoding="utf-8")


def test_a_locus_lies_in_the_test_split_and_shows_its_annotation(runs: Path, gene_data: Path) -> None:
    (locus,) = choose_loci(gene_data, [(runs / "a", False), (runs / "c", True)])
    rows = read_split(gene_data, "test")
    covering = (rows.chrom == locus.chrom) & (rows.end > locus.start) & (rows.start < locus.end)
    assert rows.start[covering].min() <= locus.start < locus.end <= rows.end[covering].max()
    longest = [transcript for transcript, is_longest in read_transcripts(gene_data, "test") if is_longest]
    inside = [t for t in longest if t.chrom == locus.chrom and t.start < locus.end and locus.start < t.end]
    assert list(locus.truth) == inside
    assert inside
    assert len(locus.predicted) == 2


def test_a_report_of_windows_sets_labels_beside_the_cpg_count(tmp_path: Path) -> None:
    data, genome = tmp_path / "peaks", tmp_path / "genome"
    simulate(SimulateConfig(out=genome, n_contigs=2, contig_bp=40_000))
    peaks = (genome / "peaks_A.bed", genome / "peaks_B.bed")
    prepare_regions(PrepareRegionsConfig(out=data, genome=genome / "genome.fa", regions=peaks))
    finetune(FinetuneConfig(data=data, out=tmp_path / "run", preset="tiny", **QUICK))
    evaluate(tmp_path / "run", data)
    write_report(tmp_path / "peaks.html", data, [tmp_path / "run"], None)
    text = (tmp_path / "peaks.html").read_text(encoding="utf-8")
    assert re.search(r"Counting the CpGs of a window alone reaches mean AUROC [^:]*: [^:]*, [+-]0\.\d+ \[", text)
    labels = read_config(tmp_path / "run").labels
    assert all(label in text for label in labels)
    for part in ("ROC curves on the test split", "Precision-recall curves on", "Calibration", "genome-view"):
        assert part in text
    for model in ("kmer", "markov"):
        run_baseline(data, tmp_path / model, model=model)
    write_report(tmp_path / "beside.html", data, [tmp_path / "run"], baselines=[tmp_path / "kmer", tmp_path / "markov"])
    text = (tmp_path / "beside.html").read_text(encoding="utf-8")
    for part in (
        "comparison of 1 run and 2 baselines",
        "4-mers",
        "Markov chains",
        "none (baseline)",
        "This is one training run",
    ):
        assert part in text
    assert f"dnaspt baseline {data} --out {tmp_path / 'markov'} --model markov" in text
    assert f"4-mers: P({labels[0]})" in text and f"Markov chains: P({labels[0]})" in text


def test_a_report_shows_another_gene_finder_beside_the_runs(
    runs: Path, gene_data: Path, simulated: Path, tmp_path: Path
) -> None:
    run_baseline(gene_data, tmp_path / "other", annotation=simulated / "annotation.gff3")
    out = tmp_path / "beside.html"
    ran = dnaspt("report", runs / "c", "--baseline", tmp_path / "other", "--data", gene_data, "--out", out)
    assert ran.code == 0, ran.errors
    text = out.read_text(encoding="utf-8")
    assert "comparison of 1 run and 1 baseline" in text and "annotation.gff3, head alone" not in text
    assert "On the test split annotation.gff3" in text
    view = re.search(r'<script type="application/json" id="view-\d+">(.*?)</script>', text)
    assert view is not None
    names = [track["name"] for track in json.loads(view[1])["tracks"]]
    crf = next(name for name in names if name.endswith("P(coding), reverse strand below")).split(":")[0]
    assert names == [
        "annotation",
        crf,
        f"{crf}: P(coding), reverse strand below",
        "annotation.gff3",
        "labels of the dataset",
    ]


@pytest.mark.parametrize("option", ["run", "baseline"])
def test_runs_and_baselines_are_not_taken_for_each_other(
    option: str, runs: Path, gene_data: Path, simulated: Path, tmp_path: Path
) -> None:
    run_baseline(gene_data, tmp_path / "other", annotation=simulated / "annotation.gff3")
    first, second, told = {
        "run": (tmp_path / "other", tmp_path / "other", "holds a baseline, not a run; give it with --baseline"),
        "baseline": (runs / "a", runs / "c", "holds no baseline; expected a folder of 'dnaspt baseline'"),
    }[option]
    ran = dnaspt("report", first, "--baseline", second, "--data", gene_data, "--out", tmp_path / "x.html")
    assert ran.code == 2 and told in ran.errors[-1]


def test_a_report_draws_attributions_of_the_weights_and_data_at_hand(
    windows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, out = tmp_path / "run", tmp_path / "page.html"
    finetune(FinetuneConfig(data=windows, out=run, preset="tiny", head="sigmoid", **QUICK))
    evaluate(run, windows)
    label = read_manifest(windows).labels[0]
    assert "What the model reads" not in write_report(out, windows, [run]).read_text(encoding="utf-8")
    with pytest.raises(ConfigError, match="no run keeps attributions to draw; run 'dnaspt explain"):
        write_report(out, windows, [run], loci=["chr1:1-2"], overwrite=True)
    public.explain(run, data=windows, label=label, method="gradient", n_windows=4)
    text = write_report(out, windows, [run], overwrite=True).read_text(encoding="utf-8")
    assert "What the model reads" in text and f"contributes to the log-odds of {label}, in nats, by gradient" in text
    assert (tmp_path / "page_figures" / "logos1.svg").is_file()
    parsed = Page(text)
    assert len(parsed.ids) == len(set(parsed.ids))
    found = read_attributions(kept_in_run(run, "test"))
    chrom, first = found.chrom[1], int(found.start[1])
    loci = [str(found.names[0]), f"{chrom}:{first + 11}-{first + 40}"]
    text = write_report(out, windows, [run], loci=loci, overwrite=True).read_text(encoding="utf-8")
    assert f"Asked for: {loci[0]}, {loci[1]}; of whole windows" in text
    with pytest.raises(ConfigError, match=r"chr9:1-2: no run has attributions of it; there are windows such as"):
        write_report(out, windows, [run], loci=["chr9:1-2"], overwrite=True)
    write_attributions(kept_in_run(run, "test"), replace(found, weights="of another run"))
    with pytest.raises(
        ConfigError, match=r"no run has attributions of it \(those of scratch are of other weights or data"
    ):
        write_report(out, windows, [run], loci=loci, overwrite=True)
    text = write_report(out, windows, [run], overwrite=True).read_text(encoding="utf-8")
    assert "are of other weights or data than here: run 'dnaspt explain' again" in text.replace("&#39;", "'")
    monkeypatch.setattr(run_page, "find_spec", lambda name: None)
    text = write_report(out, windows, [run], overwrite=True).read_text(encoding="utf-8")
    assert "Logos need tangermeme, which is not installed; pip install tangermeme." in text
    with pytest.raises(ConfigError, match="logos need tangermeme"):
        write_report(out, windows, [run], loci=loci, overwrite=True)


def test_a_comparison_is_told_with_the_interval_of_the_difference(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    interval = r"[+-]0\.\d+ \[[+-]0\.\d+, [+-]0\.\d+\]\."
    assert re.search(
        rf"self-pretraining with softmax cannot .* differ in encoder size; the difference is {interval}", text
    )
    assert re.search(rf"The CRF head instead of softmax .*: {interval}", text)


def test_a_folder_is_no_name_of_a_report(runs: Path, gene_data: Path, tmp_path: Path) -> None:
    with pytest.raises(DnasptError, match="is a folder; expected the name of an HTML file"):
        write_report(tmp_path, gene_data, [runs / "a"])


def test_a_report_does_not_replace_a_file_that_is_no_page(gene_data: Path, runs: Path, tmp_path: Path) -> None:
    genome = tmp_path / "genome.fa"
    genome.write_text(">chr1\nACGT\n")
    with pytest.raises(DnasptError, match=r"genome\.fa: a report is an HTML file; expected a name that ends in \.html"):
        write_report(genome, gene_data, [runs / "a"])
    assert genome.read_text() == ">chr1\nACGT\n"


def test_beside_networks_a_gene_model_has_no_curve(gene_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[tuple[str, int]] = []
    curves = figures.curves

    def keep(lines: list[figures.Curve], *rest: object) -> object:
        drawn.extend((line.name, line.style) for line in lines)
        return curves(lines, *rest)

    monkeypatch.setattr(figures, "curves", keep)
    rows = tuple({"step": step, "loss": 1.0, "valid_mcc": 0.5} for step in (1, 2))
    network = replace(run_record("scratch + CRF", "crf", gene_scores([8, 9])), metrics=rows)
    section = _training([run_record("SPT", "gene-model", gene_scores([8, 9])), network], read_manifest(gene_data))
    assert set(drawn) == {("scratch + CRF", 1)}  # in the color of the second run, as in the other figures
    assert section.text == "Without curves, since no steps were trained: SPT."
    assert "different heads" not in section.pictures[0].caption
