# SPDX-License-Identifier: GPL-2.0-or-later
"""connect_writer.py COUNT: so many connections to a listener of its own, opened and closed; says the
port and the nanoseconds of one connect(), median."""
import socket
import statistics
import sys
import time

count = int(sys.argv[1])
listener = socket.create_server(("127.0.0.1", 0), backlog=64)
where = listener.getsockname()
took = []
for _ in range(count):
    one = socket.socket()
    # No TIME_WAIT: the ports of one address would not last.
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    begun = time.perf_counter_ns()
    one.connect(where)
    took.append(time.perf_counter_ns() - begun)
    other, _ = listener.accept()
    one.close()
    other.close()
print(where[1], int(statistics.median(took)))
