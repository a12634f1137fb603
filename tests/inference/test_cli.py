import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from inference import avatars, cli, outputs
from inference import bundle as bundles

ROOT = Path(__file__).resolve().parents[2]
PIPELINE = ["lightning", "pytorch_lightning", "hydra", "omegaconf", "dvc", "wandb", "polars", "pandas", "pyarrow"]


pytestmark = pytest.mark.usefixtures("a_place_of_its_own")


def dramatis(*words: str, code: int = 0) -> None:
    assert cli.run(words) == code


def refused(capsys, *words: str) -> str:
    """Run what must be refused: exit code 2, nothing on stdout, one line on stderr."""
    dramatis(*words, code=2)
    printed = capsys.readouterr()
    assert printed.out == ""
    lines = printed.err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    return lines[0]


def picture(path: str) -> np.ndarray:
    return np.asarray(Image.open(path))


def test_generate_writes_a_grid_of_the_seeds_in_their_order(shared_bundle):
    dramatis("generate", "--seeds", "1,5,minji", "--columns", "2", "--truncation", "0.5", "--out", "x.png")
    expected = avatars.grid(avatars.Avatars(shared_bundle).generate([1, 5, "minji"], psi=0.5), columns=2)
    assert np.array_equal(picture("x.png"), expected)


def test_the_same_seeds_are_the_same_bytes_twice():
    dramatis("generate", "--seeds", "1-2", "--out", "a.png")
    dramatis("generate", "--seeds", "1-2", "--out", "b.png")
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()


def test_into_a_folder_go_single_files_named_by_their_seeds(capsys):
    dramatis("generate", "--seeds", "7,8", "--out", "cast", "--json")
    files = json.loads(capsys.readouterr().out)["files"]
    assert [file["path"] for file in files] == ["cast/portrait-7.png", "cast/portrait-8.png"]
    assert [file["recipe"]["seeds"] for file in files] == [[7], [8]]
    assert sorted(os.listdir("cast")) == ["portrait-7.png", "portrait-8.png"]


def test_a_name_never_becomes_part_of_a_path():
    dramatis("generate", "--seeds", "a/../../b", "--out", "cast")
    assert len(os.listdir("cast")) == 1


def test_scale_enlarges_and_visible_labels():
    dramatis("generate", "--seeds", "1", "--out", "small.png")
    dramatis("generate", "--seeds", "1", "--scale", "4", "--resample", "nearest", "--out", "large.png")
    dramatis("generate", "--seeds", "1", "--scale", "4", "--resample", "nearest", "--visible", "--out", "seen.png")
    large = picture("large.png")
    assert np.array_equal(large[::4, ::4], picture("small.png"))
    assert not np.array_equal(large, picture("seen.png"))


def test_verify_reads_the_recipe_that_made_the_picture(capsys, shared_bundle):
    dramatis("generate", "--seeds", "3,민지", "--truncation", "0.6", "--out", "x.png")
    capsys.readouterr()
    dramatis("verify", "x.png", "--json")
    (verdict,) = json.loads(capsys.readouterr().out)
    assert (verdict["state"], verdict["here"]) == ("valid", True)
    assert verdict["recipe"]["bundle"]["sha256"] == shared_bundle.sha256
    assert verdict["recipe"]["truncation"] == 0.6
    assert list(verdict["recipe"]["names"]) == ["민지"]


def test_verify_exits_1_where_a_file_was_changed_or_has_no_mark(capsys):
    dramatis("generate", "--seeds", "1", "--out", "x.png")
    data = bytearray(Path("x.png").read_bytes())
    data[-30] ^= 1
    Path("changed.png").write_bytes(data)
    Image.new("RGB", (8, 8)).save("plain.png")
    capsys.readouterr()
    dramatis("verify", "x.png", "changed.png", "plain.png", code=1)
    valid, changed, plain = capsys.readouterr().out.splitlines()
    assert "valid: made by AI" in valid
    assert "invalid (assertion.dataHash.mismatch)" in changed
    assert "no mark" in plain


