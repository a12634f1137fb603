"""Decode pictures from untrusted bytes: under a pixel cap, upright, 8 bit, sRGB."""

import io
import re
import struct
import zlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

from inference.errors import one_line

COMMENT = rb"<!--(?:(?!-->).)*-->\s*"  # one reading alone: `.*?` could take two for one, and backtrack without end
SVG = re.compile(rb"(\xef\xbb\xbf)?\s*(<\?xml[^>]*>\s*)?(?:%b)*(<!DOCTYPE svg[^>]*>\s*)?<svg\b" % COMMENT, re.DOTALL)
# What a file starts with -> Pillow's name of the format and the media type. `None` marks pictures that we do not read.
SIGNATURES: list[tuple[re.Pattern[bytes], str | None, str]] = [
    (re.compile(rb"\xff\xd8\xff"), "JPEG", "image/jpeg"),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "PNG", "image/png"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "WEBP", "image/webp"),
    (re.compile(rb"GIF8[79]a"), "GIF", "image/gif"),
    (re.compile(rb"II\*\0|MM\0\*"), None, "image/tiff"),
    (re.compile(rb"BM....\0\0\0\0", re.DOTALL), None, "image/bmp"),
    (re.compile(rb"....ftyp(avif|avis)", re.DOTALL), None, "image/avif"),
    (re.compile(rb"....ftyp(heic|heix|hevc|mif1|msf1)", re.DOTALL), None, "image/heic"),
    (re.compile(rb"\xff\x0a|\0\0\0\x0cJXL "), None, "image/jxl"),
    (re.compile(rb"\0\0\0\x0cjP  "), None, "image/jp2"),
    (re.compile(rb"8BPS"), None, "image/vnd.adobe.photoshop"),
    (re.compile(rb"\0\0\x01\0"), None, "image/x-icon"),
    (SVG, None, "image/svg+xml"),
]

# EXIF orientation -> what turns the stored picture upright.
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
ORIENTATION_TAG = 0x0112
MODE_OF_PROFILE = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}
# What Pillow's parsers raise on bytes that lie about themselves.
BROKEN = (
    *(OSError, SyntaxError, ValueError, TypeError, IndexError, KeyError, EOFError, OverflowError, MemoryError),
    *(struct.error, zlib.error, Image.DecompressionBombError),
)


class MediaError(ValueError):
    """Bytes that are no usable picture; `reason` is a slug: not-a-picture, unsupported-format, truncated, corrupt,
    too-many-pixels, animated."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True)
class Probe:
    """What the header says. Width and height are as displayed, after EXIF; frames are counted up to two."""

    media_type: str
    width: int
    height: int
    frames: int


def probe(data: bytes) -> Probe:
    """Read the header alone: no pixel is decoded, so a bomb costs nothing. `MediaError` for what is no picture."""
    image, media_type = _open(data)
    width, height = image.size
    if _orientation(image) >= 5:
        width, height = height, width
    return Probe(media_type, width, height, _frames(image))


def decode(data: bytes, max_pixels: int, longest: int | None = None) -> Image.Image:
    """Decode to RGB, or RGBA where something is transparent: 8 bit, upright, sRGB.

    With `longest`, a large JPEG may be decoded at 1/2, 1/4 or 1/8 of its scale, as long as its longer side stays at
    least that many pixels: a fraction of the work.
    """
    image, _ = _open(data)
    width, height = image.size
    if width * height > max_pixels:
        raise MediaError("too-many-pixels", f"{width}x{height} pixels, more than {max_pixels}")
    if _frames(image) > 1:
        raise MediaError("animated", f"a moving {image.format}")
    _check_ending(data, image.format)
    orientation = _orientation(image)
    if longest and image.format in ("JPEG", "MPO"):
        scale = longest / max(width, height)
        image.draft(None, (max(1, int(width * scale)), max(1, int(height * scale))))
    try:
        image.load()
    except BROKEN as error:
        reason = "truncated" if "truncated" in str(error) or isinstance(error, EOFError) else "corrupt"
        raise MediaError(reason, one_line(error)) from None
    image = _to_srgb(image)
    return image.transpose(UPRIGHT[orientation]) if orientation in UPRIGHT else image


def flatten(image: Image.Image, colour: tuple[int, int, int] = (255, 255, 255)) -> Image.Image:
    """Lay a picture on a plain ground: RGB whatever came in."""
    if image.mode != "RGBA":
        return image.convert("RGB")
    ground = Image.new("RGB", image.size, colour)
    ground.paste(image, mask=image.getchannel("A"))
    return ground


def _open(data: bytes) -> tuple[Image.Image, str]:
    """Open by the file's own first bytes, whatever its name or header of transport says."""
    head = data[:4096]
    known = next(((name, kind) for pattern, name, kind in SIGNATURES if pattern.match(head)), None)
    if known is None:
        raise MediaError("not-a-picture", f"{_describe(data)}, no picture")
    name, media_type = known
    if name is None:
        raise MediaError("unsupported-format", f"{media_type} is not read here, only JPEG, PNG, WebP and GIF")
    Image.preinit()
    if name not in Image.OPEN:
        Image.init()
    if name == "WEBP":
        _check_webp(data)
    try:
        # Not `Image.open`: its bomb check is a process-wide constant that warns; ours is the caller's cap.
        image = Image.OPEN[name][0](io.BytesIO(data), "")
    except Image.DecompressionBombError as error:  # libwebp's canvas, a GIF's frame beyond its screen
        raise MediaError("too-many-pixels", one_line(error)) from None
    except BROKEN as error:
        reason = "truncated" if len(data) < 128 or "truncated" in str(error).lower() else "corrupt"
        raise MediaError(reason, f"{media_type} with an unreadable header: {one_line(error)}") from None
    if min(image.size) < 1:
        raise MediaError("corrupt", f"{media_type} of {image.size[0]}x{image.size[1]} pixels")
    return image, media_type


