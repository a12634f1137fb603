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
        ("CC BY NC SA 4.0", "CC-BY-NC-SA-4.0"),
        ("CC BY-SA 3.0 de", "CC-BY-SA-3.0"),
        ("CC BY-SA 4.0-3.0-2.5-2.0-1.0", "CC-BY-SA-4.0"),
        ("CC BY 4.0 International", "CC-BY-4.0"),
        ("CC BY", "CC-BY"),
        ("CC0", "CC0-1.0"),
        ("cc-zero", "CC0-1.0"),
        ("CC0 1.0 Universal", "CC0-1.0"),
        ("Public domain", "PDM-1.0"),
        ("public-domain", "PDM-1.0"),
        ("pd", "PDM-1.0"),
        ("Licence:\n CC BY 4.0", "CC-BY-4.0"),
        ("Licensed under the MIT License.", "MIT"),
        ("Some rights reserved: see http://creativecommons.org/licenses/by/2.0/", "CC-BY-2.0"),
        ("GPL-3.0-or-later", "GPL-3.0-or-later"),
        ("All rights reserved", None),
        ("Not in the public domain", None),
        ("All rights reserved. Metadata: CC0", None),
        ("CC BY 4.0 for the text, pictures all rights reserved", None),
        ("Not under CC BY 4.0", None),
        ("permit", None),
        ("https://mycreativecommons.org/licenses/by/4.0/", None),
        ("https://creativecommons.org/licenses/by/4.0 or https://creativecommons.org/licenses/by-nd/4.0", None),
        ("", None),
        (None, None),
    ],
)
def test_a_licence_is_recognised_by_its_address_or_by_a_name_that_is_all_that_is_said(text, licence):
    assert spdx(text) == licence
