"""What a person alone can allow, by an option or a variable of the environment, and no file of settings or checkpoint."""

import os

TRUST, OFFLINE = "DNASPT_TRUST_REMOTE_CODE", "DNASPT_OFFLINE"


def allow(*, trust_remote_code: bool = False, offline: bool = False) -> None:
    """Allow models to run their own code, or forbid the network, in this process and those that it starts."""
    for variable, given in ((TRUST, trust_remote_code), (OFFLINE, offline)):
        if given:
            os.environ[variable] = "1"


def may_run_code() -> bool:
    """Whether a published model may run the code that it brings."""
    return os.environ.get(TRUST) == "1"


def is_offline() -> bool:
    """Whether nothing may be downloaded."""
    return os.environ.get(OFFLINE) == "1"
