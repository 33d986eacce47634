"""Which process wrote something, and whether it is surely gone."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from dnaspt import owner
from dnaspt.owner import Owner

WAITS = [sys.executable, "-c", "import sys; sys.stdin.read()"]


def owner_of(process: subprocess.Popen[bytes]) -> Owner:
    return replace(Owner.this_process(), pid=process.pid, start=owner._start_of(process.pid))


def test_a_tag_names_its_owner() -> None:
    this = Owner.this_process()
    assert this.pid == os.getpid() and Owner.from_tag(this.tag) == this
    assert Owner.from_tag("node-7.lab.org-123-456789") == Owner("node-7.lab.org", 123, 456789)
    assert str(Owner("node-7", 123, 456789)) == "PID 123 on node-7"


@pytest.mark.parametrize("tag", ["", "123", "host", "host-123", "host-12a-3", "-1-2", "host-12345678901-1"])
def test_what_is_no_tag_names_nobody(tag: str) -> None:
    """The first versions wrote the PID alone."""
    assert Owner.from_tag(tag) is None


def test_a_name_of_a_host_that_no_file_could_have_is_written_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owner.socket, "gethostname", lambda: "lab/β " + "x" * 300)
    this = Owner.this_process()
    assert this.host.startswith("lab____"[:5]) and len(this.tag) < 100 and "/" not in this.tag
    assert Owner.from_tag(this.tag) == this


@pytest.mark.skipif(os.name != "posix", reason="Windows does not say which processes run")
def test_a_process_is_gone_when_it_has_ended() -> None:
    process = subprocess.Popen(WAITS, stdin=subprocess.PIPE)
    found = owner_of(process)
    assert not found.is_gone and not Owner.this_process().is_gone
    process.kill()
    process.communicate()
    assert found.is_gone


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="the system does not say when a process started")
def test_another_process_with_the_same_pid_is_another_owner() -> None:
    this = Owner.this_process()
    assert this.start > 0
    assert replace(this, start=this.start - 1).is_gone
    assert not replace(this, start=0).is_gone  # when it started is not on record


def test_nothing_is_known_of_a_process_of_another_host_or_without_a_number() -> None:
    this = Owner.this_process()
    assert not replace(this, host="elsewhere", pid=2**30).is_gone
    assert not replace(this, pid=0).is_gone and not replace(this, pid=2**40).is_gone


def test_a_container_is_a_host_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    before = Owner.this_process().host
    monkeypatch.setattr(owner, "_FIRST_NAMESPACE", 0)
    assert Owner.this_process().host.startswith(before) and (
        not os.path.isdir("/proc/self/ns") or Owner.this_process().host != before
    )
