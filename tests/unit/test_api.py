"""The functions of `import dnaspt`: paths as text, as `Path`, or as what other functions return; settings as keywords."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import dnaspt

QUICK: dict[str, Any] = {
    "preset": "tiny",
    "steps": 2,
    "batch_bp": 2048,
    "tensorboard": False,
    "precision": "32",
    "accelerator": "cpu",
}
SLOWER = [pytest.param(given, marks=pytest.mark.slow) for given in (Path, "object")]
LIKE_A_FOLDER = pytest.mark.parametrize("given", [os.fspath, *SLOWER])
LIKE_A_RUN = pytest.mark.parametrize(
    "kind", [os.fspath, Path, lambda run: run, lambda run: dnaspt.load(run, accelerator="cpu")]
)


def as_given(what: Any, given: Any) -> Any:
    """A dataset, run or model as it is, or its folder as text or as a path."""
    return what if given == "object" else given(what)


@pytest.fixture(scope="module")
def data(gene_data: Path) -> dnaspt.Dataset:
    return dnaspt.Dataset.open(gene_data)


@pytest.fixture(scope="module")
def peaks(simulated: Path, tmp_path_factory: pytest.TempPathFactory) -> dnaspt.Dataset:
    out = tmp_path_factory.mktemp("peaks") / "data"
    return dnaspt.prepare_regions(
        simulated / "genome.fa", simulated / "peaks_A.bed", out=out, window_bp=256, core_bp=128
    )


@pytest.fixture(scope="module")
def pretrained(data: dnaspt.Dataset, tmp_path_factory: pytest.TempPathFactory) -> dnaspt.Run:
    return dnaspt.pretrain(data, out=tmp_path_factory.mktemp("pretrained") / "run", **QUICK)


@pytest.fixture(scope="module")
def finetuned(data: dnaspt.Dataset, pretrained: dnaspt.Run, tmp_path_factory: pytest.TempPathFactory) -> dnaspt.Run:
    out = tmp_path_factory.mktemp("finetuned") / "run"
    quick = {name: value for name, value in QUICK.items() if name != "preset"}
    return dnaspt.finetune(data, out=out, encoder=pretrained, head="softmax", **quick)


@pytest.fixture
def calls(simulated: Path, tmp_path: Path) -> Path:
    base = (simulated / "genome.fa").read_text().splitlines()[1][9].upper()
    file = tmp_path / "calls.vcf"
    header = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    file.write_text(f"{header}chr1\t10\t.\t{base}\t{'A' if base != 'A' else 'C'}\t.\t.\t.\n")
    return file


@pytest.mark.parametrize("given", [str, Path, lambda path: [str(path)], lambda path: (Path(path),)])
def test_genes_are_prepared_from_files_given_in_any_way(
    given: Callable[[Path], Any], simulated: Path, data: dnaspt.Dataset, tmp_path: Path
) -> None:
    genome, annotation = given(simulated / "genome.fa"), given(simulated / "annotation.gff3")
    again = dnaspt.prepare_genes(genome, annotation, out=str(tmp_path / "data"), window_bp=1024)
    assert again.path == tmp_path / "data"
    assert again.manifest.digest == data.manifest.digest


@pytest.mark.parametrize("given", [str, Path])
def test_windows_are_prepared_from_files_given_in_any_way(
    given: Callable[[Path], Any], simulated: Path, tmp_path: Path
) -> None:
    genome = given(simulated / "genome.fa")
    regions = [given(simulated / "peaks_A.bed"), given(simulated / "peaks_B.bed")]
    peaks = dnaspt.prepare_regions(genome, regions, out=given(tmp_path / "peaks"), window_bp=256, core_bp=128)
    assert peaks.labels == ("peaks_A", "peaks_B")
    calls = given(simulated / "methylation.bedmethyl")
    cpgs = dnaspt.prepare_methylation(genome, calls, out=given(tmp_path / "cpgs"), window_bp=256)
    assert cpgs.task == "methylation"


@LIKE_A_FOLDER
def test_a_dataset_can_be_given_to_pretrain_and_finetune_wherever_its_folder_can(
    given: Any, data: dnaspt.Dataset, pretrained: dnaspt.Run, finetuned: dnaspt.Run, tmp_path: Path
) -> None:
    run = dnaspt.pretrain(as_given(data, given), out=str(tmp_path / "pre"), **QUICK)
    assert run.scores == pretrained.scores
    quick = {name: value for name, value in QUICK.items() if name != "preset"}
    encoder = as_given(pretrained, given)
    run = dnaspt.finetune(as_given(data, given), out=tmp_path / "run", encoder=encoder, head="softmax", **quick)
    assert run.scores == finetuned.scores
    assert run.path == tmp_path / "run"


@LIKE_A_FOLDER
def test_a_run_can_be_loaded_and_inspected_wherever_its_folder_can(
    given: Any, data: dnaspt.Dataset, finetuned: dnaspt.Run
) -> None:
    model = dnaspt.load(as_given(finetuned, given), accelerator="cpu")
    assert (model.task, model.head) == ("genes", "softmax")
    for what in (finetuned, data, model):
        assert dnaspt.inspect(as_given(what, given)).tables


@LIKE_A_RUN
@LIKE_A_FOLDER
def test_a_run_can_be_exported_wherever_its_folder_can(
    kind: Callable[[Any], Any], given: Any, finetuned: dnaspt.Run, tmp_path: Path
) -> None:
    exported = dnaspt.export(
        as_given(kind(finetuned), given), to=str(tmp_path / "out"), license="MIT", datasets="lab/data"
    )
    assert exported.folder == str(tmp_path / "out")
    assert "license: mit\n" in (tmp_path / "out" / "README.md").read_text()
    assert dnaspt.load(tmp_path / "out", accelerator="cpu").task == "genes"


def test_words_of_an_export_and_a_revision_are_text(tmp_path: Path) -> None:
    for call in (
        lambda: dnaspt.export("run", to=tmp_path / "out", license=None),  # type: ignore[arg-type]
        lambda: dnaspt.export("run", to=tmp_path / "out", datasets=[1]),  # type: ignore[list-item]
        lambda: dnaspt.load("lab/model", revision=None),  # type: ignore[arg-type]
    ):
        with pytest.raises(dnaspt.ConfigError, match=r"expected (a )?text"):
            call()
    with pytest.raises(dnaspt.ConfigError, match="is no name on the Hugging Face hub, so it has no revision 'main'"):
        dnaspt.load(tmp_path, revision="main")


@pytest.mark.parametrize("value", [5, [5]], ids=str)
def test_loci_and_names_of_datasets_are_texts(value: Any) -> None:
    for call, name in (
        (lambda: dnaspt.explain("run", data="data", loci=value), "loci"),
        (lambda: dnaspt.report("run", data="data", out="out.html", loci=value), "loci"),
        (lambda: dnaspt.export("run", to="out", datasets=value), "datasets"),
    ):
        with pytest.raises(dnaspt.ConfigError, match=re.escape(f"{name} = {value!r}; expected a text, or several")):
            call()


@LIKE_A_RUN
@LIKE_A_FOLDER
def test_evaluate_takes_folders_runs_models_and_datasets(
    kind: Callable[[Any], Any], given: Any, data: dnaspt.Dataset, finetuned: dnaspt.Run
) -> None:
    scores = dnaspt.evaluate(kind(finetuned), as_given(data, given), split="valid", accelerator="cpu")
    assert scores.primary.value == pytest.approx(finetuned.scores["valid_mcc"], abs=1e-12)


def test_evaluate_takes_relative_paths_as_text(
    data: dnaspt.Dataset, finetuned: dnaspt.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(finetuned.path.parent)
    (finetuned.path.parent / "data").symlink_to(data.path)
    assert dnaspt.evaluate("run", "data").split == "test"


@LIKE_A_RUN
def test_variants_are_scored_by_folders_runs_and_models(
    kind: Callable[[Any], Any], pretrained: dnaspt.Run, simulated: Path, calls: Path, tmp_path: Path
) -> None:
    out = tmp_path / "scored.parquet"
    table = dnaspt.score_variants(kind(pretrained), str(calls), simulated / "genome.fa", out=str(out), window_bp=128)
    assert len(table) == 1 and out.is_file()
    assert table["cosine"].item() > 0


@LIKE_A_FOLDER
def test_a_dataset_can_be_given_to_baseline_and_study_wherever_its_folder_can(
    given: Any, peaks: dnaspt.Dataset, tmp_path: Path
) -> None:
    folder = as_given(peaks, given)
    score = dnaspt.baseline(folder, out=str(tmp_path / "cpg"), model="cpg").primary.value
    settings = {"data": folder, "seeds": [0], "arms": [{"name": "CpG count", "init": "cpg"}]}
    result = dnaspt.study(settings, out=str(tmp_path / "study"))
    assert result.records[0].scored.primary.value == score
    again = dnaspt.study(settings | {"data": "elsewhere"}, out=tmp_path / "study", data=folder, records=None)
    assert again.records[0].scored.primary.value == score


@LIKE_A_FOLDER
def test_runs_can_be_given_to_report_wherever_their_folders_can(
    given: Any, data: dnaspt.Dataset, pretrained: dnaspt.Run, finetuned: dnaspt.Run, tmp_path: Path
) -> None:
    dnaspt.evaluate(finetuned, data, accelerator="cpu")
    run, before = as_given(finetuned, given), as_given(pretrained, given)
    for runs in (run, [run]):
        page = dnaspt.report(
            runs, data=as_given(data, given), out=str(tmp_path / "page.html"), pretrain=before, overwrite=True
        )
        assert page == tmp_path / "page.html" and page.is_file()


@pytest.mark.parametrize(
    ("call", "wrong", "right"),
    [
        (lambda **misspelt: dnaspt.simulate("out", **misspelt), "n_contig", "n_contigs"),
        (lambda **misspelt: dnaspt.prepare_genes("g.fa", "g.gff3", out="out", **misspelt), "windowbp", "window_bp"),
        (
            lambda **misspelt: dnaspt.prepare_regions("g.fa", "a.bed", out="out", **misspelt),
            "min_overlp",
            "min_overlap",
        ),
        (lambda **misspelt: dnaspt.prepare_methylation("g.fa", "a", out="out", **misspelt), "treshold", "threshold"),
        (lambda **misspelt: dnaspt.prepare_bend("gene_finding", out="out", **misspelt), "rot", "root"),
        (lambda **misspelt: dnaspt.pretrain("data", out="out", **misspelt), "epoch", "epochs"),
        (lambda **misspelt: dnaspt.finetune("data", out="out", **misspelt), "learning_rat", "learning_rate"),
        (lambda **misspelt: dnaspt.study({"data": "data", "arms": [], **misspelt}, out="out"), "seds", "seeds"),
    ],
)
def test_a_misspelt_keyword_is_an_error_that_offers_the_right_one(
    call: Callable[..., Any], wrong: str, right: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(dnaspt.ConfigError, match=f"'{wrong}'; did you mean '{right}'"):
        call(**{wrong: 1})
    assert not list(tmp_path.iterdir())


def test_keywords_win_over_a_file_of_settings(tmp_path: Path) -> None:
    config = tmp_path / "genome.toml"
    config.write_text("n_contigs = 2\ncontig_bp = 20000\n")
    assert dnaspt.simulate(tmp_path / "a", config=str(config)).n_bp == 40_000
    assert dnaspt.simulate(tmp_path / "b", config=config, n_contigs=1).n_bp == 20_000


def test_progress_is_shown_on_request_alone(
    data: dnaspt.Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dnaspt.pretrain(data, out=tmp_path / "quiet", **QUICK)
    assert capsys.readouterr().out == ""
    dnaspt.pretrain(data, out=tmp_path / "told", progress=True, **QUICK)
    assert "pretrain: step 2/2 loss" in capsys.readouterr().out


@pytest.mark.parametrize("value", [None, 5, ["data"], b"data"], ids=repr)
@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda value: dnaspt.simulate(value), "out"),
        (lambda value: dnaspt.prepare_genes("g.fa", "a.gff3", out=value), "out"),
        (lambda value: dnaspt.pretrain(value, out="out"), "data"),
        (lambda value: dnaspt.finetune("data", out=value), "out"),
        (lambda value: dnaspt.load(value), "path"),
        (lambda value: dnaspt.evaluate(value, "data"), "model"),
        (lambda value: dnaspt.score_variants("run", value, "g.fa"), "vcf"),
        (lambda value: dnaspt.baseline("data", out=value), "out"),
        (lambda value: dnaspt.study(value, out="out"), "config"),
        (lambda value: dnaspt.inspect(value), "path"),
        (lambda value: dnaspt.export(value, to="out"), "run"),
    ],
)
def test_what_is_no_path_is_an_error_that_names_the_argument(
    call: Callable[..., Any], name: str, value: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(dnaspt.ConfigError, match=re.escape(f"{name} = {value!r}; expected a path")):
        call(value)
    assert not list(tmp_path.iterdir())


def test_what_is_no_list_of_paths_is_an_error_that_names_the_argument() -> None:
    for genome in (5, b"g.fa", ["g.fa", None]):
        with pytest.raises(dnaspt.ConfigError, match=r"genome = .*; expected a path"):
            dnaspt.prepare_genes(genome, "a.gff3", out="out")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: dnaspt.pretrain("data", out="out", resume="no"), "resume"),  # type: ignore[arg-type]
        (lambda: dnaspt.pretrain("data", out="out", progress="no"), "progress"),  # type: ignore[arg-type]
        (lambda: dnaspt.finetune("data", out="out", overwrite="no"), "overwrite"),  # type: ignore[arg-type]
        (lambda: dnaspt.evaluate("run", "data", average_strands="no"), "average_strands"),  # type: ignore[arg-type]
        (lambda: dnaspt.evaluate("run", "data", any_data="no"), "any_data"),  # type: ignore[arg-type]
        (lambda: dnaspt.score_variants("run", "a.vcf", "g.fa", strict="no"), "strict"),  # type: ignore[arg-type]
        (lambda: dnaspt.baseline("data", out="out", overwrite="no"), "overwrite"),  # type: ignore[arg-type]
        (lambda: dnaspt.study({}, out="out", progress="no"), "progress"),  # type: ignore[arg-type]
        (lambda: dnaspt.export("run", to="out", public="no"), "public"),  # type: ignore[arg-type]
    ],
)
def test_text_is_no_switch(call: Callable[[], object], name: str) -> None:
    with pytest.raises(dnaspt.ConfigError, match=f"^{name} = 'no'; expected True or False$"):
        call()


@pytest.mark.parametrize("out", ["file/new", "n" * 300, "file/new.html"])
def test_an_out_that_cannot_be_made_is_an_error_in_one_line(
    out: str, data: dnaspt.Dataset, peaks: dnaspt.Dataset, finetuned: dnaspt.Run, simulated: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    path, genome = tmp_path / out, simulated / "genome.fa"
    arms = [{"name": "CpG count", "init": "cpg"}]
    for call in (
        lambda: dnaspt.simulate(path, n_contigs=1, contig_bp=20_000),
        lambda: dnaspt.prepare_genes(genome, simulated / "annotation.gff3", out=path),
        lambda: dnaspt.pretrain(data, out=path, preset="tiny", steps=1),
        lambda: dnaspt.finetune(data, out=path, preset="tiny", steps=1),
        lambda: dnaspt.baseline(peaks, out=path, model="cpg"),
        lambda: dnaspt.study({"data": peaks, "arms": arms}, out=path),
        lambda: dnaspt.load(finetuned).predict_file(genome, path),
        lambda: dnaspt.report(finetuned, data=data, out=path),
    ):
        with pytest.raises(dnaspt.InputError, match=r"cannot be made \(.*\); choose another --out"):
            call()
