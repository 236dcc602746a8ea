"""Reads .npy files with NumPy and prints what is in each: a line of JSON with its name.

Arrays are described as in the `expected.json` of the vectors, without `values`.
"""

import argparse
import hashlib
import json
from pathlib import Path

import numpy


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()

    for path in sorted(arguments.folder.glob("*.npy")):
        array = numpy.load(path, allow_pickle=False)
        assert array.flags.c_contiguous
        little = array.astype(array.dtype.newbyteorder("<")).tobytes()
        description = {
            "dtype": array.dtype.name,
            "shape": list(array.shape),
            "nbytes": array.nbytes,
            "sha256": hashlib.sha256(little).hexdigest(),
        }
        print(json.dumps({"name": path.stem, "array": description}))


if __name__ == "__main__":
    main()
