# SPDX-License-Identifier: MIT
"""What test_pyo3_stacks.sh profiles. A comment `at NAME` marks a line that the check looks for."""
import bridge

KEPT = []


def convert():
    for number in range(200):
        KEPT.append(bridge.to_python(number))  # at convert


def read_back(record):
    return bridge.from_python(record)  # at read_back


def there_and_back():
    for number in range(100):
        bridge.through(read_back, number)  # at there_and_back


def lose():
    for _ in range(50):
        bridge.leak(5000)  # at lose


def bytes_out():
    for _ in range(10):
        KEPT.append(bridge.payload(100_000))  # at bytes_out


def threads():
    bridge.on_threads(3, 100)  # at on_threads
    bridge.on_tokio(8, 100)  # at on_tokio


def main():
    convert()
    there_and_back()
    lose()
    bytes_out()
    threads()


main()  # at main
