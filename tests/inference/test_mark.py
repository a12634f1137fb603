import io
import os
import stat
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from inference import mark, signer, video
from inference.errors import UserError

RECIPE = {
    "bundle": {"name": "portrait", "sha256": "0" * 64},
    "seeds": [1, 2, 300],
    "names": {"민지": 5},
    "truncation": 0.7,
}
SIGN = """
import sys
from inference import mark
sys.stdout.buffer.write(mark.sign(sys.stdin.buffer.read(), "image/png", {"a": 1}, "0.1.0"))
"""


@pytest.fixture(autouse=True)
def a_config_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def png(seed: int = 0) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (32, 48, 3), dtype=np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def signed(seed: int = 0, recipe: dict = RECIPE) -> bytes:
    return mark.sign(png(seed), "image/png", recipe, "0.1.0")


def read(tmp_path, data: bytes) -> mark.Verdict:
    (tmp_path / "picture").write_bytes(data)
    return mark.read(tmp_path / "picture")


def test_a_marked_picture_is_valid_signed_here_and_tells_its_recipe(tmp_path):
    verdict = read(tmp_path, signed())
    assert (verdict.state, verdict.here, verdict.generated) == ("valid", True, True)
    assert verdict.recipe == RECIPE
    assert verdict.signer.startswith("Dramatis ")


def test_marking_leaves_every_pixel(tmp_path):
    before, after = (np.asarray(Image.open(io.BytesIO(data))) for data in (png(), signed()))
    assert np.array_equal(before, after)


def test_the_same_picture_and_recipe_are_the_same_bytes_also_in_another_process():
    here = mark.sign(png(), "image/png", {"a": 1}, "0.1.0")
    assert subprocess.run([sys.executable, "-c", SIGN], input=png(), capture_output=True, check=True).stdout == here


def test_another_recipe_is_another_manifest(tmp_path):
    assert signed(recipe={"a": 1}) != signed(recipe={"a": 2})


def test_the_marked_png_is_a_png_with_right_checksums(tmp_path):
    image = Image.open(io.BytesIO(signed()))
    image.verify()  # reads every chunk's checksum


def test_one_changed_pixel_is_told(tmp_path):
    data = bytearray(signed())
    data[-30] ^= 1
    verdict = read(tmp_path, bytes(data))
    assert verdict.state == "invalid"
    assert "assertion.dataHash.mismatch" in verdict.reasons


def test_a_changed_recipe_is_told(tmp_path):
    forged = signed().replace(b'"truncation": 0.7', b'"truncation": 0.9')
    assert read(tmp_path, forged).state == "invalid"


def test_a_manifest_moved_to_another_picture_is_told(tmp_path):
    manifest = signed(0)[33 : signed(0).index(b"IDAT") - 4]  # between the header and the pixels
    other = png(1)
    assert read(tmp_path, other[:33] + manifest + other[33:]).state == "invalid"


def test_a_picture_saved_again_has_no_mark(tmp_path):
    again = io.BytesIO()
    Image.open(io.BytesIO(signed())).save(again, "PNG")
    assert read(tmp_path, again.getvalue()).state == "absent"


@pytest.mark.parametrize("data", [b"", b"hello", b"RIFF", b"\xff\xd8\xff"])
def test_what_is_no_picture_has_no_mark(tmp_path, data):
    assert read(tmp_path, data).state == "absent"


@pytest.mark.parametrize("length", [8, 60, 5000, -40])
def test_a_truncated_picture_is_not_valid(tmp_path, length):
    assert read(tmp_path, signed()[:length]).state != "valid"


def test_an_absent_file_and_a_folder_are_one_line(tmp_path):
    for path in (tmp_path / "absent.png", tmp_path):
        with pytest.raises(UserError, match="is no file"):
            mark.read(path)


def test_a_stranger_can_sign_but_not_as_this_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "stranger"))
    theirs = signed()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    assert read(tmp_path, theirs).state == "valid"
    signed()  # from now on there is a certificate of this machine to compare with
    verdict = read(tmp_path, theirs)
    assert (verdict.state, verdict.here) == ("valid", False)


def test_reading_makes_no_certificate(tmp_path):
    read(tmp_path, png())
    assert not signer.path().exists()


def test_the_key_is_for_its_owner_alone():
    signer.signer()
    assert stat.S_IMODE(signer.path().stat().st_mode) == 0o600
    assert os.listdir(signer.folder()) == ["signing.pem"]


