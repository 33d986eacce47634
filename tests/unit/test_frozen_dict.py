"""Dictionaries that cannot be changed are read, compared, copied and written as any other."""

import copy
import json
import pickle
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import pytest

from dnaspt.frozen_dict import FrozenDict, freeze

CONTENT = {"valid_mcc": 0.5, "valid_accuracy": 0.75}


@dataclass(frozen=True)
class Result:
    scores: dict[str, float]

    def __post_init__(self) -> None:
        freeze(self, "scores")


@pytest.mark.parametrize(
    "change",
    [
        lambda scores: scores.__setitem__("valid_mcc", 1.0),
        lambda scores: scores.__delitem__("valid_mcc"),
        lambda scores: scores.update(valid_mcc=1.0),
        lambda scores: scores.__ior__({"valid_mcc": 1.0}),
        lambda scores: scores.setdefault("new", 1.0),
        lambda scores: scores.pop("valid_mcc"),
        lambda scores: scores.popitem(),
        lambda scores: scores.clear(),
    ],
)
def test_nothing_changes_it(change: Callable[[Any], object]) -> None:
    scores = FrozenDict(CONTENT)
    with pytest.raises(TypeError, match="a result cannot be changed"):
        change(scores)
    assert scores == CONTENT


def test_it_is_read_compared_copied_and_written_like_any_other() -> None:
    scores = FrozenDict(CONTENT)
    assert json.loads(json.dumps(scores)) == CONTENT
    assert scores | {"new": 1.0} == CONTENT | {"new": 1.0}
    for again in (copy.copy(scores), copy.deepcopy(scores), pickle.loads(pickle.dumps(scores))):
        assert again == CONTENT and isinstance(again, FrozenDict)


def test_a_frozen_result_holds_dictionaries_of_its_own() -> None:
    given = dict(CONTENT)
    result = Result(given)
    given["valid_mcc"] = 1.0
    assert result.scores == CONTENT and asdict(result) == {"scores": CONTENT}
    with pytest.raises(TypeError, match="a result cannot be changed"):
        result.scores["valid_mcc"] = 1.0
