import json
import math
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from dnaspt.checkpoint import CheckpointConfig, read_config
from dnaspt.cli.main import main
from dnaspt.config import EncoderConfig, FinetuneConfig, PretrainConfig
from dnaspt.data.dataset import read_split
from dnaspt.data.manifest import read_manifest
from dnaspt.data.transcript_table import read_transcripts
from dnaspt.errors import CheckpointError, DnasptError, InputError
from dnaspt.evaluation.evaluate import evaluate
from dnaspt.evaluation.loci import choose_locus
from dnaspt.evaluation.metrics import Score
from dnaspt.prepare.regions import PrepareRegionsConfig, prepare_regions
from dnaspt.reports import figures
from dnaspt.reports.records import RunRecord, read_runs
from dnaspt.reports.run_page import write_report
from dnaspt.reports.run_tables import commands
from dnaspt.reports.run_text import answer
from dnaspt.simulation.simulate import SimulateConfig, simulate
from dnaspt.training.finetune import finetune
from dnaspt.training.pretrain import pretrain

QUICK = {"steps": 2, "batch_bp": 2048, "tensorboard": False, "precision": "32", "accelerator": "cpu"}


@pytest.fixture(scope="module")
def runs(gene_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with a pretraining run and three evaluated arms, two steps each."""
    folder = tmp_path_factory.mktemp("runs")
    encoder = EncoderConfig(hidden_size=8, n_layers=2)
    pretrain(PretrainConfig(data=gene_data, out=folder / "pre", encoder=encoder, **QUICK))
    for name, start, head in (("a", None, "softmax"), ("b", folder / "pre", "softmax"), ("c", folder / "pre", "crf")):
        config = FinetuneConfig(data=gene_data, out=folder / name, encoder=start, preset="tiny", head=head, **QUICK)
        finetune(config)
        evaluate(folder / name, gene_data)
    return folder


@pytest.fixture(scope="module")
def page(runs: Path, gene_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report") / "genes.html"
    write_report(out, gene_data, [runs / "a", runs / "b", runs / "c"], runs / "pre")
    return out


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
    assert not {"script", "link", "img", "iframe", "object"} & set(parsed.tags)
    assert all(address.startswith("#") for address in parsed.addresses)
    assert not re.search(r"@import|url\((?!#)", text)
    assert parsed.tags.count("svg") == 5


def test_ids_are_unique_and_every_reference_within_a_report_has_one(page: Path) -> None:
    parsed = Page(page.read_text(encoding="utf-8"))
    assert len(parsed.ids) == len(set(parsed.ids))
    assert {address[1:] for address in parsed.addresses} <= set(parsed.ids)


def test_every_figure_is_also_a_file_of_its_own(page: Path) -> None:
    files = {file.name for file in (page.parent / "genes_figures").iterdir()}
    assert files == {"scores.svg", "locus.svg", "pretraining.svg", "loss.svg", "valid.svg"}


def test_runs_are_named_by_what_was_varied(runs: Path, gene_data: Path) -> None:
    records = read_runs([runs / "a", runs / "b", runs / "c"], gene_data, read_manifest(gene_data))
    assert [record.name for record in records] == ["scratch + softmax", "SPT + softmax", "SPT + CRF"]


def test_runs_alike_are_told_apart_by_their_folders(runs: Path, gene_data: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "a", tmp_path / "again")
    shutil.copytree(runs / "a", tmp_path / "other" / "a")
    folders = [runs / "a", tmp_path / "again", runs / "c", tmp_path / "other" / "a"]
    names = [record.name for record in read_runs(folders, gene_data, read_manifest(gene_data))]
    assert names[1:3] == ["scratch + softmax (again)", "SPT + CRF"]
    assert names[0] == f"scratch + softmax ({runs / 'a'})"
    assert len(set(names)) == 4


def test_a_run_that_was_not_evaluated_is_an_error_that_names_the_command(
    runs: Path, gene_data: Path, tmp_path: Path
) -> None:
    shutil.copytree(runs / "a", tmp_path / "a")
    (tmp_path / "a" / "evaluation-test.json").unlink()
    with pytest.raises(DnasptError, match=f"dnaspt evaluate {tmp_path / 'a'} --data {gene_data}"):
        write_report(tmp_path / "x.html", gene_data, [tmp_path / "a"], None)
    assert not (tmp_path / "x.html").exists()


def test_scores_of_another_dataset_are_refused(runs: Path, gene_data: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "a", tmp_path / "a")
    file = tmp_path / "a" / "evaluation-test.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"data_digest": "0"}))
    with pytest.raises(DnasptError, match="another dataset"):
        write_report(tmp_path / "x.html", gene_data, [tmp_path / "a"], None)


def test_a_language_model_is_no_run_to_compare(runs: Path, gene_data: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="holds a language model"):
        write_report(tmp_path / "x.html", gene_data, [runs / "pre"], None)
    with pytest.raises(CheckpointError, match="holds a fine-tuned model"):
        write_report(tmp_path / "x.html", gene_data, [runs / "a"], runs / "a")


def test_a_broken_row_of_metrics_is_an_error_with_its_line(runs: Path, gene_data: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "a", tmp_path / "a")
    with (tmp_path / "a" / "metrics.jsonl").open("a") as file:
        file.write('{"step": 3, "lo')
    n_lines = len((tmp_path / "a" / "metrics.jsonl").read_text().splitlines())
    with pytest.raises(InputError, match=rf"metrics.jsonl:{n_lines}: "):
        write_report(tmp_path / "x.html", gene_data, [tmp_path / "a"], None)


def test_the_command_writes_a_report_of_one_run_without_pretraining(
    runs: Path, gene_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "sub" / "one.html"
    monkeypatch.setattr("sys.argv", ["dnaspt", "report", str(runs / "a"), "--data", str(gene_data), "--out", str(out)])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 0
    assert "Self-pretraining raises" not in out.read_text(encoding="utf-8")


def test_eight_arms_are_told_apart_by_color_line_and_marker() -> None:
    for part in zip(*(figures._style(index) for index in range(8)), strict=True):
        assert len(set(part)) == 8


def test_a_locus_lies_in_the_test_split_and_shows_its_annotation(runs: Path, gene_data: Path) -> None:
    locus = choose_locus(gene_data, [(runs / "a", False), (runs / "c", True)])
    assert locus is not None
    rows = read_split(gene_data, "test")
    covering = (rows.chrom == locus.chrom) & (rows.end > locus.start) & (rows.start < locus.end)
    assert rows.start[covering].min() <= locus.start < locus.end <= rows.end[covering].max()
    longest = [transcript for transcript, is_longest in read_transcripts(gene_data, "test") if is_longest]
    inside = [t for t in longest if t.chrom == locus.chrom and t.start < locus.end and locus.start < t.end]
    assert list(locus.truth) == inside
    assert inside
    assert len(locus.predicted) == 2


def test_commands_hold_every_setting_that_is_not_the_default(runs: Path, gene_data: Path) -> None:
    (record,) = read_runs([runs / "b"], gene_data, read_manifest(gene_data))
    toml, tuned, scored = commands([record], None, gene_data)
    assert json.loads(toml.split("JSON: ")[1]) == {"tensorboard": False}
    for words in (f"--encoder {runs / 'pre'}", "--steps 2", "--batch-bp 2048", "--head softmax", "--config b.toml"):
        assert words in tuned
    assert scored == f"dnaspt evaluate {runs / 'b'} --data {gene_data} --split test"


def record(name: str, head: str, score: tuple[float, float, float], **settings: object) -> RunRecord:
    value, low, high = score
    encoder = {"encoder": {"path": "pre"}} if name.startswith("SPT") else {}
    config = CheckpointConfig(kind="task", encoder=EncoderConfig(), task="genes", head=head, provenance=encoder)
    mcc = {"mcc": {"value": value, "low": low, "high": high}}
    return RunRecord(Path(name), name, name.split()[0], head, config, {"seed": 0} | settings, {"steps": 9}, (), mcc)


def test_intervals_that_overlap_are_no_clear_difference(gene_data: Path) -> None:
    arms = [record("scratch", "softmax", (0.40, 0.35, 0.45)), record("SPT", "softmax", (0.47, 0.44, 0.50))]
    told = " ".join(answer(arms, read_manifest(gene_data), None))
    assert "Self-pretraining with softmax: no clear difference in MCC" in told
    assert "raises" not in told


def test_intervals_apart_are_a_difference_with_its_size_and_direction(gene_data: Path) -> None:
    low, high = (0.40, 0.35, 0.43), (0.52, 0.44, 0.55)
    for first, second, verb in ((low, high, "raises"), (high, low, "lowers")):
        arms = [record("scratch", "softmax", first), record("SPT", "softmax", second)]
        told = " ".join(answer(arms, read_manifest(gene_data), None))
        assert f"Self-pretraining {verb} MCC with softmax by 0.120" in told
        assert "trained once, with seed 0" in told


def test_arms_that_differ_in_another_setting_are_said_to(gene_data: Path) -> None:
    arms = [
        record("scratch", "softmax", (0.40, 0.35, 0.43), learning_rate=1e-3),
        record("SPT", "softmax", (0.52, 0.44, 0.55), learning_rate=2e-3),
    ]
    told = " ".join(answer(arms, read_manifest(gene_data), None))
    assert "also differ in learning rate; their 95 % intervals do not overlap" in told
    assert "raises" not in told
    arms[1] = replace(arms[1], settings={"seed": 0, "label_fraction": 0.1})
    assert "Self-pretraining" not in " ".join(answer(arms, read_manifest(gene_data), None))


def test_a_score_that_is_not_defined_makes_no_claim(gene_data: Path) -> None:
    arms = [record("scratch", "softmax", (0.4, 0.3, 0.5)), record("SPT", "softmax", (math.nan, math.nan, math.nan))]
    told = " ".join(answer(arms, read_manifest(gene_data), None))
    assert "cannot be told" in told
    assert "nan" not in told


def test_names_are_escaped_in_page_and_figure() -> None:
    scores = {"<b>&$x$": [Score(0.5, 0.4, 0.6)] * 2}
    svg = figures.to_svg(lambda: figures.score_dots(scores, ["<i>", "$y$"]), "x")
    assert "<b>" not in svg
    assert "&lt;b&gt;&amp;$x$" in svg
    assert "$y$" in svg


def test_long_labels_stand_above_all_series_of_their_row() -> None:
    names = ["a", "b", "c", "d", "e"]
    figure = figures.score_dots({f"{'long ' * 6}{row}": [Score(0.5, 0.4, 0.6)] * 5 for row in "xy"}, names)
    (axes,) = figure.axes
    for row, label in enumerate(axes.texts):
        y = [line.get_ydata()[row] for line in axes.lines if line.get_label() in names]
        assert len(y) == 5 and max(y) < label.get_position()[1] - 0.05 and min(y) > 0.5 - row


def test_a_figure_drawn_twice_is_the_same_text() -> None:
    line = figures.Curve("run", np.arange(5.0), np.arange(5.0), 0)
    first, second = (figures.to_svg(lambda: figures.curves([line], "loss", {"bar": 2.0}), "x") for _ in range(2))
    assert first == second


def test_a_thinned_curve_keeps_its_mean_and_ends_within_range() -> None:
    x, y = np.arange(24_000.0), np.sin(np.arange(24_000.0))
    few_x, few_y = figures.thinned(x, y)
    assert len(few_x) == 240
    assert few_y.mean() == pytest.approx(y.mean())
    assert x[0] <= few_x[0] < few_x[-1] <= x[-1]


def test_a_report_of_windows_sets_labels_beside_the_cpg_count(tmp_path: Path) -> None:
    data, genome = tmp_path / "peaks", tmp_path / "genome"
    simulate(SimulateConfig(out=genome, n_contigs=2, contig_bp=40_000))
    peaks = (genome / "peaks_A.bed", genome / "peaks_B.bed")
    prepare_regions(PrepareRegionsConfig(out=data, genome=genome / "genome.fa", regions=peaks))
    finetune(FinetuneConfig(data=data, out=tmp_path / "run", preset="tiny", **QUICK))
    evaluate(tmp_path / "run", data)
    write_report(tmp_path / "peaks.html", data, [tmp_path / "run"], None)
    text = (tmp_path / "peaks.html").read_text(encoding="utf-8")
    assert "Counting the CpGs of a window alone reaches" in text
    assert all(label in text for label in read_config(tmp_path / "run").labels)
