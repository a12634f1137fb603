"""Whoever laid a raw folder: whose its files are, and by which names they go."""

import json

import pytest

from inference.errors import UserError
from preprocessing import raw


def test_rights_come_from_the_nearest_consent(tmp_path):
    default = raw.Rights(licence=None, consent=None, commercial=False)
    (tmp_path / "main/s1").mkdir(parents=True)
    book = raw.RightsBook(tmp_path, default)
    assert book.of(tmp_path / "main/s1/1.mp4") == default
    said = {"licence": "CC-BY-4.0", "consent": "signed", "commercial": True, "source": "studio"}
    (tmp_path / "main/s1/consent.json").write_text(json.dumps(said))
    book = raw.RightsBook(tmp_path, default)
    assert book.of(tmp_path / "main/s1/1.mp4").licence == "CC-BY-4.0"
    assert book.of(tmp_path / "main/s2/1.mp4") == default
    (tmp_path / "consent.json").write_text("{}")
    with pytest.raises(UserError, match=r"consent\.json.*licence"):
        raw.RightsBook(tmp_path, default).of(tmp_path / "main/s2/1.mp4")


@pytest.mark.parametrize("name", ["일반인", "a b", "..", "x/../y", "F(여성)"])
def test_ids_are_plain_names(name):
    made = raw.ascii_id(name)
    assert made.isascii()
    assert " " not in made
    assert not made.startswith(".")
    assert made != raw.ascii_id(name + "2")
