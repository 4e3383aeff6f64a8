"""The part of GNU's `timeout` that user data needs: `timeout [--kill-after=S] S command...`.

macOS has no `timeout`, and the process group of GNU's would outlive an instance that is killed with SIGKILL. This one
 looks every half second whether its parent is still there.
"""

import os
import signal
import subprocess
import sys
import time

words = sys.argv[1:]
kill_after = None
while words and words[0].startswith("--"):
    name, _, value = words.pop(0).partition("=")
    if name != "--kill-after":
        sys.exit(f"timeout: option {name} is not known to opsctl's sandbox (--kill-after=seconds)")
    kill_after = float(value)
# The limit is of the time outside. The grace is not: it is for what runs in here.
limit, command = float(words[0]) / float(os.environ.get("OPSCTL_SPEED", "1")), words[1:]

parent = os.getppid()
os.setpgid(0, 0)
child = subprocess.Popen(command)
asked = []


def end(number, _frame):
    """Passes a signal on to the whole group; our own copy of it must not come back to us."""
    asked.append(time.monotonic())
    signal.signal(number, signal.SIG_IGN)
    os.killpg(0, number)


signal.signal(signal.SIGTERM, end)
signal.signal(signal.SIGINT, end)

deadline = time.monotonic() + limit
expired = False
while True:
    try:
        code = child.wait(timeout=0.5)
        break
    except subprocess.TimeoutExpired:
        pass
    now = time.monotonic()
    if os.getppid() != parent or (asked and kill_after is not None and now > asked[0] + kill_after):
        os.killpg(0, signal.SIGKILL)
    if now > deadline and not expired:
        expired = True
        end(signal.SIGTERM, None)
sys.exit(124 if expired else code if code >= 0 else 128 - code)
