"""A loaded model: what it predicts on sequences is what it predicts on files, and mistakes are told at once."""

import logging
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from tests.unit.inference.small_models import (
    BINS,
    GENES,
    LANGUAGE,
    REGIONS,
    random_codes,
    random_letters,
    run_of,
    write_fasta,
)

from dnaspt import progress
from dnaspt.checkpoint import load_model
from dnaspt.config import BASELINE_ENCODERS, BassetConfig
from dnaspt.errors import CheckpointError, ConfigError, InputError
from dnaspt.evaluation.evaluate import evaluate
from dnaspt.genome.alphabet import N, encode, reverse_complement
from dnaspt.genome.gene_states import GENE_STATES, NONCODING
from dnaspt.genome.gff3 import read_annotation
from dnaspt.genome.transcripts import Transcript
from dnaspt.inference import model as model_file
from dnaspt.inference import sequence_file
from dnaspt.inference import windows as windows_file
from dnaspt.inference.model import Model, load, to_frame
from dnaspt.inference.predict import PredictOptions, predict_file

BASSET = REGIONS.model_copy(update={"encoder": BassetConfig(window_bp=256)})
ONEHOT = REGIONS.model_copy(update={"encoder": BASELINE_ENCODERS["onehot"]})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoints of small models with random weights, by name."""
    folder = tmp_path_factory.mktemp("models")
    softmax = GENES.model_copy(update={"head": "softmax"})
    without_stop = GENES.model_copy(update={"stop_in_cds": False})
    configs = {"genes": GENES, "softmax": softmax, "without_stop": without_stop, "windows": REGIONS, "bins": BINS}
    configs["cpgs"] = REGIONS.model_copy(update={"task": "methylation", "window_bp": 64})
    for name, config in (configs | {"basset": BASSET, "onehot": ONEHOT, "language": LANGUAGE}).items():
        run_of(folder / name, config)
    return folder


def hidden_of(model: Model, letters: str) -> np.ndarray:
    """Hidden states (L, D) straight from the encoder."""
    with torch.no_grad():
        return model.network.encoder(torch.from_numpy(encode(letters))[None])[0].numpy()


def logits_of(model: Model, codes: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return model.task_model()(torch.from_numpy(codes.copy())[None])[0].numpy().astype(np.float64)


def test_a_model_says_what_it_is(folder: Path) -> None:
    genes, language = load(folder / "genes"), load(str(folder / "language"), accelerator="cpu")
    assert (genes.task, genes.head, genes.labels, genes.window_bp) == ("genes", "crf", GENE_STATES.names, 512)
    assert (language.task, language.head, language.labels, language.window_bp) == ("", "", (), 0)
    assert genes.path == genes.checkpoint == folder / "genes"
    assert language.device == torch.device("cpu")
    assert not genes.network.training
    assert repr(genes).startswith(f"Model('{folder / 'genes'}', task='genes', head='crf', hidden_size=16, device=")
    assert "pretrained language model" in repr(language)
    assert Path(genes) == folder / "genes"


def test_a_model_that_was_pretrained_on_data_of_a_task_is_a_language_model(folder: Path, tmp_path: Path) -> None:
    of_regions = LANGUAGE.model_copy(update={"task": "regions", "window_bp": 256})
    run_of(tmp_path / "run", of_regions)
    model = load(tmp_path / "run")
    assert (model.task, model.window_bp, model.is_finetuned) == ("", 0, False)
    assert "pretrained language model" in repr(model)


def test_the_best_checkpoint_of_a_run_is_loaded(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "genes", tmp_path / "run" / "best" / "step-00000010")
    shutil.copytree(folder / "softmax", tmp_path / "run" / "last" / "step-00000020")
    model = load(tmp_path / "run")
    assert model.head == "crf"
    assert (model.path, model.checkpoint) == (tmp_path / "run", tmp_path / "run" / "best" / "step-00000010")


@pytest.mark.parametrize("run", ["genes", "softmax", "without_stop"])
@pytest.mark.parametrize("options", [{}, {"codons": False}, {"average_strands": True}], ids=str)
def test_genes_of_sequences_are_those_of_a_file(
    run: str, options: dict[str, bool], folder: Path, tmp_path: Path
) -> None:
    codes = random_codes(6000)
    codes[2000:2200] = N
    genome = write_fasta(tmp_path / "g.fa", {"chr1": codes, "chr2": random_codes(3000, 1), "tiny": random_codes(5)})
    model = load(folder / run)
    by_contig = model.predict(genome, **options)
    assert len(by_contig) == 3
    predict_file(folder / run, genome, tmp_path / "genes.gff3", PredictOptions(**options))
    in_file = [one.transcript for one in read_annotation(tmp_path / "genes.gff3").transcripts]
    genes = [gene for genes in by_contig for gene in genes]
    assert genes or run == "genes"
    found = [(gene.chrom, gene.gene_id, gene.strand, gene.cds) for gene in genes]
    assert found == [(gene.chrom, gene.gene_id, gene.strand, gene.cds) for gene in in_file]
    rows = [line.split("\t") for line in (tmp_path / "genes.gff3").read_text().splitlines() if "\tmRNA\t" in line]
    assert [f"{gene.score:.4f}" for gene in genes] == [row[5] for row in rows]
    assert [gene.is_partial for gene in genes] == ["partial=true" in row[8] for row in rows]


def test_genes_of_strings_are_numbered_and_complete_ones_need_codons(folder: Path) -> None:
    model = load(folder / "genes")
    one, two = model.predict([random_letters(4000), random_letters(100, 1)], codons=False)
    assert one and {gene.chrom for gene in one} == {"seq1"} and one[0].gene_id == "seq1.g1"
    assert all(gene.chrom == "seq2" for gene in two)
    assert model.predict([]) == []
    assert not any(gene.is_partial for gene in model.predict(random_letters(4000), complete_genes=True)[0])
    with pytest.raises(ConfigError, match="complete_genes needs a gene model, or a CRF with codons"):
        model.predict("ACGT", complete_genes=True, codons=False)
    with pytest.raises(ConfigError, match="complete_genes needs a gene model, or a CRF with codons"):
        load(folder / "softmax").predict("ACGT", complete_genes=True)


def test_genes_as_a_table(folder: Path) -> None:
    genes = load(folder / "genes").predict([random_letters(4000), random_letters(3000, 1)], codons=False)
    frame = to_frame(genes)
    assert len(frame) == sum(map(len, genes))
    first = genes[0][0]
    assert frame.iloc[0].to_dict() == {
        **{name: getattr(first, name) for name in ("chrom", "gene_id", "transcript_id", "strand", "start", "end")},
        **{"n_exons": len(first.cds), "cds_bp": first.cds_bp, "score": first.score, "phase": 0},
        **{"is_partial": False, "cds": first.cds},
    }
    pd.testing.assert_frame_equal(to_frame(genes[0]), frame[frame["chrom"] == "seq1"])
    empty = to_frame([[], []])
    assert not len(empty) and list(empty.dtypes) == list(frame.dtypes)
    assert np.isnan(to_frame([Transcript("c", "+", "g", "t", ((0, 3),))])["score"][0])


def test_probabilities_of_bases_are_marginals_or_the_softmax(folder: Path) -> None:
    letters = random_letters(500)
    for run in ("genes", "softmax"):
        model = load(folder / run)
        probabilities = model.predict_proba([letters, random_letters(500, 1)])
        assert isinstance(probabilities, np.ndarray)
        assert probabilities.shape == (2, 500, 9) and probabilities.dtype == np.float32
        np.testing.assert_allclose(probabilities.sum(-1), 1, atol=1e-5)
        emissions = torch.from_numpy(logits_of(model, encode(letters)))[None]
        if run == "genes":
            expected = model.network.head.crf.marginals(emissions, torch.tensor([500]))[0]
        else:
            expected = emissions[0].softmax(-1)
        np.testing.assert_allclose(probabilities[0], expected.numpy(), atol=1e-4)


def test_probabilities_of_both_strands_turn_with_the_sequence(folder: Path) -> None:
    codes = random_codes(400)
    model = load(folder / "genes")
    forward = model.predict_proba(
        [codes.tobytes().translate(bytes.maketrans(b"\0\1\2\3", b"ACGT"))], average_strands=True
    )
    backward = model.predict_proba(
        [reverse_complement(codes).tobytes().translate(bytes.maketrans(b"\0\1\2\3", b"ACGT"))], average_strands=True
    )
    np.testing.assert_allclose(forward[0], backward[0][::-1, list(GENE_STATES.complement)], atol=1e-4)


def test_sequences_of_unequal_lengths_give_a_list(folder: Path) -> None:
    one, two = load(folder / "genes").predict_proba([random_letters(30), random_letters(20)])
    assert (one.shape, two.shape) == ((30, 9), (20, 9))
    assert load(folder / "genes").predict_proba([]).shape == (0, 0, 9)


@pytest.mark.parametrize("average_strands", [False, True])
def test_probabilities_of_windows_are_a_table_with_a_row_for_each(average_strands: bool, folder: Path) -> None:
    model = load(folder / "windows")
    letters = [random_letters(256), random_letters(300, 1), random_letters(256, 2)]
    frame = model.predict(letters, average_strands=average_strands)
    assert list(frame.columns) == ["A", "B"] and list(frame.index) == ["seq1", "seq2", "seq3"]
    np.testing.assert_array_equal(frame.to_numpy(), model.predict_proba(letters, average_strands=average_strands))
    for row, text in zip(frame.to_numpy(), letters, strict=True):
        logits = logits_of(model, encode(text))
        if average_strands:
            logits = (logits + logits_of(model, reverse_complement(encode(text)))) / 2
        np.testing.assert_allclose(row, 1 / (1 + np.exp(-logits)), atol=1e-6)
    assert model.predict([]).shape == (0, 2) and model.predict_proba([]).shape == (0, 2)


@pytest.mark.parametrize("average_strands", [False, True])
def test_bins_have_a_row_each_and_what_is_no_whole_bin_is_left_out(average_strands: bool, folder: Path) -> None:
    model = load(folder / "bins")
    letters = [random_letters(512), random_letters(300, 1)]
    frame = model.predict(letters, average_strands=average_strands)
    assert frame.index.tolist() == [*(("seq1", n * 128) for n in range(4)), ("seq2", 0), ("seq2", 128)]
    one, two = model.predict_proba(letters, average_strands=average_strands)
    np.testing.assert_array_equal(frame.to_numpy(), np.concatenate([one, two]))
    assert two.shape == (2, 1)
    both = [logits_of(model, encode(letters[0])), logits_of(model, reverse_complement(encode(letters[0])))[::-1]]
    logits = np.mean(both, axis=0) if average_strands else both[0]
    np.testing.assert_allclose(one[:, 0], 1 / (1 + np.exp(-logits)), atol=1e-6)
    assert model.predict_proba(letters[:1]).shape == (1, 4, 1)
    assert model.predict([]).shape == (0, 1)


@pytest.mark.parametrize(
    ("run", "length_bp", "message"),
    [
        ("windows", 100_001, "seq2: 100,001 bp; expected 1 to 100,000 bp; cut it into windows of 256 bp"),
        ("basset", 257, "seq2: 257 bp; expected 1 to 256 bp; cut it into windows of 256 bp, or predict whole contigs"),
        ("bins", 127, "seq2: 127 bp; expected 128 to 100,000 bp"),
    ],
)
def test_a_window_of_a_length_that_the_model_cannot_read_is_refused(
    run: str, length_bp: int, message: str, folder: Path
) -> None:
    with pytest.raises(InputError, match=message):
        load(folder / run).predict(["ACGT" * 50, "A" * length_bp])


def test_basset_reads_shorter_windows_too(folder: Path) -> None:
    assert load(folder / "basset").predict(["ACGT" * 64, "ACGT" * 20]).shape == (2, 2)


@pytest.mark.parametrize("run", ["language", "genes", "windows"])
def test_embeddings_are_the_encoders_hidden_states(run: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = load(folder / run)
    letters = [random_letters(700), random_letters(300, 1), random_letters(50, 2)]
    states = model.embed(letters, pool=None)
    assert [rows.shape for rows in states] == [(700, 16), (300, 16), (50, 16)]
    for rows, text in zip(states, letters, strict=True):
        np.testing.assert_allclose(rows, hidden_of(model, text), atol=1e-4)
    means = model.embed(letters)
    assert means.shape == (3, 16) and means.dtype == np.float32
    np.testing.assert_allclose(means, [rows.mean(axis=0) for rows in states], atol=1e-5)
    monkeypatch.setattr(model_file, "EMBED_GROUP_BP", 350)
    monkeypatch.setattr("dnaspt.inference.emissions.TILE_BP", 101)
    np.testing.assert_allclose(model.embed(letters), means, atol=1e-4)
    assert model.embed([]).shape == (0, 16) and model.embed([], pool=None) == []


def test_embeddings_that_there_are_not_are_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match="pool 'max'; expected 'mean' or None"):
        load(folder / "language").embed("ACGT", pool="max")  # type: ignore[arg-type]
    with pytest.raises(CheckpointError, match="Basset has no state for each base"):
        load(folder / "basset").embed("ACGT")
    with pytest.raises(CheckpointError, match="reads letters, without an encoder"):
        load(folder / "onehot").embed("ACGT")


def test_a_loaded_model_writes_the_same_file_as_its_folder(folder: Path, tmp_path: Path) -> None:
    genome = write_fasta(tmp_path / "g.fa", {"chr1": random_codes(3000)})
    for run, name, options in (("genes", "p.gff3", {"codons": False}), ("windows", "p.bed", {"threshold": 0.2})):
        predict_file(folder / run, genome, tmp_path / name, PredictOptions(**options))
        expected = (tmp_path / name).read_bytes()
        summary = load(folder / run).predict_file(genome, str(tmp_path / name), **options, overwrite=True)
        assert (tmp_path / name).read_bytes() == expected
        assert summary.n_contigs == 1


@pytest.mark.parametrize(
    ("run", "name", "options"),
    [
        ("genes", "p.gff3", {}),
        ("genes", "p.gff3", {"average_strands": True}),
        ("windows", "p.bed", {"stride_bp": 50}),
        ("windows", "p.bed", {"average_strands": True}),
        ("cpgs", "p.bed", {}),
        ("bins", "p.bed", {}),
    ],
)
def test_a_prediction_says_how_far_it_is(
    run: str,
    name: str,
    options: dict[str, Any],
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(progress, "_LINE_EVERY_S", 0)
    genome = write_fasta(tmp_path / "g.fa", {"chr1": random_codes(3000), "chr2": random_codes(2000, 1)})
    model = load(folder / run)
    model.predict_file(genome, tmp_path / name, **options, progress=True)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("predict: ") and lines[-1].startswith("predict: 100%, ")
    (tmp_path / "r.bed").write_text("chr1\t500\t1500\n")
    model.predict_file(genome, tmp_path / name, regions=tmp_path / "r.bed", **options, overwrite=True, progress=True)
    assert capsys.readouterr().out.splitlines()[-1].startswith("predict: 100%, ")
    model.predict_file(genome, tmp_path / name, **options, overwrite=True)
    assert capsys.readouterr().out == ""


def test_a_prediction_that_goes_on_speaks_of_what_is_left(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "_LINE_EVERY_S", 0)
    genome = write_fasta(tmp_path / "g.fa", {f"chr{n}": random_codes(2000, n) for n in range(3)})
    predict_contig = windows_file.contig_windows

    def broken_off(file: Path, *rest: Any) -> Any:
        if file.name == "2.parquet":
            raise KeyboardInterrupt
        return predict_contig(file, *rest)

    model = load(folder / "windows")
    with monkeypatch.context() as patch:
        patch.setattr(windows_file, "contig_windows", broken_off)
        with pytest.raises(KeyboardInterrupt):
            model.predict_file(genome, tmp_path / "p.bed", progress=True)
    assert [line.split(",")[0] for line in capsys.readouterr().out.splitlines()] == ["predict: 33%", "predict: 67%"]
    assert model.predict_file(genome, tmp_path / "p.bed", progress=True).n_resumed == 2
    assert [line.split(",")[0] for line in capsys.readouterr().out.splitlines()] == ["predict: 100%"]


def test_sequences_say_how_far_they_are(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "_LINE_EVERY_S", 0)
    monkeypatch.setattr(sequence_file, "_CHUNK", 2)
    pd.DataFrame({"sequence": ["ACGT" * 64] * 4}).to_csv(tmp_path / "in.csv", index=False)
    load(folder / "windows").predict_sequences_file(tmp_path / "in.csv", tmp_path / "out.csv", progress=True)
    assert [line.split(",")[0] for line in capsys.readouterr().out.splitlines()] == ["predict: 50%", "predict: 100%"]
    with pytest.raises(ConfigError, match="progress"):
        load(folder / "windows").predict_sequences_file(tmp_path / "in.csv", tmp_path / "x.csv", progress="no")  # type: ignore[arg-type]


def test_a_model_outlives_its_folder(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "windows", tmp_path / "copy")
    model = load(tmp_path / "copy")
    shutil.rmtree(tmp_path / "copy")
    genome = write_fasta(tmp_path / "g.fa", {"chr1": random_codes(1000)})
    assert model.predict_file(genome, tmp_path / "p.parquet").n_windows > 0


def test_a_pretrained_model_predicts_nothing(folder: Path) -> None:
    model = load(folder / "language")
    for call in (model.predict, model.predict_proba):
        with pytest.raises(CheckpointError, match="holds a language model; expected a run of 'dnaspt finetune'"):
            call("ACGT")


def test_evaluate_takes_a_loaded_model_and_writes_only_where_asked(
    gene_data: Path, folder: Path, tmp_path: Path
) -> None:
    from dnaspt.data.manifest import read_manifest

    shutil.copytree(folder / "genes", tmp_path / "run" / "best" / "step-00000001")
    model = load(tmp_path / "run")
    with pytest.raises(CheckpointError, match="another dataset"):
        evaluate(model, gene_data)
    own = replace(model, config=model.config.model_copy(update={"data_digest": read_manifest(gene_data).digest}))
    scores = evaluate(own, str(gene_data), write=False)
    assert not list((tmp_path / "run").glob("evaluation*"))
    assert scores.checkpoint == str(tmp_path / "run" / "best" / "step-00000001") and scores.same_data
    evaluate(own, gene_data)
    assert (tmp_path / "run" / "evaluation-test.json").is_file()


def test_options_without_effect_are_warnings(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        load(folder / "windows").predict("ACGT" * 64, codons=False)
        load(folder / "softmax").predict("ACGT" * 64, codons=False)
    assert "codons and complete_genes have no effect on windows" in caplog.text
    assert "codons has no effect on a softmax head" in caplog.text


def test_a_long_run_of_n_is_non_coding(folder: Path) -> None:
    codes = random_codes(3000)
    codes[1000:2000] = N
    (genes,) = load(folder / "genes").predict(
        codes.tobytes().translate(bytes.maketrans(b"\0\1\2\3\4", b"ACGTN")), codons=False
    )
    assert genes
    assert not any(start < 1990 and end > 1010 for gene in genes for start, end in gene.cds)
    assert NONCODING == 8


@pytest.mark.parametrize("path", ["nowhere", "empty", "file"])
def test_a_path_without_a_model_is_told_before_torch_is_imported(path: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    code = (
        "import sys\n"
        "from dnaspt.errors import CheckpointError\n"
        "from dnaspt.inference.model import load\n"
        f"try: load({str(tmp_path / path)!r})\n"
        "except CheckpointError as error: print(error, 'torch' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    what = {"nowhere": "no such folder", "empty": "has no checkpoint in it", "file": "is a file"}[path]
    assert said.startswith(f"{tmp_path / path}: {what}; expected a run of 'dnaspt pretrain'")
    assert said.endswith(" False\n")


def test_weights_are_those_of_the_file(folder: Path) -> None:
    for name, tensor in load_model(folder / "genes")[0].state_dict().items():
        torch.testing.assert_close(load(folder / "genes").network.state_dict()[name].cpu(), tensor, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("genes", "found"),
    [
        (None, "NoneType"),
        ([None], "NoneType"),
        ("chr1", "str"),
        ({"a": []}, "dict"),
        (pd.DataFrame({"peaks": [0.5]}), "DataFrame"),
        (Transcript("c", "+", "g", "t", ((0, 3),)), "Transcript"),
        ([[[Transcript("c", "+", "g", "t", ((0, 3),))]]], "list"),
    ],
)
def test_what_is_no_list_of_transcripts_makes_no_table(genes: Any, found: str) -> None:
    with pytest.raises(InputError, match=f"genes: a value of type {found}; expected transcripts"):
        to_frame(genes)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"average_strands": "no"}, "average_strands = 'no'; expected True or False"),
        ({"codons": "no"}, "codons = 'no'; expected True or False"),
        ({"complete_genes": 0}, "complete_genes = 0; expected True or False"),
        ({"min_score": "0.5"}, "min_score = '0.5'; expected a number"),
        ({"min_intron_bp": "20"}, "min_intron_bp = '20'; expected a whole number"),
        ({"min_coding_bp": 1.5}, "min_coding_bp = 1.5; expected a whole number"),
    ],
)
def test_settings_of_another_type_are_refused_for_sequences_and_files(
    given: dict[str, Any], said: str, folder: Path, tmp_path: Path
) -> None:
    genome = write_fasta(tmp_path / "g.fa", {"chr1": random_codes(600)})
    for run, out in (("genes", "o.gff3"), ("windows", "o.bed")):
        model = load(folder / run)
        for call in (
            lambda model=model: model.predict("ACGT" * 64, **given),
            lambda model=model, out=out: model.predict_file(genome, tmp_path / out, **given),
        ):
            with pytest.raises(ConfigError, match=f"^{re.escape(said)}$"):
                call()
    with pytest.raises(ConfigError, match="average_strands = 'no'; expected True or False"):
        load(folder / "genes").predict_proba("ACGT" * 64, average_strands="no")  # type: ignore[arg-type]
    assert not list(tmp_path.glob("o.*"))


@pytest.mark.parametrize("value", [None, 5, b"g.fa", ["g.fa"], "g\0.fa"], ids=repr)
def test_what_is_no_path_is_named_by_predict_file(value: Any, folder: Path, tmp_path: Path) -> None:
    model = load(folder / "genes")
    genome = write_fasta(tmp_path / "g.fa", {"chr1": random_codes(600)})
    with pytest.raises(ConfigError, match=re.escape(f"genome = {value!r}; expected a path")):
        model.predict_file(value, tmp_path / "o.gff3")
    with pytest.raises(ConfigError, match=re.escape(f"out = {value!r}; expected a path")):
        model.predict_file(genome, value)
    if value is not None:
        with pytest.raises(ConfigError, match=re.escape(f"regions = {value!r}; expected a path")):
            model.predict_file(genome, tmp_path / "o.gff3", regions=value)


def test_a_model_of_a_relative_path_is_found_from_another_working_folder(
    gene_data: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(folder / "genes", tmp_path / "run" / "best" / "step-00000001")
    monkeypatch.chdir(tmp_path)
    model = load("run")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert model.path == Path("run") and model.folder == tmp_path / "run" and model.is_on_disk
    evaluate(model, gene_data, any_data=True)
    assert len(list((tmp_path / "run").glob("evaluation-test-*.json"))) == 1
    assert "no longer holds" not in caplog.text and not list((tmp_path / "elsewhere").iterdir())


def test_windows_and_bins_of_more_than_half_n_are_missing(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    model, known, half = load(folder / "windows"), random_letters(256), random_letters(64) + "n" * 64
    seqs = [known, "N" * 256, half, half + "N"]
    probabilities = model.predict_proba(seqs)
    assert np.isnan(probabilities).all(axis=1).tolist() == [False, True, False, True]
    assert caplog.text.count("more than half N") == 1 and "2 sequences are more than half N" in caplog.text
    np.testing.assert_allclose(probabilities[[0, 2]], model.predict_proba([known, half]), atol=1e-6)
    assert np.isnan(model.predict(seqs).to_numpy()).all(axis=1).tolist() == [False, True, False, True]
    explained = model.explain(seqs[:2], label="A", method="gradient")
    assert np.isnan(explained).all(axis=(1, 2)).tolist() == [False, True]
    caplog.clear()
    bins = load(folder / "bins").predict_proba(random_letters(128) + "N" * 300)
    assert np.isnan(bins[0, :, 0]).tolist() == [False, True, True] and "2 bins are more than half N" in caplog.text


def test_a_model_of_methylation_reads_windows_with_a_cpg_in_the_middle(folder: Path) -> None:
    model = load(folder / "cpgs")
    right, odd = "A" * 31 + "cG" + "T" * 31, "A" * 31 + "CG" + "T" * 32
    assert not np.isnan(
        model.predict_proba([right, odd, "A" + right])
    ).any()  # odd lengths: the middle of either strand
    assert np.isnan(model.predict_proba("N" * 64)).all()  # there may be a CpG in it
    for wrong in ("AA" + right, "A", "ACGT" * 16):
        with pytest.raises(
            InputError, match=r"^seq2: has [ACGT]+ in its middle; expected CG, since this model learned"
        ):
            model.predict([right, wrong])
