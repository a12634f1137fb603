"""What a text says about its licence."""

import pytest

from scraping.licences import spdx


@pytest.mark.parametrize(
    ("text", "licence"),
    [
        ("https://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"),
        ("https://creativecommons.org/licenses/by-sa/4.0/deed.en", "CC-BY-SA-4.0"),
        ("https://creativecommons.org/licenses/by-nc-nd/2.5", "CC-BY-NC-ND-2.5"),
        ("CC BY-SA 3.0", "CC-BY-SA-3.0"),
        ("cc-by-4.0", "CC-BY-4.0"),
        ("CC BY", "CC-BY"),
        ("CC0", "CC0-1.0"),
        ("Public domain", "PDM-1.0"),
        ("GPL-3.0-or-later", "GPL-3.0-or-later"),
        ("All rights reserved", None),
        ("", None),
        (None, None),
    ],
)
def test_a_licence_is_recognised_by_address_or_name(text, licence):
    assert spdx(text) == licence
