"""Sends pulses with the sender of psi-bsread.

The values of pulse n are those that the test expects: see tests/foreign.rs.
"""

import argparse

import numpy
import zmq
from bsread.sender import Sender


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("address", help="without the port, which follows")
    parser.add_argument("port", type=int)
    parser.add_argument("count", type=int)
    parser.add_argument("--compression", choices=["lz4", "bitshuffle_lz4"])
    arguments = parser.parse_args()

    compression = arguments.compression
    sender = Sender(
        address=arguments.address,
        port=arguments.port,
        conn_type="connect",
        data_header_compression=compression,
        data_compression=compression,
    )
    with sender:
        for n in range(arguments.count):
            sender.send(
                pulse_id=500 + n,
                timestamp=(1_700_000_000 + n, 123_456_789),
                data={
                    "FLOAT": 1.5 * n,
                    "INT": numpy.int64(-n),
                    "TEXT": f"pulse {n}",
                    "WAVE": numpy.arange(5, dtype="float32") + n,
                    "CAMERA": numpy.arange(60, dtype="uint16").reshape(6, 10) + numpy.uint16(n),
                },
            )
        sender.stream.socket.setsockopt(zmq.LINGER, -1)


if __name__ == "__main__":
    main()
