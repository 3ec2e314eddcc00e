# SPDX-License-Identifier: MIT
"""A WSGI application that keeps 10,000 bytes of each request, and says which process it is."""
import os

KEPT = []


def keep():
    KEPT.append(bytearray(10000))


def application(environ, start_response):
    keep()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
