"""Archives made for tests."""

import io
import tarfile
import zipfile


def tar_bytes(members, mode="w:gz") -> bytes:
    """A tar of (name, content or tar type, extra attributes of the header...)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, content, *extra in members:
            info = tarfile.TarInfo(name)
            for attribute, value in dict(*extra).items():
                setattr(info, attribute, value)
            data = content if isinstance(content, bytes) else b""
            if not isinstance(content, bytes):
                info.type = getattr(tarfile, content)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def zip_bytes(members, method=zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of (name, content, mode of a Unix file or 0)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content, *mode in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = method
            info.external_attr = (mode[0] if mode else 0o644) << 16
            archive.writestr(info, content)
    return buffer.getvalue()


def tar_header(kind: str, content: bytes, name: str = "a") -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.size = getattr(tarfile, kind), len(content)
    return info.tobuf(tarfile.USTAR_FORMAT) + content.ljust(-(-len(content) // 512) * 512, b"\0")
