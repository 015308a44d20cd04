"""PNG files of which a test chooses every byte."""

import struct
import zlib


def png(width, height, bits, colour, body, interlaced=0):
    """A PNG, also one that says of itself what is not true. bits: of a channel.  colour: its type, such as 0 for grey.
    body: what its IDAT chunk holds, before it is compressed."""
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlaced)
    return (b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(body)) + _chunk(b"IEND", b""))


def _chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
