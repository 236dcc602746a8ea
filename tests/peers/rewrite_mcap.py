"""Writes the messages of an MCAP file into a new one with the Python package `mcap`."""

import argparse

from mcap.reader import make_reader
from mcap.writer import CompressionType, Writer


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("out")
    parser.add_argument("compression", choices=[it.name for it in CompressionType])
    arguments = parser.parse_args()

    with open(arguments.file, "rb") as stream, open(arguments.out, "wb") as out:
        writer = Writer(out, compression=CompressionType[arguments.compression])
        writer.start()
        schemas, channels = {}, {}
        for schema, channel, message in make_reader(stream).iter_messages():
            if schema.id not in schemas:
                schemas[schema.id] = writer.register_schema(
                    schema.name, schema.encoding, schema.data
                )
            if channel.id not in channels:
                channels[channel.id] = writer.register_channel(
                    channel.topic, channel.message_encoding, schemas[schema.id], channel.metadata
                )
            writer.add_message(
                channels[channel.id], message.log_time, message.data, message.publish_time
            )
        writer.finish()


if __name__ == "__main__":
    main()
