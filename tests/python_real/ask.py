# SPDX-License-Identifier: MIT
"""Asks a web server N times, each on a connection of its own, and prints "PID COUNT" of the
processes that answered. Waits for the server at first. usage: ask.py SOCKET N"""
import collections
import http.client
import socket
import sys
import time


class Connection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(sys.argv[1])


def ask():
    connection = Connection("localhost")
    connection.request("GET", "/")
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    if answer.status != 200:
        raise OSError(f"status {answer.status}")
    return text


def ask_patiently():
    deadline = time.monotonic() + 60
    while True:
        try:
            return ask()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


answered = collections.Counter([ask_patiently()])
answered.update(ask() for _ in range(int(sys.argv[2]) - 1))
for pid, count in answered.items():
    print(pid, count)
