"""Settings from a file and keywords: merged, checked, and a misspelt one offers the right one."""

import math
from pathlib import Path

import pytest
from pydantic import ValidationError

from dnaspt.config import BassetConfig, EncoderConfig, FinetuneConfig, PretrainConfig, Settings, build_config
from dnaspt.errors import ConfigError
from dnaspt.studies.settings import StudyConfig


def test_a_misspelt_setting_offers_the_right_one(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text("learning_rat = 1e-3\n")
    with pytest.raises(ConfigError, match="did you mean 'learning_rate'"):
        build_config(FinetuneConfig, {"data": tmp_path, "out": tmp_path}, file)


def test_options_win_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text("seed = 3\nsteps = 7\n")
    config = build_config(FinetuneConfig, {"data": tmp_path, "out": tmp_path, "seed": 5, "steps": None}, file)
    assert (config.seed, config.steps) == (5, 7)


def test_a_missing_setting_is_named_with_its_option() -> None:
    with pytest.raises(ConfigError, match="out is missing; give --out, or set it in a file given with --config"):
        build_config(PretrainConfig, {"data": "x"})


def test_a_misspelt_keyword_offers_the_right_one() -> None:
    with pytest.raises(ConfigError, match="options: no setting is called 'learning_rat'; did you mean 'learning_rate'"):
        build_config(PretrainConfig, {"data": "x", "out": "y", "learning_rat": 1e-3})
    with pytest.raises(ConfigError, match="no setting is called 'zzzz'; known: seed, steps"):
        build_config(PretrainConfig, {"zzzz": 1})


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        (PretrainConfig, {"encoder": {"hidden_siz": 32}}, "'encoder.hidden_siz'; did you mean 'hidden_size'"),
        (StudyConfig, {"arms": [{"name": "x", "ini": "spt"}]}, r"'arms\.0\.ini'; did you mean 'init'"),
    ],
)
def test_a_misspelt_setting_within_settings_offers_the_right_one(
    kind: type[Settings], settings: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=f"no setting is called {message}"):
        build_config(kind, {"data": "x", **settings} | ({"out": "y"} if kind is PretrainConfig else {}))


def test_a_value_out_of_range_is_shown_with_its_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"options: epochs = 0: .*greater than 0"):
        build_config(PretrainConfig, {"data": "x", "out": "y", "epochs": 0})
    file = tmp_path / "run.toml"
    file.write_text("[encoder]\nkernel_size = 4\n")
    with pytest.raises(ConfigError, match=r"run\.toml: encoder: kernel_size 4 is even; expected an odd one"):
        build_config(PretrainConfig, {"data": "x", "out": "y"}, file)


@pytest.mark.parametrize("text", ["steps = ", "steps = 1\nsteps = 2\n", "\xff"])
def test_a_file_that_is_not_toml_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "run.toml"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError, match=r"run\.toml: not TOML"):
        build_config(PretrainConfig, {}, file)
    with pytest.raises(ConfigError, match=r"no\.toml: No such file or directory; expected a readable TOML file"):
        build_config(PretrainConfig, {}, tmp_path / "no.toml")


class Folder:
    """Something that has a path, as a run has."""

    def __fspath__(self) -> str:
        return "runs/pre"


def test_what_has_a_path_is_taken_for_it() -> None:
    config = build_config(FinetuneConfig, {"data": "x", "out": "y", "encoder": Folder()})
    assert config.encoder == Path("runs/pre")


def test_settings_are_frozen_and_the_dilations_follow_from_them() -> None:
    encoder = EncoderConfig()
    with pytest.raises(ValidationError):
        encoder.hidden_size = 9
    assert encoder.dilations[:7] == (1, 2, 4, 8, 16, 32, 1) and encoder.flank_bp == 1260
    assert EncoderConfig(n_layers=4, dilation_double_every=2).dilations == (1, 1, 2, 2)
    with pytest.raises(ValidationError, match=r"expected 7 of 0\.\.63"):
        EncoderConfig(channels=(0, 1, 2))


def test_what_basset_leaves_of_a_window() -> None:
    basset = BassetConfig(window_bp=512)
    assert (basset.hidden_size, basset.n_pooled, basset.flank_bp) == (200, 10, 0)
    assert basset.for_windows(96) == BassetConfig(window_bp=96)
    assert EncoderConfig().for_windows(96) == EncoderConfig()


