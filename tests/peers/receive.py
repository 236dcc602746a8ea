"""Receives messages with the original mflow and prints what its handlers read.

Each message is a line of JSON on stdout, `null` where the library skipped it. Arrays and bytes are
written as in the `expected.json` of the vectors, without `values`.
"""

import argparse
import hashlib
import json

import mflow
import numpy


def describe(value):
    """Returns what a handler gave as something JSON can say."""
    if isinstance(value, dict):
        return {key: describe(item) for key, item in value.items()}
    if isinstance(value, list):
        return [describe(item) for item in value]
    if isinstance(value, numpy.ndarray):
        little = value.astype(value.dtype.newbyteorder("<")).tobytes()
        return {
            "dtype": value.dtype.name,
            "shape": list(value.shape),
            "nbytes": value.nbytes,
            "sha256": hashlib.sha256(little).hexdigest(),
        }
    if isinstance(value, bytes):
        if len(value) <= 64:
            return {"bytes_hex": value.hex()}
        return {"bytes_len": len(value), "sha256": hashlib.sha256(value).hexdigest()}
    return value


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("count", type=int)
    parser.add_argument("--mode", choices=["pull", "sub"], default="pull")
    parser.add_argument("--raw", action="store_true", help="use receive_raw")
    arguments = parser.parse_args()

    mode = mflow.SUB if arguments.mode == "sub" else mflow.PULL
    stream = mflow.connect(arguments.address, mode=mode, receive_timeout=60_000)
    receive = stream.receive_raw if arguments.raw else stream.receive
    received = 0
    for _ in range(arguments.count):
        message = receive()
        if message is not None:
            received += 1
            assert message.statistics.messages_received == received
        print(json.dumps(describe(message.data if message else None)))
    stream.disconnect()


if __name__ == "__main__":
    main()
