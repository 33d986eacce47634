"""Security switches: running the code of downloaded models, and network access.

Only a person can set them, with an option or an environment variable; files of settings and checkpoints cannot.
"""

import os

TRUST, OFFLINE = "DNASPT_TRUST_REMOTE_CODE", "DNASPT_OFFLINE"


def allow(*, trust_remote_code: bool = False, offline: bool = False) -> None:
    """Set the switches for this process and the processes that it starts.

    Args:
        trust_remote_code: let downloaded models run their own code.
        offline: forbid network access.
    """
    for variable, is_set in ((TRUST, trust_remote_code), (OFFLINE, offline)):
        if is_set:
            os.environ[variable] = "1"


def may_run_code() -> bool:
    """Whether a downloaded model may run its own code."""
    return os.environ.get(TRUST) == "1"


def is_offline() -> bool:
    """Whether network access is forbidden."""
    return os.environ.get(OFFLINE) == "1"
