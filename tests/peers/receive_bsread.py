"""Receives pulses with the source of psi-bsread, and prints them: a line of JSON for each."""

import argparse
import json

import numpy
from bsread import PULL, Source


def plain(value):
    """Returns a value as something JSON can say."""
    if isinstance(value, numpy.ndarray):
        return {"dtype": value.dtype.name, "values": value.tolist()}
    return value.item() if isinstance(value, numpy.generic) else value


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("count", type=int)
    arguments = parser.parse_args()

    source = Source(
        host=arguments.host, port=arguments.port, mode=PULL, receive_timeout=60_000
    )
    with source as stream:
        for _ in range(arguments.count):
            data = stream.receive().data
            channels = {
                name: {
                    "value": plain(channel.value),
                    "timestamp": [channel.timestamp, channel.timestamp_offset],
                }
                for name, channel in data.data.items()
            }
            time = [data.global_timestamp, data.global_timestamp_offset]
            line = {"pulse_id": data.pulse_id, "global_timestamp": time, "channels": channels}
            print(json.dumps(line, default=int))


if __name__ == "__main__":
    main()
