"""Which addresses are public."""

import pytest

from scraping.network import is_public, normal


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "2606:2800:220:1::1", "::ffff:8.8.8.8"])
def test_an_address_of_the_internet_is_public(address):
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.0.0.7", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"),
        *("224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1%eth0", "fc00::1", "ff02::1"),
        *("::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "64:ff9b::a00:1"),
    ],
)
def test_any_other_address_is_not_also_when_it_hides_in_ipv6(address):
    assert not is_public(address)


@pytest.mark.parametrize(
    ("given", "clean"),
    [
        ("HTTP://Ex.COM:80/a b?q=ü#f", "http://ex.com/a%20b?q=%C3%BC"),
        ("http://user:pw@x.example/", "http://x.example/"),
        ("http://münchen.example/", "http://xn--mnchen-3ya.example/"),
        ("http://x.example/..%2f..%2fa", "http://x.example/..%2f..%2fa"),
        *[(bad, None) for bad in ("", "//x.example/", "http:///a", "ftp://x.example/", "javascript:alert(1)")],
        *[(bad, None) for bad in ("http://[broken/", "http://a b/", "http://x.example:99999/", "http://\x00/")],
    ],
)
def test_an_address_is_brought_into_one_form_or_is_none(given, clean):
    assert normal(given) == clean
