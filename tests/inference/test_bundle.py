import hashlib
import json
import os
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save

from inference import bundle as bundles
from inference.errors import UserError


def change(bundle: bundles.Bundle, **changes: object) -> None:
    """Rewrite the manifest as a hostile or a later hand may."""
    path = bundle.folder / bundles.MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def network(bundle: bundles.Bundle, **changes: object) -> dict:
    return bundle.manifest["network"] | changes


def refused(bundle: bundles.Bundle) -> str:
    with pytest.raises(UserError) as caught:
        bundles.load(bundle.folder).generator()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_is_written_makes_the_same_pictures_when_read(make_bundle):
    assert make_bundle().check() == 0


def test_the_hash_of_a_bundle_is_that_of_its_manifest(make_bundle):
    bundle = make_bundle()
    assert bundle.sha256 == hashlib.sha256((bundle.folder / bundles.MANIFEST).read_bytes()).hexdigest()


def test_the_same_contents_are_the_same_bytes(make_bundle, tmp_path):
    first = make_bundle().sha256
    assert make_bundle().sha256 == first
    assert sorted(path.name for path in (tmp_path / "bundles").iterdir()) == ["portrait"]


def test_half_precision_is_smaller_on_disk_and_float32_in_memory(make_bundle):
    whole, half = make_bundle("whole"), make_bundle("half", precision="float16")
    sizes = [(bundle.folder / bundles.MODEL).stat().st_size for bundle in (whole, half)]
    assert sizes[1] < 0.75 * sizes[0]
    assert {value.dtype for value in half.generator().state_dict().values()} == {torch.float32}
    assert half.check() <= 3


def test_the_vectors_of_a_half_bundle_keep_their_precision(make_bundle):
    whole, half = make_bundle("whole").generator(), make_bundle("half", precision="float16").generator()
    assert torch.equal(whole.mapping.w_avg, half.mapping.w_avg)


def test_loading_leaves_the_random_numbers_of_others_alone(shared_bundle):
    torch.manual_seed(3)
    expected = torch.randn(4)
    torch.manual_seed(3)
    shared_bundle.generator()
    assert torch.equal(torch.randn(4), expected)


def test_a_bundle_is_found_by_name_in_the_folders_of_the_environment(make_bundle, monkeypatch, tmp_path):
    bundle = make_bundle("mine")
    monkeypatch.setenv("DRAMATIS_BUNDLES", f"{tmp_path / 'empty'}{os.pathsep}{tmp_path / 'bundles'}")
    assert bundles.load("mine").sha256 == bundle.sha256


def test_an_unknown_name_lists_the_known(make_bundle, monkeypatch, tmp_path):
    make_bundle("mine")
    monkeypatch.setenv("DRAMATIS_BUNDLES", str(tmp_path / "bundles"))
    with pytest.raises(UserError, match=r"'yours'.*known: .*mine"):
        bundles.load("yours")


def test_a_name_that_climbs_out_is_no_name(make_bundle, monkeypatch, tmp_path):
    make_bundle("mine")
    (tmp_path / "place").mkdir()
    monkeypatch.setenv("DRAMATIS_BUNDLES", str(tmp_path / "place"))
    with pytest.raises(UserError, match="neither"):
        bundles.find("../bundles/mine")


@pytest.mark.parametrize("file", [bundles.MODEL, bundles.DIRECTIONS, bundles.GOLDEN, "README.md"])
def test_one_flipped_bit_is_refused(make_bundle, file):
    bundle = make_bundle()
    data = bytearray((bundle.folder / file).read_bytes())
    data[-1] ^= 1
    (bundle.folder / file).write_bytes(data)
    assert file in refused(bundle)


def test_a_truncated_file_is_refused(make_bundle):
    bundle = make_bundle()
    os.truncate(bundle.folder / bundles.MODEL, 100)
    assert "wrong sha256" in refused(bundle)


def test_an_absent_file_is_refused(make_bundle):
    bundle = make_bundle()
    (bundle.folder / bundles.DIRECTIONS).unlink()
    assert "no such file" in refused(bundle)


def test_a_file_beyond_the_cap_is_refused_unread(make_bundle, monkeypatch):
    bundle = make_bundle()
    monkeypatch.setattr(bundles, "MAX_FILE_BYTES", 64)
    assert "more than the 64" in refused(bundle)


def test_a_pipe_in_the_place_of_a_file_does_not_hang(make_bundle):
    bundle = make_bundle()
    (bundle.folder / "README.md").unlink()
    os.mkfifo(bundle.folder / "README.md")
    assert "is no file" in refused(bundle)


def test_a_truncated_manifest_is_refused(make_bundle):
    bundle = make_bundle()
    os.truncate(bundle.folder / bundles.MANIFEST, 50)
    assert "bundle.json cannot be read" in refused(bundle)


def test_a_manifest_of_brackets_is_refused(make_bundle):
    bundle = make_bundle()
    (bundle.folder / bundles.MANIFEST).write_text("[" * 100_000)
    assert "nested too deep" in refused(bundle)