BEYOND_REASON = {
    "seed": (-1, 10**30, 1e30, 2.5, math.nan, "1e30"),
    "steps": (-1, 10**12, math.inf, 0.5),
    "epochs": (0, -1, math.inf, math.nan, 1e30),
    "batch_bp": (0, 63, 10**18, math.nan),
    "accumulate": (0, 10**7),
    "learning_rate": (0, -1, math.nan, math.inf, 1e38),
    "weight_decay": (-1, math.nan, math.inf, 1e30),
    "warmup_fraction": (-0.1, 1, math.nan, math.inf),
    "final_rate_fraction": (-0.1, 1.1, math.nan),
    "average_fraction": (-0.1, 1, math.nan),
    "clip_norm": (0, math.nan, math.inf),
    "validate_every": (-1, math.nan, 0.5),
    "patience": (-1, math.inf),
    "max_minutes": (-1, math.nan, math.inf),
    "devices": (0, -1, 10**7),
    "num_nodes": (0, 10**9, math.nan),
    "encoder_rate": (0, 1.1, math.nan),
    "crf_rate": (0, math.inf, 1e30),
    "positive_weight": (-1, math.nan, 1e30),
    "label_fraction": (0, 1.1, math.nan, -math.inf),
    "precision": (64, "64", math.nan),
    "preset": ("huge", 1),
    "tensorboard": (2, "perhaps"),
}
ENCODERS_BEYOND_REASON = {
    "hidden_size": (0, -1, 10**7, 1e30, math.nan),
    "n_layers": (-1, 10**7, math.inf),
    "kernel_size": (0, -1, 2, 10**7 + 1),
    "dilation_max": (0, 10**18),
    "dilation_cycle": (0, 10**7),
    "dilation_double_every": (0, math.nan),
    "channels": ((), (-1,) * 7, (10**9,) * 7, math.nan),
}


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        *((FinetuneConfig, name, value) for name, values in BEYOND_REASON.items() for value in values),
        *((PretrainConfig, name, value) for name in ("mask_fraction", "repeat_weight") for value in (-1, 2, math.nan)),
        *((PretrainConfig, "splits", value) for value in ((), 1, math.nan)),
        *(
            (StudyConfig, name, value)
            for name in ("label_fractions", "learning_rates")
            for value in ((), (math.nan,), (0,))
        ),
        *(
            (StudyConfig, name, value)
            for name in ("marginal_gain", "tuning_share")
            for value in (-1, math.nan, math.inf)
        ),
        *((StudyConfig, "seeds", value) for value in ((), (-1,), (10**30,), (math.nan,))),
    ],
)
def test_a_setting_beyond_reason_is_named_in_one_line(kind: type[Settings], name: str, value: object) -> None:
    arms = {"arms": [{"name": "x"}]} if kind is StudyConfig else {"out": "y"}
    with pytest.raises(ConfigError) as told:
        build_config(kind, {"data": "x", **arms, name: value})
    line = str(told.value)
    assert line.startswith(f"options: {name}") and "\n" not in line and len(line) < 400


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in ENCODERS_BEYOND_REASON.items() for value in values]
)
def test_an_encoder_beyond_reason_is_named_in_one_line(name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=rf"^options: encoder.*{name}") as told:
        build_config(PretrainConfig, {"data": "x", "out": "y", "encoder": {name: value}})
    assert "\n" not in str(told.value)


def test_a_long_value_is_shown_by_its_beginning() -> None:
    with pytest.raises(ConfigError, match=r"seed = a number of more than 80 digits: "):
        build_config(PretrainConfig, {"data": "x", "out": "y", "seed": 10**5000})
    with pytest.raises(ConfigError, match=r"seed = 'x{99}\.\.\.: "):
        build_config(PretrainConfig, {"data": "x", "out": "y", "seed": "x" * 5000})


@pytest.mark.parametrize("name", ["epochs", "learning_rate", "weight_decay", "max_minutes", "clip_norm"])
@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_settings_are_finite_numbers(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"{name} = {value}: Input should be"):
        build_config(PretrainConfig, {"data": "x", "out": "y", name: value})


def test_pretraining_reads_one_split_at_least() -> None:
    with pytest.raises(ConfigError, match="splits = "):
        build_config(PretrainConfig, {"data": "x", "out": "y", "splits": ()})