def test_a_mix_of_layers_and_the_ends_of_a_walk(shared_bundle):
    dramatis("mix", "1", "2", "--layers", "2-3", "--out", "cross.png")
    dramatis("mix", "1", "2", "--steps", "3", "--out", "walk.png")
    made = avatars.Avatars(shared_bundle)
    a, b = made.w(1), made.w(2)
    assert np.array_equal(picture("cross.png"), made.picture(made.mix(a, b, layers=[2, 3])))
    assert np.array_equal(picture("walk.png")[:, :32], made.picture(a))
    assert np.array_equal(picture("walk.png")[:, 64:], made.picture(b))


def test_a_mix_moves_as_a_marked_loop(capsys):
    dramatis("mix", "1", "minji", "--seconds", "0.4", "--scale", "2", "--out", "loop.mp4")
    with av.open("loop.mp4") as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        assert container.streams.video[0].codec_context.pix_fmt == "yuv420p"
    assert [frame.shape for frame in frames] == [(64, 64, 3)] * 10
    steps = [np.abs(one.astype(int) - two).mean() for one, two in zip(frames, frames[1:] + frames[:1], strict=True)]
    assert steps[-1] < max(steps[:-1])  # the last frame leads into the first
    dramatis("verify", "loop.mp4")


def test_the_same_video_is_the_same_bytes_twice():
    for name in ("a.mp4", "b.mp4"):
        dramatis("mix", "1", "2", "--seconds", "0.2", "--out", name)
    assert Path("a.mp4").read_bytes() == Path("b.mp4").read_bytes()


def test_an_edit_strip_has_the_person_in_its_middle(shared_bundle):
    dramatis("edit", "--seed", "4", "--direction", "1", "--sigmas", "-2..2", "--steps", "3", "--out", "strip.png")
    made = avatars.Avatars(shared_bundle)
    expected = avatars.grid(made.slider(made.w(4), 1, [-2, 0, 2]), columns=3)
    assert np.array_equal(picture("strip.png"), expected)
    assert np.array_equal(picture("strip.png")[:, 32:64], made.picture(made.w(4)))


def test_a_slider_sheet_has_a_row_for_each_direction(capsys):
    dramatis("edit", "--sheet", "--steps", "2", "--out", "sheet.png", "--json")
    edits = json.loads(capsys.readouterr().out)["files"][0]["recipe"]["edits"]
    assert edits == {"directions": [0, 1, 2, 3], "sigmas": [-2.0, 2.0], "layers": None}
    assert picture("sheet.png").shape == (4 * 32, 2 * 32, 3)


def test_directions_by_name_stand_in_the_recipe_as_they_were_asked_for(capsys, make_bundle):
    bundle = make_bundle("closed", directions={"count": 2, "names": {"sefa:0": 2, "sefa:1": 3}})
    dramatis("edit", "-b", str(bundle.folder), "--direction", "sefa:0-1", "--out", "x.png", "--json")
    edits = json.loads(capsys.readouterr().out)["files"][0]["recipe"]["edits"]
    assert edits["directions"] == ["sefa:0", "sefa:1"]


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["generate", "--seeds", "1-"], "'1-'"),
        (["generate", "--seeds", "1-100000000"], "more than 10000"),
        (["generate", "--seeds", "1-10000", "--scale", "16"], "million"),
        (["generate", "--truncation", "abc"], "'abc'"),
        (["generate", "--truncation", "nan"], "nan"),
        (["generate", "--truncation", "9"], "truncation 9"),
        (["generate", "--bundle", "nobody"], "'nobody'"),
        (["generate", "--out", "x.gif"], ".png"),
        (["generate", "--resample", "magic"], "'magic'"),
        (["generate", "--cutoff", "99"], "cutoff 99"),
        (["generate", "--label", "1"], "label 1"),
        (["generate", "--seed5", "1"], "--seed5"),
        (["generate", "--scale", "0"], "--scale '0' must be a whole number from 1 to 16"),
        (["generate", "--columns", "9" * 5000], "--columns"),
        (["mix", "1"], "B"),
        (["mix", "1-3", "2"], "one seed"),
        (["mix", "1", "2", "--layers", "9-4"], "'9-4'"),
        (["mix", "1", "2", "--layers", "7-9"], "0-7"),
        (["mix", "1", "2", "--share", "nan"], "share"),
        (["mix", "1", "2", "--seconds", "1e9", "--out", "x.mp4"], "--seconds"),
        (["mix", "1", "2", "--out", "folder/"], ".mp4"),
        (["edit", "--sigmas", "2..", "--seed", "1"], "'2..'"),
        (["edit", "--sigmas", "1000"], "sigmas 1000"),
        (["edit", "--direction", "age"], "light"),
        (["edit", "--direction", "4"], "from 0 to 3"),
        (["generate", "--out", ""], "--out ''"),
        (["generate", "--out", "x/", "--columns", "2"], "--columns 2"),
        (["mix", "1", "2", "--layers", "99"], "layers 99 must"),
        (["mix", "1", "2", "--steps", "3", "--share", "0.4"], "--share 0.4"),
        (["mix", "1", "2", "--steps", "3", "--out", "x.mp4"], "--steps 3"),
        (["mix", "1", "2", "--seconds", "3"], "--seconds 3"),
        (["edit", "--steps", "3"], "--steps 3"),
        (["edit", "--direction", ""], "direction ''"),
        (["edit", "--out", "x.mp4"], "'x.mp4' must end in .png"),
        (["verify", "absent.png"], "absent.png"),
        (["verify"], "FILE"),
        (["juggle"], "'juggle'"),
    ],
)
def test_a_mistake_is_one_line_that_names_it_and_nothing_is_written(capsys, words, named):
    assert named in refused(capsys, *words)
    assert not [path for path in Path().iterdir() if path.suffix in (".png", ".mp4")]


