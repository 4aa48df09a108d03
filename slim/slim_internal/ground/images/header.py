"""What an encoded file is, by its content and never by its name: the one reader of headers.

Nothing is decoded: the marker segments of a JPEG are walked up to its image data, which takes
some microseconds for an image that takes milliseconds to decode; so are the chunks of a PNG.
"""

from slim_internal.ground.images import jpeg, png
from slim_internal.ground.images.image import MAX_PIXELS, BadImageError, ImageHeader

# The kinds of image that people store under any name, by their first bytes.
_SIGNATURES = {
    jpeg.SIGNATURE: "JPEG",
    png.SIGNATURE: "PNG",
    b"GIF8": "GIF",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"\0\0\0\x0cjP  \r\n\x87\n": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"\xff\x0a": "JPEG XL",
    b"\0\0\0\x0cJXL \r\n\x87\n": "JPEG XL",
    b"8BPS": "Photoshop",
    b"%PDF": "PDF",
}
# ISO media files begin with the length of a box `ftyp`, which names the brand.
_BRANDS = {
    **dict.fromkeys((b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"), "HEIC"),
    **dict.fromkeys((b"avif", b"avis"), "AVIF"),
}
_CHECKS = {"JPEG": jpeg, "PNG": png}


def kind(data: bytes) -> str:
    """Returns the name of the format, "JPEG" or "HEIC"; "" if it is none that is known."""
    for start, name in _SIGNATURES.items():
        if data.startswith(start):
            return name
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    if data[4:8] == b"ftyp":
        return _BRANDS.get(data[8:12], "")
    start = data[:1000].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return "SVG" if start.startswith(b"<") and b"<svg" in start else ""


def inspect(data: bytes) -> ImageHeader:
    """Returns what the header of a JPEG or PNG image says.

    A JPEG is also checked for the marker that ends it, which an image cut off anywhere lacks, a
    PNG for the checksums of all its parts; what follows the end is of no concern.

    Args:
      data: The bytes of the image file.

    Raises:
      BadImageError: if it is empty, of another kind, cut off, too large or not decodable.
    """
    require_kind(data, ("JPEG", "PNG"))
    header = _CHECKS[kind(data)].inspect(data)
    if not header.height or not header.width:
        raise BadImageError("its header gives no size")
    if header.height * header.width > MAX_PIXELS:
        raise BadImageError(
            f"its header claims {header.width} x {header.height} pixels, more than {MAX_PIXELS}"
        )
    return header


def check(data: bytes) -> ImageHeader:
    """Does what `inspect` does and follows the structure of the file to its very end.

    It finds what Pillow lets pass and TensorFlow's decoders refuse; damage within the compressed
    data of a JPEG remains for a decoder to find.

    Raises:
      BadImageError: as `inspect`, and if a part is missing, misplaced or damaged.
    """
    header = inspect(data)
    _CHECKS[header.format].check(data)
    return header


def require_kind(data: bytes, allowed: tuple[str, ...]) -> str:
    """Returns the name of the format of a file that is of one of these formats.

    Raises:
      BadImageError: if it is empty or of another one, which the message names.
    """
    found = kind(data)
    if found in allowed:
        return found
    if not data:
        raise BadImageError("it is empty")
    listed = f"{', '.join(allowed[:-1])} or {allowed[-1]}"
    if found:
        raise BadImageError(f"it is {found}, not {listed}")
    raise BadImageError(f"it is not a {listed} image")
