"""Runs a program at a terminal of its own, types when it asks, and writes what was seen, and how it ended, as JSON.

python3 terminal.py QUESTION KEYS PROGRAM ARGUMENT...    (KEYS as a Python literal: '\x03' is Ctrl-C)

TERMINAL_COLUMNS is how wide it is. With TERMINAL_CLOSES it is closed in the place of typing.
"""

import ast
import fcntl
import json
import os
import pty
import select
import struct
import sys
import termios

question, keys, program = sys.argv[1].encode(), ast.literal_eval(f'b"{sys.argv[2]}"'), sys.argv[3:]
child, terminal = pty.fork()
if child == 0:
    columns = int(os.environ.get("TERMINAL_COLUMNS", 0))
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24 if columns else 0, columns, 0, 0))
    os.execvp(program[0], program)
seen, typed = b"", False
while True:
    ready, _, _ = select.select([terminal], [], [], 60)
    if not ready:
        os.kill(child, 9)
        seen += b"\n[it hangs]"
        break
    try:
        more = os.read(terminal, 65536)
    except OSError:  # the other end is closed
        break
    if not more:
        break
    seen += more
    if not typed and question in seen:
        typed = True
        if os.environ.get("TERMINAL_CLOSES"):
            os.close(terminal)
            break
        os.write(terminal, keys)
_, status = os.waitpid(child, 0)
print(json.dumps({"seen": seen.decode(errors="replace"), "exit": os.waitstatus_to_exitcode(status)}))