def test_without_pyav_a_video_is_refused_with_the_way_out_before_the_work(capsys, monkeypatch):
    monkeypatch.delitem(sys.modules, "inference.video", raising=False)
    monkeypatch.setitem(sys.modules, "av", None)
    monkeypatch.setattr(avatars.Avatars, "picture", lambda *_: pytest.fail("drew"))
    assert "pip install av" in refused(capsys, "mix", "1", "2", "--out", "x.mp4")


def test_a_pyav_without_x264_is_told(capsys, monkeypatch):
    monkeypatch.setattr(av, "codecs_available", set())
    assert "libx264" in refused(capsys, "mix", "1", "2", "--out", "x.mp4")


def test_a_seed_asked_for_twice_is_one_file(capsys):
    dramatis("generate", "--seeds", "3,3,3", "--out", "cast.v2/")
    assert capsys.readouterr().out.startswith("1 file in cast.v2: 1 avatar ")
    assert os.listdir("cast.v2") == ["portrait-3.png"]


def test_verify_tells_the_other_files_though_one_cannot_be_read(capsys):
    dramatis("generate", "--seeds", "1", "--out", "x.png")
    dramatis("verify", "absent.png", "x.png", code=2)
    printed = capsys.readouterr()
    assert "x.png: valid" in printed.out
    assert printed.err.startswith("error: absent.png is no file")


def test_without_a_home_the_way_out_is_named(capsys, monkeypatch):
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
    assert "XDG_CONFIG_HOME" in refused(capsys, "generate", "--seeds", "1")
    dramatis("doctor", code=1)
    assert "signs with:  nothing" in capsys.readouterr().out


def test_what_a_bundle_says_cannot_steer_the_terminal(capsys, make_bundle, monkeypatch):
    bundle = make_bundle("loud", licences={"weights": {"\x1b[2J\x9b31m": 3}})
    monkeypatch.setenv("DRAMATIS_BUNDLES", str(bundle.folder.parent))
    dramatis("doctor")
    dramatis("doctor", "--json")
    printed = capsys.readouterr().out
    assert "weights ?[2J?31m (3)" in printed
    assert not {"\x1b", "\x9b"} & set(printed)
    assert "\\u009b31m" in printed


def test_an_out_that_cannot_be_written_is_told_before_the_work(capsys, monkeypatch):
    monkeypatch.setattr(avatars.Avatars, "picture", lambda *_: pytest.fail("drew"))
    Path("file").write_text("")
    assert "file/x.png" in refused(capsys, "generate", "--out", "file/x.png")
    assert "/proc/nowhere" in refused(capsys, "generate", "--out", "/proc/nowhere/x.png")