def _describe(data: bytes) -> str:
    if re.match(rb"\s*<(!doctype|html)", data, re.IGNORECASE):
        return "a page of HTML"
    return f"{len(data)} unknown bytes" if data else "an empty file"


def _check_webp(data: bytes) -> None:
    """Compare RIFF's own length with the bytes at hand: Pillow hands the whole file to libwebp on opening."""
    if len(data) < 30 or struct.unpack_from("<I", data, 4)[0] + 8 > len(data):
        raise MediaError("truncated", f"WebP ends after {len(data)} bytes")


def _check_ending(data: bytes, name: str | None) -> None:
    """Refuse a file that lost its end even where every pixel happens to be there."""
    if name == "PNG" and b"IEND" not in data:
        raise MediaError("truncated", "PNG without its last chunk")
    if name in ("JPEG", "MPO") and b"\xff\xd9" not in data[2:]:
        raise MediaError("truncated", "JPEG without its end marker")


def _frames(image: Image.Image) -> int:
    """Count frames up to two: walking a hostile GIF to its end takes long."""
    if image.format == "MPO":
        return 1  # a JPEG with another view or a depth map behind it
    try:
        return 2 if getattr(image, "is_animated", False) else 1
    except BROKEN:
        return 1  # the first frame is there; what follows it is broken


def _orientation(image: Image.Image) -> int:
    """Read EXIF from the header (Pillow's own `getexif` decodes a PNG to look behind its pixels)."""
    block = image.info.get("exif")
    if not block:
        return 1
    exif = Image.Exif()
    try:
        exif.load(block)
        return int(exif.get(ORIENTATION_TAG, 1))
    except BROKEN:
        return 1  # broken metadata does not make the picture unusable


def _to_srgb(image: Image.Image) -> Image.Image:
    """Bring any mode that our formats decode to into RGB or RGBA, through the embedded profile where there is one."""
    profile = image.info.get("icc_profile")
    if image.mode.startswith("I"):
        image = _from_16_bit(image)
    if image.mode in ("P", "PA"):
        image = image.convert("RGBA")
    elif image.mode == "1":
        image = image.convert("L")
    alpha = None
    if image.has_transparency_data:
        image = image.convert("RGBA")
        alpha = image.getchannel("A")
        image = image.convert("RGB")
    colour = _apply_profile(image, profile) if profile else image.convert("RGB")
    if alpha is not None and alpha.getextrema()[0] < 255:
        colour.putalpha(alpha)
    colour.info = {}
    return colour


def _from_16_bit(image: Image.Image) -> Image.Image:
    """Scale 16-bit grey to 8 bits; Pillow's own conversion clips everything above 255 to white."""
    values = np.asarray(image).astype(np.uint32)
    grey = Image.fromarray(((values * 255 + 32767) // 65535).astype(np.uint8))
    clear = image.info.get("transparency")
    if clear is None:
        return grey
    opaque = Image.fromarray(np.where(values == clear, 0, 255).astype(np.uint8))
    return Image.merge("LA", (grey, opaque))


def _apply_profile(image: Image.Image, profile: bytes) -> Image.Image:
    """Convert to sRGB; a profile that is broken or of another colour space is no profile, as in browsers."""
    mode = _mode_of(profile)
    if mode == "RGB" and image.mode != "CMYK":
        image = image.convert("RGB")
    if mode != image.mode:
        return image.convert("RGB")
    transform = _transform(profile, mode)
    return image.convert("RGB") if transform is None else ImageCms.applyTransform(image, transform)


@lru_cache(maxsize=64)
def _mode_of(profile: bytes) -> str | None:
    try:
        space = ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile.xcolor_space.strip()
    except BROKEN:
        return None
    return MODE_OF_PROFILE.get(space)


@lru_cache(maxsize=64)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Build the way to sRGB; None where the profile is sRGB already or cannot be used."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if ImageCms.getProfileDescription(source).startswith("sRGB"):
            return None
        return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, *BROKEN):
        return None