def test_processes_that_make_the_certificate_at_once_share_one():
    code = "from inference import signer; print(signer.signer().name)"
    running = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(4)]
    names = {process.communicate()[0] for process in running}
    assert names == {signer.signer().name + "\n"}


def test_a_broken_certificate_says_how_to_get_a_new_one():
    signer.signer()
    signer.path().write_bytes(signer.path().read_bytes()[:100])
    with pytest.raises(UserError, match=r"signing\.pem.*remove it"):
        signer.signer()


def test_a_config_folder_that_cannot_be_made_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "file"))
    with pytest.raises(UserError, match="XDG_CONFIG_HOME"):
        signer.signer()


def test_a_strangers_words_cannot_steer_the_terminal():
    assert mark._clean("\x1b[2Jhello\n" + "x" * 200) == "?[2Jhello?" + "x" * 90


@pytest.mark.parametrize("text", ['{"a": NaN}', '{"a": 1, "a": 2}', "[" * 9999, '["a"]', 5, {"a": 1}, None])
def test_a_strangers_recipe_that_is_none_is_left_out(text):
    assert mark._recipe({"assertions": [{"label": mark.RECIPE, "data": {"json": text}}]}) is None


def test_a_picture_of_crumbs_is_not_looked_at(tmp_path, monkeypatch):
    monkeypatch.setattr(mark, "_read", lambda *_: pytest.fail("read"))
    crumbs = png()[:33] + bytes(12 * 100_000)
    assert read(tmp_path, crumbs).reasons == ("more chunks than a picture has",)


@pytest.mark.parametrize("shape", [(64, 64, 3), (128, 64, 3), (16, 16, 3), (600, 800, 3)])
def test_the_label_changes_the_corner_alone(shape):
    picture = np.full(shape, 200, np.uint8)
    changed = (mark.label(picture) != picture).any(axis=2)
    rows, columns = np.nonzero(changed)
    assert changed.any()
    assert rows.min() > shape[0] * 0.25
    assert columns.min() > shape[1] * 0.1
    assert (picture == 200).all()


def test_a_film_is_marked_from_file_to_file_as_what_was_changed(tmp_path):
    made = tmp_path / "made.mp4"
    made.write_bytes(video.encode([np.full((32, 48, 3), level, np.uint8) for level in range(5)]))
    for name in ("a.mp4", "b.mp4"):
        mark.sign_video(made, tmp_path / name, RECIPE, "0.1.0", composite=True)
    verdict = mark.read(tmp_path / "a.mp4")
    assert (verdict.state, verdict.here, verdict.generated, verdict.recipe) == ("valid", True, True, RECIPE)
    assert b"compositeWithTrainedAlgorithmicMedia" in (tmp_path / "a.mp4").read_bytes()
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def write_film(path: Path, megabytes: int) -> None:
    """Write one random picture of a megabyte so many times: a film as long as that, with nothing to encode."""
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as film:
        stream = film.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 1024, 512, "yuvj420p"
        noise = np.random.default_rng(0).integers(0, 255, (512, 1024, 3), dtype=np.uint8)
        encoded = [*stream.encode(av.VideoFrame.from_ndarray(noise, format="rgb24")), *stream.encode(None)]
        picture = bytes(encoded[0])
        for number in range(megabytes * (1 << 20) // len(picture)):
            packet = av.Packet(picture)
            packet.stream, packet.is_keyframe, packet.time_base = stream, True, Fraction(1, 25)
            packet.pts = packet.dts = number
            film.mux(packet)


def test_a_long_film_is_marked_in_little_memory(tmp_path):
    code = """
import sys
from pathlib import Path
from inference import mark
folder = Path(sys.argv[1])
# Not getrusage: there the most that this process ever held begins with what its parent does.
most = lambda: int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
mark.sign_video(folder / "short.mp4", folder / "x.mp4", {}, "0.1.0")
before = most()
mark.sign_video(folder / "long.mp4", folder / "x.mp4", {}, "0.1.0")
print(most() - before)
"""
    for name, megabytes in (("short", 1), ("long", 96)):
        write_film(tmp_path / f"{name}.mp4", megabytes)
    grown = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, check=True)
    assert int(grown.stdout) < 40 << 10  # KiB