def test_a_broken_bundle_is_one_line(capsys, make_bundle):
    bundle = make_bundle("broken")
    os.truncate(bundle.folder / bundles.MODEL, 1000)
    assert "wrong sha256" in refused(capsys, "generate", "--bundle", str(bundle.folder))


def test_a_failed_write_leaves_what_was_there(monkeypatch):
    Path("x.png").write_bytes(b"before")
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        outputs.write(Path("x.png"), b"after")
    assert os.listdir() == ["x.png"]
    assert Path("x.png").read_bytes() == b"before"


def test_a_starter_says_that_it_is_one(capsys, shared_bundle, monkeypatch):
    monkeypatch.setattr(bundles.Bundle, "is_starter", True)
    dramatis("generate", "--seeds", "1")
    assert "shipped starter" in capsys.readouterr().err


def test_the_doctor_lists_bundles_with_their_licences_and_broken_ones_with_the_reason(capsys, make_bundle, monkeypatch):
    os.truncate(make_bundle("broken").folder / bundles.MODEL, 10)
    monkeypatch.setenv("DRAMATIS_BUNDLES", f"{os.environ['DRAMATIS_BUNDLES']}{os.pathsep}{Path('bundles').resolve()}")
    dramatis("doctor", "--json")
    findings = json.loads(capsys.readouterr().out)
    by_name = {bundle["name"]: bundle for bundle in reversed(findings["bundles"])}  # the first is the one that is used
    assert by_name["portrait"]["licences"]["weights"] == "CC0-1.0"
    assert "wrong sha256" in by_name["broken"]["why"]
    assert {part["package"]: part["version"] for part in findings["packages"]}["av"] == av.__version__


def test_the_doctor_says_when_nothing_can_be_made(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(bundles, "places", lambda: [tmp_path / "nowhere"])
    dramatis("doctor", code=1)
    printed = capsys.readouterr().out
    assert "make repro" in printed
    assert "not ready" in printed


def test_the_doctor_makes_no_certificate():
    dramatis("doctor", "--json")
    assert not Path("config").exists()


def test_help_shows_examples_of_each_command(capsys):
    dramatis("--help")
    assert "verify" in capsys.readouterr().out
    for command in ("generate", "mix", "edit", "verify"):
        dramatis(command, "--help")
        assert f"  dramatis {command} " in capsys.readouterr().out


def test_help_and_mistakes_do_not_wait_for_torch():
    code = (
        "import sys; from inference import cli; "
        "codes = cli.run(['--help']), cli.run(['generate', '--seeds', '1-']), cli.run(['generate', '-b', 'nobody']); "
        "assert codes == (0, 2, 2) and not {'torch', 'numpy', 'av'} & set(sys.modules), codes"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)


def test_generate_needs_nothing_of_the_pipeline(tmp_path):
    code = f"import sys; sys.modules.update(dict.fromkeys({PIPELINE})); from inference import cli; cli.main()"
    words = ["generate", "--seeds", "1-4", "--out", str(tmp_path / "x.png")]
    result = subprocess.run([sys.executable, "-c", code, *words], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert picture(str(tmp_path / "x.png")).shape == (64, 64, 3)


def test_as_a_command_of_its_own_a_mistake_is_one_line_without_a_traceback():
    command = [sys.executable, "-m", "inference", "generate", "--bundle", "nobody"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (2, "")
    assert len(result.stderr.splitlines()) == 1


def test_the_package_offers_its_few_names():
    from inference import Avatars, grid, load

    assert (Avatars, grid, load) == (avatars.Avatars, avatars.grid, bundles.load)
    with pytest.raises(ImportError):
        from inference import nothing_of_that_name  # noqa: F401


def test_a_command_that_is_told_to_end_clears_up_as_one_that_is_interrupted(monkeypatch, capsys):
    def half_done(*_: object, **__: object) -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)
        finally:
            print("cleared up")

    monkeypatch.setattr(cli, "app", half_done)
    before = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(SystemExit) as ended:
            cli.main(["doctor"])
    finally:
        signal.signal(signal.SIGTERM, before)
    assert ended.value.code == cli.INTERRUPTED
    assert capsys.readouterr().out == "cleared up\n"
