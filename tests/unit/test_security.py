"""Security switches are off until a person sets them."""

import subprocess
import sys

import pytest

from dnaspt import security


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in (security.TRUST, security.OFFLINE):
        monkeypatch.setenv(variable, "")


def test_nothing_is_allowed_or_forbidden_at_first() -> None:
    assert not security.may_run_code() and not security.is_offline()


def test_each_switch_is_set_by_itself_and_stays_set() -> None:
    security.allow(offline=True)
    assert security.is_offline() and not security.may_run_code()
    security.allow(trust_remote_code=True)
    assert security.is_offline() and security.may_run_code()
    security.allow()
    assert security.is_offline() and security.may_run_code()


@pytest.mark.parametrize("value", ["", "0", "yes", "true"])
def test_only_1_switches_on(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv(security.TRUST, value)
    assert not security.may_run_code()


def test_processes_that_are_started_inherit_the_switches() -> None:
    security.allow(trust_remote_code=True)
    code = "from dnaspt.security import is_offline, may_run_code; print(may_run_code(), is_offline())"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["True", "False"]
