"""Sound images of every kind, and seeded damage to them: bytes, markers, chunks, streams."""

import io
import random
import struct
import zlib
from collections.abc import Callable

import numpy as np
from PIL import Image, PngImagePlugin

HEIGHT, WIDTH = 36, 52
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def noise(seed: int = 0) -> Image.Image:
    """Returns an image of smooth noise with some grain, so that its data has every byte."""
    generator = np.random.RandomState(seed)
    coarse = generator.randint(0, 256, (4, 4, 3)).astype(np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((WIDTH, HEIGHT)), dtype=int)
    grain = generator.randint(-20, 21, smooth.shape)
    return Image.fromarray((smooth + grain).clip(0, 255).astype(np.uint8))


def encoded(image: Image.Image, image_format: str = "JPEG", **options) -> bytes:
    """Returns the bytes of an image file."""
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    """Returns a chunk of a PNG."""
    return struct.pack(">I", len(content)) + kind + content + checksum(kind + content)


def checksum(data: bytes) -> bytes:
    """Returns the checksum of a chunk's name and content."""
    return struct.pack(">I", zlib.crc32(data))


def png(header: bytes, rows: bytes, *before: bytes) -> bytes:
    """Returns a PNG of a header's fields, rows to be compressed, and chunks before these."""
    data = chunk(b"IDAT", zlib.compress(rows))
    return b"".join((PNG_SIGNATURE, chunk(b"IHDR", header), *before, data, chunk(b"IEND", b"")))


def interlaced() -> bytes:
    """Returns a PNG in the seven passes of Adam7."""
    pixels = np.asarray(noise(3))
    rows = b""
    for left, top, across, down in (
        *((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4)),
        *((0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)),
    ):
        rows += b"".join(b"\0" + row.tobytes() for row in pixels[top::down, left::across])
    return png(struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 1), rows)


def sixteen_bits(maximum: int = 65535, channels: int = 1) -> bytes:
    """Returns a PNG of 16 bits per sample whose brightest one is given."""
    values = np.linspace(0, maximum, HEIGHT * WIDTH * channels).astype(">u2")
    rows = values.reshape(HEIGHT, WIDTH * channels)
    data = b"".join(b"\0" + row.tobytes() for row in rows)
    color_type = {1: 0, 3: 2}[channels]
    return png(struct.pack(">IIBBBBB", WIDTH, HEIGHT, 16, color_type, 0, 0, 0), data)


