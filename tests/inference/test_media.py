import contextlib
import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from inference import media

PLENTY = 10**7


def encode(image: Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def noise(mode: str = "RGB", width: int = 48, height: int = 32) -> Image.Image:
    values = np.random.default_rng(5).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(values).convert(mode)


def reason(data: bytes, max_pixels: int = PLENTY) -> str:
    with pytest.raises(media.MediaError) as caught:
        media.decode(data, max_pixels)
    assert "\n" not in str(caught.value)
    return caught.value.reason


def hollow_png(side: int) -> bytes:
    """A PNG that announces a huge picture and holds none."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF"])
def test_a_probe_tells_type_size_and_frames(form):
    assert media.probe(encode(noise(), form)) == media.Probe(f"image/{form.lower()}", 48, 32, 1)


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "1", "CMYK"])
def test_every_mode_becomes_rgb(mode):
    image = media.decode(encode(noise(mode), "JPEG" if mode == "CMYK" else "PNG"), PLENTY)
    assert (image.mode, image.size) == ("RGB", (48, 32))


def test_16_bit_mid_grey_stays_mid_grey():
    grey = encode(Image.fromarray(np.full((8, 8), 32768, np.uint16)), "PNG")
    assert media.decode(grey, PLENTY).getpixel((4, 4)) == (128, 128, 128)


def test_16_bit_transparency_is_kept():
    values = np.full((8, 8), 32768, np.uint16)
    values[:4] = 7
    image = media.decode(encode(Image.fromarray(values), "PNG", transparency=7), PLENTY)
    assert [image.getpixel((0, row))[3] for row in (0, 7)] == [0, 255]


def test_inverted_cmyk_of_adobe_keeps_its_colours():
    red = Image.new("RGB", (32, 32), (200, 30, 30)).convert("CMYK")
    colour = media.decode(encode(red, "JPEG", quality=95), PLENTY).getpixel((16, 16))
    assert np.allclose(colour, (200, 30, 30), atol=6)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_exif_turns_the_picture_upright(form):
    stored = Image.new("RGB", (40, 20), "blue")
    stored.paste("red", (0, 0, 20, 20))  # on its left, which orientation 6 brings to the top
    exif = Image.Exif()
    exif[media.ORIENTATION_TAG] = 6
    data = encode(stored, form, exif=exif)
    upright = media.decode(data, PLENTY)
    assert upright.size == (20, 40) == (media.probe(data).width, media.probe(data).height)
    assert upright.getpixel((10, 5))[0] > 200 > 60 > upright.getpixel((10, 35))[0]


def test_transparency_survives_in_all_its_forms():
    clear = noise("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(clear.size))
    for data in (encode(clear, "PNG"), encode(clear, "WEBP"), encode(noise("P"), "PNG", transparency=0)):
        assert media.decode(data, PLENTY).mode == "RGBA"
    clear.putalpha(255)
    assert media.decode(encode(clear, "PNG"), PLENTY).mode == "RGB"  # opaque all over is no transparency


def test_a_profile_is_brought_to_srgb_and_a_broken_one_ignored():
    grey = Image.new("RGB", (8, 8), (120, 120, 120))
    swapped = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    linear = grey_profile(gamma=1.0)
    assert media.decode(encode(grey.convert("L"), "PNG", icc_profile=linear), PLENTY).getpixel((0, 0))[0] > 160
    for profile in (b"nonsense" * 40, swapped):
        assert media.decode(encode(grey, "PNG", icc_profile=profile), PLENTY).getpixel((0, 0)) == (120, 120, 120)


def grey_profile(gamma: float) -> bytes:
    """The least of an ICC profile: one grey curve and a white point."""
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    white = b"XYZ " + bytes(4) + struct.pack(">iii", 63190, 65536, 54061)
    offset = 128 + 4 + 2 * 12
    tags = struct.pack(">I4sII4sII", 2, b"wtpt", offset, len(white), b"kTRC", offset + len(white), len(curve))
    body = tags + white + curve
    about = (128 + len(body), bytes(4), 0x02100000, b"mntr", b"GRAY", b"XYZ ", bytes(12), b"acsp")
    header = struct.pack(">I4sI4s4s4s12s4s", *about)
    return header + bytes(28) + struct.pack(">iii", 63190, 65536, 54061) + bytes(128 - len(header) - 40) + body


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_truncated_file_is_told(form, share):
    whole = encode(noise(width=200, height=200), form)
    assert reason(whole[: int(len(whole) * share)]) == "truncated"


@pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP"])
def test_a_moving_picture_is_refused(form):
    data = encode(noise(), form, save_all=True, append_images=[noise().rotate(90)])
    assert media.probe(data).frames == 2
    assert reason(data) == "animated"


@pytest.mark.parametrize(
    ("data", "slug"),
    [
        (b"", "not-a-picture"),
        (b"<!DOCTYPE html><html><body>gone</body></html>", "not-a-picture"),
        (b"\x00" * 500, "not-a-picture"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "unsupported-format"),
        (b"<!-- a --> <!-- b -->\n<!DOCTYPE svg><svg/>", "unsupported-format"),
        (b"<!---->" * 500 + b"<html>", "not-a-picture"),
        (encode(noise(), "TIFF"), "unsupported-format"),
        (encode(noise(), "BMP"), "unsupported-format"),
    ],
)
def test_what_is_no_picture_of_ours_gets_its_reason(data, slug):
    assert reason(data) == slug
    with pytest.raises(media.MediaError, match=r"."):
        media.probe(data)


def test_a_bomb_is_probed_and_refused_without_being_decoded():
    bomb = hollow_png(30_000)
    assert media.probe(bomb).width == 30_000
    assert reason(bomb, max_pixels=50_000_000) == "too-many-pixels"  # decoded, it would be corrupt


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF"])
def test_damaged_bytes_raise_nothing_but_media_errors(form):
    whole = encode(noise(), form)
    rng = np.random.default_rng(3)
    for _ in range(150):
        damaged = bytearray(whole)
        for place in rng.integers(0, len(whole), 6):
            damaged[place] = rng.integers(256)
        with contextlib.suppress(media.MediaError):
            media.decode(bytes(damaged), PLENTY)


def test_a_large_jpeg_may_be_decoded_small():
    image = media.decode(encode(noise(width=1600, height=800), "JPEG"), PLENTY, longest=500)
    assert image.size == (800, 400)  # a quarter would be less than asked for


def test_what_is_clear_is_flattened_onto_its_ground():
    clear = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    assert media.flatten(clear, (1, 2, 3)).getpixel((0, 0)) == (1, 2, 3)


def test_every_real_picture_decodes(assets):
    for path in (
        sorted(assets.glob("images/portraits/*.webp"))[::40] + sorted(assets.glob("images/characters/*.png"))[::200]
    ):
        image = media.decode(path.read_bytes(), PLENTY)
        probe = media.probe(path.read_bytes())
        assert image.mode in ("RGB", "RGBA")
        assert image.size == (probe.width, probe.height)
