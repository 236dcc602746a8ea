"""Reads an MCAP file with the Python packages `mcap` and `mcap-protobuf-support`.

Prints JSON: messages in a time range with their parts, attachments, metadata.
"""

import argparse
import json

from google.protobuf import descriptor_pb2
from mcap.reader import make_reader
from mcap_protobuf.decoder import DecoderFactory


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("--start", type=int, help="first nanosecond")
    parser.add_argument("--end", type=int, help="nanosecond after the last")
    arguments = parser.parse_args()

    with open(arguments.file, "rb") as stream:
        reader = make_reader(stream, validate_crcs=True, decoder_factories=[DecoderFactory()])
        messages = []
        times = {"start_time": arguments.start, "end_time": arguments.end}
        for schema, channel, message, decoded in reader.iter_decoded_messages(**times):
            messages.append(
                {
                    "topic": channel.topic,
                    "schema": schema.name,
                    "log_time": message.log_time,
                    "publish_time": message.publish_time,
                    "sequence": message.sequence,
                    "parts": [[len(part), part[:16].hex()] for part in decoded.parts],
                }
            )
        attachments = [
            [it.name, it.media_type, it.log_time, it.data.hex()] for it in reader.iter_attachments()
        ]
        metadata = {it.name: it.metadata for it in reader.iter_metadata()}
        statistics = reader.get_summary().statistics
        descriptors = [
            descriptor_pb2.FileDescriptorSet.FromString(schema.data).file[0].message_type[0].name
            for schema in reader.get_summary().schemas.values()
        ]
    print(
        json.dumps(
            {
                "messages": messages,
                "attachments": attachments,
                "metadata": metadata,
                "count": statistics.message_count,
                "descriptors": descriptors,
            }
        )
    )


if __name__ == "__main__":
    main()
