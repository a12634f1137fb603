"""Make the gallery's awkward and hostile files out of a good picture."""

import io
import struct
import zlib
from collections.abc import Callable

import cv2
import numpy as np
from PIL import Image, ImageEnhance

BOMB_SIDE = 30_000  # pixels: 900 million in about a hundred kilobytes


def recompressed(picture: Image.Image) -> bytes:
    return _jpeg(picture, quality=55)


def rescaled(picture: Image.Image) -> bytes:
    width, height = picture.size
    return _jpeg(picture.resize((round(width * 0.8), round(height * 0.8)), Image.Resampling.LANCZOS))


def relit(picture: Image.Image) -> bytes:
    return _jpeg(ImageEnhance.Contrast(ImageEnhance.Brightness(picture).enhance(1.12)).enhance(0.94))


def cmyk(picture: Image.Image) -> bytes:
    return _jpeg(picture.convert("CMYK"), quality=92)


def deep(picture: Image.Image) -> bytes:
    """Write a PNG of 16 bits a channel, which Pillow cannot write in colour."""
    values = np.asarray(picture)[..., ::-1].astype(np.uint16) * 257
    return cv2.imencode(".png", values)[1].tobytes()


def turned(picture: Image.Image) -> bytes:
    """Store the picture on its side, with the EXIF tag that says so."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return _jpeg(picture.transpose(Image.Transpose.ROTATE_90), exif=exif)


def truncated(picture: Image.Image) -> bytes:
    whole = _jpeg(picture)
    return whole[: len(whole) * 6 // 10]


def animated(picture: Image.Image) -> bytes:
    frames = [picture.resize((96, 96 * picture.height // picture.width)).rotate(angle) for angle in (0, 4, -4)]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], duration=200, loop=0)
    return out.getvalue()


def bomb(picture: Image.Image) -> bytes:
    """Write a PNG whose every pixel is there, nearly a billion of them, in a small file."""
    pack = zlib.compressobj(9)
    row = bytes(1 + BOMB_SIDE // 8)
    body = b"".join(pack.compress(row) for _ in range(BOMB_SIDE)) + pack.flush()
    header = struct.pack(">IIBBBBB", BOMB_SIDE, BOMB_SIDE, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def page(picture: Image.Image) -> bytes:
    return b"<!doctype html><html><head><title>Moved</title></head><body><p>This picture has moved.</p></body></html>"


def drawing(picture: Image.Image) -> bytes:
    return b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><circle cx="4" cy="4" r="4"/></svg>'


NEAR: dict[str, Callable[[Image.Image], bytes]] = {"recompressed": recompressed, "rescaled": rescaled, "re-lit": relit}


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _jpeg(picture: Image.Image, quality: int = 85, **more: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=quality, **more)
    return out.getvalue()
