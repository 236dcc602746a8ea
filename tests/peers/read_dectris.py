"""Reads messages of DECTRIS from a folder with the libraries of others, and prints their pixels.

dimage-1.0 and the stream V2 are taken apart as in DECTRIS's example client, by cbor2, and their
pixels are decompressed by dectris-compression, those of `bslz4` by hdf5plugin too. A line of JSON
for each array: what it is in its message, dtype and values.
"""

import argparse
import json
import struct
import tempfile
from pathlib import Path

import cbor2
import h5py
import hdf5plugin
import numpy
from dectris.compression import decompress

DTYPES = {64: "u1", 65: ">u2", 66: ">u4", 69: "<u2", 70: "<u4", 85: "<f4", 86: "<f8"}


def by_hdf5(blob, filter_id, dtype, shape):
    """Has the filter of HDF5 read a chunk."""
    with tempfile.NamedTemporaryFile(suffix=".h5") as file, h5py.File(file.name, "w") as h5:
        options = hdf5plugin.Bitshuffle(cname="lz4") if filter_id == 32008 else hdf5plugin.LZ4()
        dataset = h5.create_dataset("data", shape, dtype, chunks=shape, **options)
        dataset.id.write_direct_chunk((0,) * len(shape), blob)
        return dataset[()]


def tag_hook(*arguments):
    """Makes arrays of the tags of RFC 8746 and DECTRIS; where the tag stands varies with cbor2."""
    tag = next(it for it in arguments if isinstance(it, cbor2.CBORTag))
    if tag.tag == 40:
        shape, elements = tag.value
        return elements.reshape(shape)
    if tag.tag == 56500:
        algorithm, size, blob = tag.value
        return decompress(blob, algorithm, elem_size=size)
    if tag.tag in DTYPES:
        return numpy.frombuffer(tag.value, DTYPES[tag.tag])
    return tag


def arrays(message):
    """Yields the arrays of a message with their names."""
    if message[0].startswith(b"{"):
        description = json.loads(message[1])
        dtype, shape = numpy.dtype(description["type"]), tuple(description["shape"][::-1])
        encoding = description["encoding"]
        if encoding.startswith("bs"):
            pixels = decompress(message[2], "bslz4", elem_size=dtype.itemsize)
            same = by_hdf5(message[2], 32008, dtype, shape)
            assert (numpy.frombuffer(pixels, dtype).reshape(shape) == same).all()
        elif encoding.startswith("lz4"):
            # A bare block: dectris-compression wants it framed.
            size = numpy.prod(shape) * dtype.itemsize
            framed = struct.pack(">QII", size, size, len(message[2])) + message[2]
            pixels = decompress(framed, "lz4")
        else:
            pixels = message[2]
        yield "image", numpy.frombuffer(pixels, dtype).reshape(shape)
        return
    body = cbor2.loads(message[0], tag_hook=tag_hook)
    for name, value in body.items():
        if hasattr(value, "items"):
            for channel, array in value.items():
                if isinstance(array, numpy.ndarray):
                    yield f"{name}.{channel}", array
        elif isinstance(value, numpy.ndarray):
            yield name, value


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()

    messages = {}
    for path in sorted(arguments.folder.glob("*.raw")):
        messages.setdefault(path.name.split("_")[0], []).append(path.read_bytes())
    for number, message in messages.items():
        for name, array in arrays(message):
            line = {"message": int(number), "name": name, "dtype": array.dtype.name}
            print(json.dumps({**line, "values": array.tolist()}))


if __name__ == "__main__":
    main()
