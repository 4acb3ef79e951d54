# SPDX-License-Identifier: GPL-2.0-or-later
"""refused_writer.py ADDRESS: tries to connect until SIGTERM; says how often that was refused (EPERM)
and how often it was not."""
import errno
import signal
import socket
import sys

ENDED = []
signal.signal(signal.SIGTERM, lambda *_: ENDED.append(True))
refused = others = 0
print("begun", flush=True)
while not ENDED:
    one = socket.socket()
    one.setblocking(False)
    if one.connect_ex((sys.argv[1], 9)) == errno.EPERM:
        refused += 1
    else:
        others += 1
    one.close()
print(refused, others, flush=True)
