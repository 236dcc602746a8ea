"""Sends the messages of vectors with the original mflow, encoded by its own handlers."""

import argparse
import json
from pathlib import Path

import mflow
import numpy


def read(case):
    """Reads the messages of a case as lists of parts."""
    messages = {}
    for path in sorted(case.glob("*.raw")):
        messages.setdefault(path.name.split("_")[0], []).append(path.read_bytes())
    return list(messages.values())


def build(parts):
    """Builds what the handler for the htype of a message wants to send."""
    header = json.loads(parts[0])
    message = {"header": header}
    htype = header["htype"]
    if htype == "array-1.0":
        shape = [int(length) for length in header["shape"]]
        message["data"] = [numpy.frombuffer(part, header["type"]).reshape(shape) for part in parts[1:]]
    elif htype == "raw-1.0":
        message["data"] = parts[1:]
    elif htype == "dimage-1.0":
        message["part_2"] = json.loads(parts[1])
        message["part_3_raw"] = parts[2]
        message["part_4"] = json.loads(parts[3])
    elif htype == "dheader-1.0":
        rest = iter(parts[1:])
        message["part_2"] = json.loads(next(rest))
        if header["header_detail"] == "all":
            for number in (3, 5, 7):
                message[f"part_{number}"] = json.loads(next(rest))
                message[f"part_{number + 1}_raw"] = next(rest)
        for appendix in rest:
            message["appendix"] = json.loads(appendix)
    return message


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("cases", nargs="+", type=Path)
    arguments = parser.parse_args()

    stream = mflow.connect(arguments.address, mode=mflow.PUSH, linger=-1)
    for case in arguments.cases:
        for parts in read(case):
            stream.forward(build(parts))
    stream.disconnect()


if __name__ == "__main__":
    main()