def with_orientation(orientation: int, image_format: str = "JPEG") -> bytes:
    """Returns an image whose EXIF data says how to turn it."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "Maker"
    return encoded(noise(1), image_format, exif=exif)


def sound() -> dict[str, bytes]:
    """Returns one image of each kind."""
    image, text = noise(2), PngImagePlugin.PngInfo()
    text.add_text("Comment", "text " * 9)
    text.add_text("More", "text " * 99, zip=True)
    return {
        "jpeg": encoded(image),
        "fine jpeg": encoded(image, quality=95, subsampling=0),
        "gray jpeg": encoded(image.convert("L")),
        "cmyk jpeg": encoded(image.convert("CMYK")),
        "restarts": encoded(image, restart_marker_blocks=2),
        "restarts by row": encoded(image, restart_marker_rows=1, subsampling=0),
        "progressive": encoded(image, progressive=True),
        "progressive restarts": encoded(image, progressive=True, restart_marker_blocks=3),
        "turned jpeg": with_orientation(6),
        "png": encoded(image, "PNG"),
        "palette png": encoded(image.quantize(32), "PNG"),
        "black and white png": encoded(image.convert("1"), "PNG"),
        "gray alpha png": encoded(image.convert("LA"), "PNG"),
        "alpha png": encoded(image.convert("RGBA"), "PNG"),
        "16-bit png": sixteen_bits(),
        "16-bit rgb png": sixteen_bits(channels=3),
        "interlaced png": interlaced(),
        "png with text": encoded(image, "PNG", pnginfo=text, dpi=(72, 72)),
        "turned png": with_orientation(6, "PNG"),
        "gif": encoded(image, "GIF"),
        "bmp": encoded(image, "BMP"),
        "webp": encoded(image, "WEBP"),
        "lossless webp": encoded(image, "WEBP", lossless=True),
        "animated gif": encoded(image, "GIF", save_all=True, append_images=[noise(4)]),
        "animated webp": encoded(image, "WEBP", save_all=True, append_images=[noise(4)]),
        "animated png": encoded(image, "PNG", save_all=True, append_images=[noise(4)]),
        "palette bmp": encoded(image.quantize(32), "BMP"),
    }


def chunks(data: bytes) -> list[bytes]:
    """Returns the chunks of a PNG as far as they can be told apart, each with all its parts."""
    found, position = [], len(PNG_SIGNATURE)
    while position + 12 <= len(data):
        end = position + 12 + int.from_bytes(data[position : position + 4])
        found.append(data[position:end])
        position = end
    return found


def _with_chunks(parts: list[bytes]) -> bytes:
    return PNG_SIGNATURE + b"".join(parts)


def _checksums_mended(data: bytes) -> bytes:
    """Returns a PNG whose chunks have right checksums, so that damage reaches the decoder."""
    return data[:8] + b"".join(part[:-4] + checksum(part[4:-4]) for part in chunks(data))


def flip_bit(data: bytes, draw: random.Random) -> bytes:
    """Flips one bit."""
    changed = bytearray(data)
    changed[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def set_byte_to_ff(data: bytes, draw: random.Random) -> bytes:
    """Sets a byte to what begins a marker of a JPEG."""
    position = draw.randrange(len(data))
    return data[:position] + b"\xff" + data[position + 1 :]


def insert_marker(data: bytes, draw: random.Random) -> bytes:
    """Puts a marker of a JPEG in the place of two bytes."""
    position = draw.randrange(len(data) - 1)
    return data[:position] + bytes([0xFF, draw.randrange(0xC0, 0xFF)]) + data[position + 2 :]


def zero_sector(data: bytes, draw: random.Random) -> bytes:
    """Sets a run of bytes to zero."""
    position, length = draw.randrange(len(data)), draw.choice((16, 64, 512))
    return (data[:position] + bytes(length) + data[position + length :])[: len(data)]


def cut_off(data: bytes, draw: random.Random) -> bytes:
    """Removes the end."""
    return data[: draw.randrange(len(data))]


def remove_bytes(data: bytes, draw: random.Random) -> bytes:
    """Removes a few bytes."""
    position = draw.randrange(len(data))
    return data[:position] + data[position + draw.randrange(1, 20) :]


def insert_bytes(data: bytes, draw: random.Random) -> bytes:
    """Inserts a few bytes."""
    position = draw.randrange(len(data))
    return data[:position] + draw.randbytes(draw.randrange(1, 8)) + data[position:]


def scatter(data: bytes, draw: random.Random) -> bytes:
    """Changes some bytes anywhere."""
    changed = bytearray(data)
    for _ in range(draw.randrange(2, 10)):
        changed[draw.randrange(len(data))] = draw.randrange(256)
    return bytes(changed)


def change_header(data: bytes, draw: random.Random) -> bytes:
    """Changes a byte where headers are."""
    changed = bytearray(data)
    changed[draw.randrange(min(len(data), 700))] = draw.randrange(256)
    return bytes(changed)


def change_start(data: bytes, draw: random.Random) -> bytes:
    """Changes a byte or two where short headers are: those of GIF, BMP and WebP."""
    changed = bytearray(data)
    for _ in range(draw.randrange(1, 3)):
        changed[draw.randrange(min(len(data), 60))] = draw.choice(
            (0, 1, 0x7F, 0xFF, draw.randrange(256))
        )
    return bytes(changed)


def drop_chunk(data: bytes, draw: random.Random) -> bytes:
    """Leaves out a chunk of a PNG."""
    parts = chunks(data)
    del parts[draw.randrange(len(parts))]
    return _with_chunks(parts)


def move_chunk(data: bytes, draw: random.Random) -> bytes:
    """Moves a chunk of a PNG to another place."""
    parts = chunks(data)
    part = parts.pop(draw.randrange(len(parts)))
    parts.insert(draw.randrange(len(parts) + 1), part)
    return _with_chunks(parts)


def repeat_chunk(data: bytes, draw: random.Random) -> bytes:
    """Repeats a chunk of a PNG somewhere."""
    parts = chunks(data)
    parts.insert(draw.randrange(len(parts) + 1), draw.choice(parts))
    return _with_chunks(parts)


def change_chunk(data: bytes, draw: random.Random) -> bytes:
    """Changes content or name of a chunk, or its length, with a right checksum."""
    parts = chunks(data)
    index = draw.randrange(len(parts))
    kind, content = parts[index][4:8], bytearray(parts[index][8:-4])
    change = draw.randrange(4)
    if change == 0:
        kind = bytes([kind[0] ^ 0x20, *kind[1:]])
    elif change == 1:
        content = content[:-1]
    elif change == 2:
        content += draw.randbytes(3)
    elif content:
        content[draw.randrange(len(content))] = draw.randrange(256)
    parts[index] = chunk(kind, bytes(content))
    return _with_chunks(parts)


def change_rows(data: bytes, draw: random.Random) -> bytes:
    """Compresses other rows: too few, too many, with an unknown filter, without an end."""
    parts = chunks(data)
    index = next(index for index, part in enumerate(parts) if part[4:8] == b"IDAT")
    rows = zlib.decompress(parts[index][8:-4])
    change = draw.randrange(4)
    if change == 0:
        rows = rows[: draw.randrange(len(rows))]
    elif change == 1:
        rows += bytes(draw.randrange(1, 500))
    elif change == 2:
        rows = bytes([draw.randrange(256)]) + rows[1:]
    stream = zlib.compress(rows)
    parts[index] = chunk(b"IDAT", stream[: -draw.randrange(1, 8)] if change == 3 else stream)
    return _with_chunks(parts)


def segments(data: bytes) -> list[bytes]:
    """Returns the marker segments of a JPEG up to its first scan, and all else as the last part."""
    found, position = [data[:2]], 2
    while position + 4 <= len(data) and data[position + 1] != 0xDA:
        end = position + 2 + int.from_bytes(data[position + 2 : position + 4])
        found.append(data[position:end])
        position = end
    return [*found, data[position:]]


def _place(parts: list[bytes], *kinds: int, draw: random.Random) -> int:
    """Returns the place of one of the segments of these kinds."""
    return draw.choice([place for place, part in enumerate(parts) if part[1] in kinds])


def change_frame(data: bytes, draw: random.Random) -> bytes:
    """Changes what the frame of a JPEG says: coding, precision, sides, sampling, tables."""
    parts = segments(data)
    place = _place(parts, 0xC0, 0xC2, draw=draw)
    frame, change = bytearray(parts[place]), draw.randrange(5)
    if change == 0:  # Lossless, arithmetic coding, hierarchical.
        frame[1] = draw.choice((0xC1, 0xC2, 0xC3, 0xC5, 0xC9, 0xCA, 0xCB, 0xCD, 0xF7))
    elif change == 1:
        frame[4] = draw.choice((0, 2, 12, 16))
    elif change == 2:
        side = draw.choice((5, 7))
        frame[side : side + 2] = bytes(2)
    elif change == 3:
        frame[5 + draw.randrange(4)] = draw.randrange(256)
    else:
        frame[draw.randrange(9, len(frame))] = draw.randrange(256)
    parts[place] = bytes(frame)
    return b"".join(parts)


def tell_height_late(data: bytes, draw: random.Random) -> bytes:
    """Gives the height of a JPEG after its first scan, in a marker DNL, as the standard allows."""
    parts = segments(data)
    place = _place(parts, 0xC0, 0xC2, draw=draw)
    height = parts[place][5:7]
    parts[place] = parts[place][:5] + draw.choice((bytes(2), height)) + parts[place][7:]
    return b"".join(parts)[:-2] + b"\xff\xdc\0\x04" + height + b"\xff\xd9"


def change_table(data: bytes, draw: random.Random) -> bytes:
    """Changes a byte of a quantization or Huffman table of a JPEG."""
    parts = segments(data)
    place = _place(parts, 0xDB, 0xC4, draw=draw)
    table = bytearray(parts[place])
    table[draw.randrange(4, len(table))] = draw.randrange(256)
    parts[place] = bytes(table)
    return b"".join(parts)


def move_segment(data: bytes, draw: random.Random) -> bytes:
    """Moves, repeats or drops a segment in front of the first scan of a JPEG."""
    parts = segments(data)
    place, change = draw.randrange(1, len(parts) - 1), draw.randrange(3)
    part = parts[place] if change == 0 else parts.pop(place)
    if change < 2:
        parts.insert(draw.randrange(1, len(parts)), part)
    return b"".join(parts)


_Change = Callable[[bytes, random.Random], bytes]
_TO_ANY: tuple[_Change, ...] = (
    *(flip_bit, set_byte_to_ff, insert_marker, zero_sector, cut_off),
    *(remove_bytes, insert_bytes, scatter, change_header),
)
_TO_JPEG: tuple[_Change, ...] = (change_frame, tell_height_late, change_table, move_segment)
_TO_PNG: tuple[_Change, ...] = (drop_chunk, move_chunk, repeat_chunk, change_chunk, change_rows)


def mutate(data: bytes, draw: random.Random) -> bytes:
    """Returns a damaged copy of a sound image."""
    if data.startswith(b"\xff\xd8"):
        return draw.choice(_TO_ANY + _TO_JPEG)(data, draw)
    if not data.startswith(PNG_SIGNATURE):
        return draw.choice((*_TO_ANY, change_start))(data, draw)
    change = draw.choice(_TO_ANY + _TO_PNG)
    changed = change(data, draw)
    return _checksums_mended(changed) if change in _TO_ANY and draw.random() < 0.7 else changed
