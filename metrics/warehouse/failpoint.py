"""Named steps at which a test can kill the process.

`FAILPOINT=warehouse.replace:2` kills it at the second call of that step. Names are literals, because the tests collect
them from the sources. Without the environment variable a call costs one look-up.
"""

import os
import signal

_calls: dict[str, int] = {}


def failpoint(name: str) -> None:
    """Kill this process with SIGKILL if the environment variable FAILPOINT names this step.

    Its value is `name`, or `name:n` for the n-th call.
    """
    wanted = os.environ.get("FAILPOINT")
    if not wanted:
        return
    step, _, count = wanted.partition(":")
    if step != name:
        return
    _calls[name] = _calls.get(name, 0) + 1
    if _calls[name] == int(count or 1):
        os.kill(os.getpid(), signal.SIGKILL)
