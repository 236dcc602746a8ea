"""Reads MCAP files of numbered messages, each a line of JSON: how many, and whether in order.

They are read by their index, and again from the beginning to the end without it.
"""

import argparse
import json

from mcap.reader import NonSeekingReader, make_reader
from mcap_protobuf.decoder import DecoderFactory


def numbers(reader):
    """Yields what the headers of all messages say."""
    for *_, message in reader.iter_decoded_messages():
        yield json.loads(message.parts[0])["frame"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("files", nargs="+")
    arguments = parser.parse_args()

    for name in arguments.files:
        read = []
        for make in (make_reader, NonSeekingReader):
            with open(name, "rb") as stream:
                options = {"validate_crcs": True, "decoder_factories": [DecoderFactory()]}
                read.append(list(numbers(make(stream, **options))))
        indexed, whole = read
        in_order = indexed == whole == list(range(len(indexed)))
        print(json.dumps({"file": name, "messages": len(indexed), "in_order": in_order}))


if __name__ == "__main__":
    main()
