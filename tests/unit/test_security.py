"""Security switches are off until a person sets them."""

import subprocess
import sys

import pytest

from dnaspt import policy


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in (policy.TRUST, policy.OFFLINE):
        monkeypatch.setenv(variable, "")


def test_nothing_is_allowed_or_forbidden_at_first() -> None:
    assert not policy.may_run_code() and not policy.is_offline()


def test_each_switch_is_set_by_itself_and_stays_set() -> None:
    policy.allow(offline=True)
    assert policy.is_offline() and not policy.may_run_code()
    policy.allow(trust_remote_code=True)
    assert policy.is_offline() and policy.may_run_code()
    policy.allow()
    assert policy.is_offline() and policy.may_run_code()


@pytest.mark.parametrize("value", ["", "0", "yes", "true"])
def test_only_1_switches_on(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv(policy.TRUST, value)
    assert not policy.may_run_code()


def test_processes_that_are_started_inherit_the_switches() -> None:
    policy.allow(trust_remote_code=True)
    code = "from dnaspt.security import is_offline, may_run_code; print(may_run_code(), is_offline())"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["True", "False"]