def test_a_manifest_that_says_a_thing_twice_is_refused(make_bundle):
    bundle = make_bundle()
    path = bundle.folder / bundles.MANIFEST
    path.write_text(path.read_text().replace('"commercial": true', '"commercial": false, "commercial": true'))
    assert "same key twice" in refused(bundle)


def test_a_manifest_of_endless_files_is_refused_unread(make_bundle):
    bundle = make_bundle()
    change(bundle, files=bundle.manifest["files"] | {f"copy{number}": "0" * 64 for number in range(100)})
    assert "more than 32" in refused(bundle)


def test_a_newer_schema_says_to_update(make_bundle):
    bundle = make_bundle()
    change(bundle, schema=2)
    assert "newer than 1" in refused(bundle)


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a/b", "..", "model.safetensors/../x", "a\0b", ""])
def test_a_path_in_a_manifest_stays_in_the_folder(make_bundle, name):
    bundle = make_bundle()
    change(bundle, files=bundle.manifest["files"] | {name: "0" * 64})
    assert "file name" in refused(bundle)


@pytest.mark.parametrize(
    "absurd",
    [
        {"height": 48, "width": 48},
        {"height": 1 << 20, "width": 1 << 20},
        {"height": 32, "width": 4},
        {"channel_max": 10**9},
        {"channel_base": 16},
        {"mapping_layers": True},
        {"w_dim": "24"},
        {"conv_clamp": 0},
        {"conv_clamp": 10**400},
        {"kind": "diffusion"},
        {"code": "import os"},
    ],
)
def test_an_absurd_network_is_refused_before_it_is_allocated(make_bundle, absurd, monkeypatch):
    bundle = make_bundle()
    change(bundle, network=network(bundle, **absurd))
    monkeypatch.setattr(torch, "randn", lambda *_: pytest.fail("allocated"))
    assert "network" in refused(bundle)


def test_weights_of_another_network_name_the_first_that_differs(make_bundle):
    bundle = make_bundle()
    change(bundle, network=network(bundle, channel_max=8))
    assert "synthesis.b" in refused(bundle)


@pytest.mark.parametrize("missing", ["name", "network", "licences", "commercial", "files"])
def test_a_missing_field_is_named(make_bundle, missing):
    bundle = make_bundle()
    change(bundle, **{missing: None})
    assert f"`{missing}`" in refused(bundle)


def test_what_is_no_safetensors_file_is_refused_though_its_hash_is_right(make_bundle):
    bundle = make_bundle()
    (bundle.folder / bundles.MODEL).write_bytes(b"\xff" * 40)
    digest = hashlib.sha256(b"\xff" * 40).hexdigest()
    change(bundle, files=bundle.manifest["files"] | {bundles.MODEL: digest})
    assert "no safetensors" in refused(bundle)


def test_the_discriminator_is_checked_only_when_it_is_asked_for(make_bundle):
    bundle = make_bundle()
    assert set(bundle.tensors(bundles.DISCRIMINATOR)) == {"b4.out.weight"}
    (bundle.folder / bundles.DISCRIMINATOR).write_bytes(b"another")
    again = bundles.load(bundle.folder)
    with pytest.raises(UserError, match="wrong sha256"):
        again.tensors(bundles.DISCRIMINATOR)


def replaced(bundle: bundles.Bundle, file: str, **tensors: torch.Tensor) -> bundles.Bundle:
    """The bundle with other tensors in a file, and their right hash."""
    data = save(tensors)
    (bundle.folder / file).write_bytes(data)
    files = bundle.manifest["files"] | {file: hashlib.sha256(data).hexdigest()}
    return replace(bundle, manifest=bundle.manifest | {"files": files})


@pytest.mark.parametrize(("count", "w_dim"), [(5, 5), (0, 24)])
def test_directions_that_do_not_fit_the_network_are_refused(make_bundle, count, w_dim):
    tensors = {"components": torch.ones(count, w_dim), "sigmas": torch.ones(count), "mean": torch.zeros(w_dim)}
    with pytest.raises(UserError, match="do not fit w_dim"):
        replaced(make_bundle(), bundles.DIRECTIONS, **tensors).directions()


@pytest.mark.parametrize("count", [0, 65])
def test_golden_pictures_of_another_network_or_too_many_are_refused(make_bundle, count):
    image = torch.zeros(count, 32, 32, 3, dtype=torch.uint8)
    with pytest.raises(UserError, match="no golden pictures"):
        replaced(make_bundle(), bundles.GOLDEN, z=torch.zeros(count, 24), image=image).check()
    with pytest.raises(UserError, match="no golden pictures"):
        replaced(make_bundle(), bundles.GOLDEN, z=torch.zeros(1, 24), other=image).check()


def test_weights_too_large_for_half_precision_are_not_written(tmp_path, make_bundle):
    bundle = make_bundle()
    state = {name: value * 1e6 for name, value in bundle.generator().state_dict().items()}
    with pytest.raises(ValueError, match="do not fit float16"):
        bundles.write(tmp_path / "big", bundle.manifest | {"precision": "float16"}, {bundles.MODEL: state})
    assert not (tmp_path / "big").exists()
