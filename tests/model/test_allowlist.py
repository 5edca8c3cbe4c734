"""Which addresses and hosts a list of allowed targets allows, and what it refuses to
be."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poussetaches.model.allowlist import AllowList, destination


@pytest.mark.parametrize(
    ("address", "leads_to"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("10.1.2.3", "10.1.2.3"),
        ("0.0.0.0", "127.0.0.1"),
        ("::", "::1"),
        ("::1", "::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        # As IPv6: mapped, compatible, translated, NAT64, local NAT64, 6to4.
        ("::ffff:127.0.0.1", "127.0.0.1"),
        ("::ffff:0.0.0.0", "127.0.0.1"),
        ("::127.0.0.1", "127.0.0.1"),
        ("::ffff:0:127.0.0.1", "127.0.0.1"),
        ("64:ff9b::7f00:1", "127.0.0.1"),
        ("64:ff9b:1::7f00:1", "127.0.0.1"),
        ("2002:7f00:1::", "127.0.0.1"),
        ("2002:a00:1:ffff::1", "10.0.0.1"),
        ("2002::", "127.0.0.1"),
    ],
)
def test_an_address_counts_as_the_one_it_leads_to(address: str, leads_to: str) -> None:
    assert str(destination(address)) == leads_to


def allows(text: str, host: str, address: str) -> bool:
    return AllowList.parse(text).allows(host, destination(address))


@pytest.mark.parametrize(
    ("text", "host", "address", "allowed"),
    [
        ("", "anything.example", "203.0.113.9", True),
        (" , ", "anything.example", "203.0.113.9", True),
        ("10.0.0.0/8", "h", "10.255.255.255", True),
        ("10.0.0.0/8", "h", "11.0.0.0", False),
        ("10.0.0.0/8", "10.0.0.1", "11.0.0.0", False),
        ("10.0.0.0/255.0.0.0", "h", "10.1.1.1", True),
        ("127.0.0.1", "h", "127.0.0.1", True),
        ("127.0.0.1", "h", "127.0.0.2", False),
        ("127.0.0.1", "h", "::1", False),
        ("0.0.0.0/0", "h", "::1", False),
        ("fd00::/8", "h", "fdff::1", True),
        ("fd00::/8", "h", "fe00::1", False),
        ("::1", "h", "::1", True),
        ("::/0", "h", "::ffff:127.0.0.1", False),
        ("10.0.0.0/8 192.168.0.0/16", "h", "192.168.1.1", True),
        ("10.0.0.0/8,192.168.0.0/16", "h", "192.168.1.1", True),
        # Named hosts may be anywhere.
        ("app.example", "app.example", "203.0.113.9", True),
        ("APP.Example.", "app.example", "203.0.113.9", True),
        ("app.example", "app.example.", "203.0.113.9", True),
        ("app.example", "b.app.example", "203.0.113.9", False),
        ("app.example", "xapp.example", "203.0.113.9", False),
        ("app.example", "app.example.org", "203.0.113.9", False),
        ("bücher.example", "xn--bcher-kva.example", "203.0.113.9", True),
        ("localhost", "localhost", "127.0.0.1", True),
        ("localhost", "127.0.0.1", "127.0.0.1", False),
        ("*.app.example", "a.app.example", "203.0.113.9", True),
        ("*.app.example", "a.b.app.example.", "203.0.113.9", True),
        ("*.app.example", "app.example", "203.0.113.9", False),
        ("*.app.example", "xapp.example", "203.0.113.9", False),
        ("*.app.example, 10.0.0.0/8", "h", "10.0.0.1", True),
    ],
)
def test_what_a_list_allows(text: str, host: str, address: str, allowed: bool) -> None:
    assert allows(text, host, address) is allowed


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("10.0.0.0/8, 10.0.0.0/33", 'has "10.0.0.0/33", which is no network'),
        ("10.0.0.0/", 'has "10.0.0.0/", which is no network'),
        ("/8", 'has "/8", which is no network'),
        ("app.example/8", 'has "app.example/8", which is no network'),
        ("app.example:80", 'has "app.example:80", which is no network'),
        ("[::1]", 'has "[::1]", which is no network'),
        ("::g", 'has "::g", which is no network'),
        ("10.0.0.1/8", "is an address in a network; write 10.0.0.0/8 or 10.0.0.1"),
        ("fd00::1/8", "is an address in a network; write fd00::/8 or fd00::1"),
        ("fe80::1%eth0", "has a zone"),
        ("::ffff:10.0.0.0/104", "is IPv4 in IPv6 writing; write it with 10.0.0.0"),
        ("2002:a00:1::", "is IPv4 in IPv6 writing; write it with 10.0.0.1"),
        ("127.1", 'has "127.1", which resolvers take for an address'),
        ("0x7f000001", "which resolvers take for an address"),
        ("2130706433", "which resolvers take for an address"),
        ("1.2.3.4.5", "which resolvers take for an address"),
        ("10.0.0.256", "which resolvers take for an address"),
        ("app.0x", "which resolvers take for an address"),
        ("*", 'has "*", which is neither a network'),
        ("*.", 'has "*.", which is neither a network'),
        ("*.*.example", 'has "*.*.example", which is neither a network'),
        ("a.*.example", 'has "a.*.example", which is neither a network'),
        ("*example", 'has "*example", which is neither a network'),
        ("http:app", 'has "http:app", which is no network'),
        ("user@app.example", 'has "user@app.example", which is neither a network'),
        ("a..b", 'has "a..b", which is neither a network'),
        ("-", None),
    ],
)
def test_what_is_no_list_of_targets(text: str, complaint: str | None) -> None:
    if complaint is None:
        assert AllowList.parse(text).names == (text,)
        return
    with pytest.raises(ValueError) as caught:
        AllowList.parse(text)
    assert complaint in str(caught.value)


networks = st.one_of(
    st.ip_addresses(v=4).flatmap(
        lambda ip: st.integers(0, 32).map(
            lambda bits: str(ipaddress.ip_network(f"{ip}/{bits}", strict=False))
        )
    ),
    st.integers(3, 128).map(
        lambda bits: str(ipaddress.ip_network(f"fd12:3456::1/{bits}", strict=False))
    ),
)
entries = networks | st.sampled_from(
    ["app.example", "*.example.org", "localhost", "bücher.example", "a_b", "*.x"]
)


@given(st.lists(entries), st.sampled_from([",", " ", ", ", " ,, "]))
def test_what_a_list_shows_reads_back_as_the_same_list(
    given_entries: list[str], separator: str
) -> None:
    allowed = AllowList.parse(separator.join(given_entries))
    assert AllowList.parse(str(allowed)) == allowed


@given(st.ip_addresses(v=6))
def test_every_address_leads_somewhere(address: ipaddress.IPv6Address) -> None:
    there = destination(str(address))
    assert destination(str(there)) == there
    assert not there.is_unspecified
