"""Variants: what each score is, by hand; indels and both strands."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.unit.inference.variant_models import GENOME, other, write_models

from dnaspt.checkpoint import CheckpointConfig, build_task_model, load_model, mask_token_of
from dnaspt.config import MASK_TOKEN, EncoderConfig
from dnaspt.genome.alphabet import T, encode, reverse_complement
from dnaspt.genome.gene_states import GENE_STATES
from dnaspt.inference.emissions import predict_windows
from dnaspt.inference.variant_effects import (
    AllelePair,
    cosine_distances,
    label_changes,
    log_likelihood_ratios,
)
from dnaspt.models.calibrator import Calibrator
from dnaspt.models.language_model import LanguageModel
from dnaspt.models.task_model import TaskModel


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_models(tmp_path_factory.mktemp("variants"))


def test_both_windows_of_an_allele_and_their_other_strand() -> None:
    codes = encode(GENOME.encode())
    snv = AllelePair.of(codes, 1000, 1, encode(b"A"), 100)
    assert (snv.first, len(snv.ref), len(snv.alt)) == (50, 100, 100) and snv.alt[50] == 0
    insertion = AllelePair.of(codes, 1000, 1, encode(b"GATT"), 100)
    assert len(insertion.ref) == len(insertion.alt) == 100 and insertion.n_after == 46
    np.testing.assert_array_equal(insertion.ref[51:97], insertion.alt[54:])
    deletion = AllelePair.of(codes, 1000, 4, encode(b"G"), 100)
    assert len(deletion.alt) == 100 and deletion.n_after == 46
    np.testing.assert_array_equal(deletion.ref[54:], deletion.alt[51:97])
    for pair in (
        snv,
        insertion,
        deletion,
        AllelePair.of(codes, 2, 1, encode(b"C"), 100),
        AllelePair.of(codes, 2999, 1, encode(b"C"), 100),
    ):
        reverse = pair.reverse_complement()
        own = slice(reverse.first, reverse.first + pair.n_alt)
        allele = pair.alt[pair.first : pair.first + pair.n_alt]
        np.testing.assert_array_equal(reverse.alt[own], reverse_complement(allele))
        np.testing.assert_array_equal(reverse.reverse_complement().ref, pair.ref[: len(reverse.ref)])


def test_scores_are_those_of_a_plain_loop(files: Path) -> None:
    codes = encode(GENOME.encode())
    model, _ = load_model(files / "language")
    assert isinstance(model, LanguageModel)
    pairs = [AllelePair.of(codes, at, 1, encode(other(GENOME[at]).encode()), 128) for at in (900, 1500)]
    cosine, ratio = cosine_distances(model, pairs).mean(axis=1), log_likelihood_ratios(model, pairs)
    for index, at in enumerate((900, 1500)):
        own = {"cosine": [], "ratio": []}
        window = codes[at - 64 : at + 64].copy()
        changed = window.copy()
        changed[64] = encode(other(GENOME[at]).encode())[0]
        for ref, alt, place in ((window, changed, 64), (reverse_complement(window), reverse_complement(changed), 63)):
            with torch.no_grad():
                one, two = (model.encoder(torch.from_numpy(x.copy())[None])[0, place].double() for x in (ref, alt))
                masked = ref.copy()
                masked[place] = MASK_TOKEN
                log = model.base_log_probabilities(torch.from_numpy(masked)[None])[0, place]
            own["cosine"].append(1 - float(torch.nn.functional.cosine_similarity(one, two, dim=0)))
            own["ratio"].append(float(log[alt[place]] - log[ref[place]]))
        assert cosine[index] == pytest.approx(np.mean(own["cosine"]), abs=1e-6)
        assert ratio[index] == pytest.approx(np.mean(own["ratio"]), abs=1e-5)


def test_the_other_strand_gives_the_same_scores_and_no_change_gives_none(files: Path) -> None:
    codes = encode(GENOME.encode())
    language, windows, genes = (load_model(files / name)[0] for name in ("language", "windows", "genes"))
    for ref, alt in (("?", "T"), ("????", "?"), ("?", "?GATTACA"), ("???", "TGC")):
        at, n = 1400, len(ref)
        own = GENOME[at : at + n]
        new = encode("".join(own[0] if letter == "?" else letter for letter in alt).encode())
        here = AllelePair.of(codes, at, n, new, 200)
        # The same window, cut from the other strand: it ends where the first begins.
        reverse = here.reverse_complement()
        both = (
            (cosine_distances(language, [here]), cosine_distances(language, [reverse])[:, ::-1]),
            (
                log_likelihood_ratios(language, [reverse.reverse_complement()]),
                log_likelihood_ratios(language, [reverse]),
            ),
        )
        for one, two in both:
            np.testing.assert_allclose(one, two, atol=1e-5)
        changes = label_changes(genes, [reverse.reverse_complement()], GENE_STATES.complement)
        opposite = label_changes(genes, [reverse], GENE_STATES.complement)
        np.testing.assert_allclose(changes[:, list(GENE_STATES.complement)], opposite, atol=1e-5)
    same = AllelePair.of(codes, 1400, 2, encode(GENOME[1400:1402].encode()), 200)
    assert cosine_distances(language, [same])[0, 0] == pytest.approx(0, abs=1e-9)
    assert log_likelihood_ratios(language, [same])[0] == 0
    # PyTorch's products round a row by its place in the batch, on some processors.
    np.testing.assert_allclose(label_changes(windows, [same], None), 0, atol=1e-6)


def test_a_mask_that_is_a_base_is_the_mask_of_such_a_model(files: Path, tmp_path: Path) -> None:
    model, config = load_model(files / "language")
    as_published = config.model_copy(update={"provenance": {"settings": {"masking": "as-published"}}})
    assert mask_token_of(config) == MASK_TOKEN and mask_token_of(as_published) == T
    assert mask_token_of(config.model_copy(update={"provenance": {"format": "BEND ConvNet"}})) == T
    assert isinstance(model, LanguageModel)
    pairs = [AllelePair.of(encode(GENOME.encode()), 900, 1, encode(other(GENOME[900]).encode()), 128)]
    assert log_likelihood_ratios(model, pairs, T)[0] != log_likelihood_ratios(model, pairs)[0]


@pytest.mark.parametrize("one_of", [True, False])
def test_effects_on_labels_of_windows_are_changes_of_calibrated_log_odds(one_of: bool) -> None:
    """Scores of classes share a constant, which must not count as an effect."""
    config = CheckpointConfig(
        kind="task",
        encoder=EncoderConfig(hidden_size=8, n_layers=2),
        task="classes" if one_of else "regions",
        head="softmax" if one_of else "sigmoid",
        labels=("a", "b", "c"),
        window_bp=128,
    )
    model = build_task_model(config).eval()
    assert isinstance(model, TaskModel)
    model.calibrator = Calibrator(2.0, (0.5, 0.0, -0.5), one_of=one_of)
    pair = AllelePair.of(encode(GENOME.encode()), 900, 1, encode(other(GENOME[900]).encode()), 128)
    model.head.trunk.output.weight.data *= 20
    (found,) = label_changes(model, [pair], None)
    codes = [pair.ref, pair.alt, *(reverse_complement(own) for own in (pair.ref, pair.alt))]
    values = model.calibrator.log_odds(predict_windows(model, codes))
    np.testing.assert_allclose(found, (values[1] - values[0] + values[3] - values[2]) / 2, atol=1e-6)
    model.head.trunk.output.bias.data += 10
    (shifted,) = label_changes(model, [pair], None)
    np.testing.assert_allclose(found, shifted, atol=1e-5)
