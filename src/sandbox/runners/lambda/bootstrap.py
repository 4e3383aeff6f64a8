"""Runs a handler on AWS's runtime interface client (`awslambdaric`), as `python -m awslambdaric` does.

One thing is added: before each poll for the next invocation, a mark goes to stdout. What the handler printed is
before it in the same pipe, so the sandbox knows when it holds all log lines of an invocation.

Arguments: a directory with packages that could not be installed here (see `runtime_client.py` beside this file).
"""

import os
import sys

# The user's code comes first, as on AWS; the stand-in comes last, so that the real extension is preferred.
sys.path += [sys.path[0], *sys.argv[1:]]
sys.path[0] = os.environ["LAMBDA_TASK_ROOT"]

from awslambdaric import bootstrap  # noqa: E402
from awslambdaric.lambda_runtime_client import LambdaRuntimeClient  # noqa: E402

MARK = b"\x1eopsctl-next\n"


class MarkingClient(LambdaRuntimeClient):
    def wait_next_invocation(self):
        os.write(1, MARK)
        return super().wait_next_invocation()


if __name__ == "__main__":
    # Python 3.12 and newer poll from a thread on AWS, so that the main thread can take signals.
    use_thread = os.environ["AWS_EXECUTION_ENV"].rpartition("python3.")[2] in ("12", "13", "14", "15")
    bootstrap.run(os.environ["_HANDLER"], MarkingClient(os.environ["AWS_LAMBDA_RUNTIME_API"], use_thread))
