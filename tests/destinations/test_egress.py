from __future__ import annotations

import socket
import threading
from ipaddress import IPv4Address, IPv6Address, IPv6Network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests_hardened.ip_filter import InvalidIPAddress, filter_host

from bridge.clock import SystemClock
from bridge.destinations.deadline import Deadline
from bridge.destinations.egress import EgressGuard, Resolver, resolve
from bridge.destinations.trouble import ConnectTimedOut, EgressRefused, NameNotFound

LOOPBACK = ("127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1")
PRIVATE = (
    *("10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "fc00::1", "fdff::1"),
    *("::ffff:10.0.0.1", "64:ff9b::10.0.0.1", "::ffff:192.168.0.1"),
)
NEVER = (
    # link-local and metadata, in every way that leads there
    *("169.254.169.254", "169.254.0.1", "fe80::1", "fe80::1%eth0", "::ffff:169.254.169.254"),
    *("64:ff9b::a9fe:a9fe", "64:ff9b:1::a9fe:a9fe", "64:ff9b:1:a9fe:a9:fe00::", "2002:a9fe:a9fe::1"),
    *("::169.254.169.254", "::ffff:0:169.254.169.254", "2001:0:a9fe:a9fe::", "2001::5601:5601"),
    *("fd00:ec2::254", "fd00:ec2::123", "fd20:ce::254", "fd00:c1::a9fe:a9fe", "fd00:42::42"),
    *("100.100.100.200", "192.0.0.192", "168.63.129.16"),
    # nobody's, or everybody's
    *("0.0.0.0", "0.1.2.3", "::", "224.0.0.1", "239.255.255.250", "ff02::1", "255.255.255.255", "240.0.0.1"),
    *("192.0.0.1", "192.0.2.1", "198.51.100.7", "203.0.113.9", "198.18.0.1", "192.88.99.1"),
    *("2001:db8::1", "3fff::1", "2001:2::1", "2001:20::1", "2002:7f00:1::", "2002:808:808::1", "fec0::1"),
    *("100::1", "5f00::1", "4000::1", "::127.0.0.1", "::2", "2001:0:4136:e378:8000:63bf:3fff:fdd2"),
    # a name may not answer with an address of one interface
    "2a00::1%1",
)
PUBLIC = ("8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8")


def answering(*addresses: str) -> Resolver:
    return lambda host, port: list(addresses)


def reach(
    *addresses: str, host: str = "erp.example.com", allow_local: bool = False, allow_private: bool = False
) -> list[str]:
    guard = EgressGuard(allow_local=allow_local, allow_private=allow_private, resolver=answering(*addresses))
    return [str(address) for address in guard.addresses(host, 443, Deadline(5, SystemClock()))]


@pytest.mark.parametrize("address", LOOPBACK)
def test_loopback_is_reached_only_where_the_destination_is_local(address: str) -> None:
    with pytest.raises(EgressRefused, match="allow_local"):
        reach(address, allow_private=True)
    assert reach(address, allow_local=True)


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_address_is_reached_only_where_the_configuration_says_so(address: str) -> None:
    with pytest.raises(EgressRefused, match="allow_private"):
        reach(address, allow_local=True)
    assert reach(address, allow_private=True)


@pytest.mark.parametrize("address", NEVER)
def test_what_is_nobodys_server_is_reached_never(address: str) -> None:
    with pytest.raises(EgressRefused, match="nothing is ever sent there"):
        reach(address, allow_local=True, allow_private=True)


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_reached(address: str) -> None:
    assert reach(address)


@given(st.ip_addresses())  # special ranges above all
def test_we_refuse_whatever_the_second_opinion_refuses(address: IPv4Address | IPv6Address) -> None:
    text = str(address)
    if isinstance(address, IPv6Address) and address in IPv6Network("64:ff9b::/96"):
        return  # it refuses NAT64 whole; we look at what is inside
    try:
        filter_host(text, 443, allow_loopback=False)
    except (InvalidIPAddress, socket.gaierror):
        with pytest.raises(EgressRefused):
            reach(text)


def test_one_forbidden_address_among_good_ones_is_enough() -> None:
    with pytest.raises(EgressRefused):
        reach("8.8.8.8", "169.254.169.254", "1.1.1.1")


def test_the_order_of_the_answer_is_kept_and_repeats_are_not() -> None:
    assert reach("1.1.1.1", "8.8.8.8", "1.1.1.1") == ["1.1.1.1", "8.8.8.8"]


def test_a_mapped_address_is_connected_to_as_what_it_is() -> None:
    assert reach("::ffff:8.8.8.8") == ["8.8.8.8"]


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.1", "0x7f.1", "0x7f000001", "2130706433", "017700000001", "127.0.0.1.", "0"),
        *("::1", "::ffff:127.0.0.1", "::ffff:7f00:1", "0:0:0:0:0:0:0:1", "169.254.169.254", "2852039166"),
        *("0xa9fea9fe", "169.254.43518", "fe80::1%25eth0", "64:ff9b::7f00:1", "localhost", "localhost."),
    ],
)
def test_no_notation_of_a_forbidden_address_slips_through(host: str) -> None:
    guard = EgressGuard(allow_local=False, allow_private=False, resolver=resolve)
    with pytest.raises((EgressRefused, NameNotFound)):
        guard.addresses(host, 80, Deadline(5, SystemClock()))


@pytest.mark.parametrize("host", ["127.1", "0x7f000001", "2852039166", "::ffff:10.0.0.1", "10.0.0.1.", "localhost."])
def test_behind_a_proxy_a_literal_address_is_checked_all_the_same(host: str) -> None:
    guard = EgressGuard(allow_local=False, allow_private=False)
    with pytest.raises(EgressRefused):
        guard.check_literal(host)
    guard.check_literal("erp.example.com")


def test_a_name_that_nobody_knows_is_said_so() -> None:
    def unknown(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    for resolver in (unknown, answering(), answering("not an address")):
        guard = EgressGuard(allow_local=False, allow_private=False, resolver=resolver)
        with pytest.raises(NameNotFound, match=r"erp\.example\.com"):
            guard.addresses("erp.example.com", 443, Deadline(5, SystemClock()))


def test_a_name_that_is_too_long_is_said_so() -> None:
    guard = EgressGuard(allow_local=False, allow_private=False)
    with pytest.raises(NameNotFound):
        guard.addresses("a" * 64 + ".example", 443, Deadline(5, SystemClock()))


def test_a_name_server_that_hangs_ends_with_the_deadline_and_holds_one_thread() -> None:
    released, asked = threading.Event(), []

    def hanging(host: str, port: int) -> list[str]:
        asked.append(host)
        released.wait(10)
        return ["8.8.8.8"]

    guard = EgressGuard(allow_local=False, allow_private=False, resolver=hanging)
    for _ in range(5):
        with pytest.raises(ConnectTimedOut, match="was not resolved"):
            guard.addresses("erp.example.com", 443, Deadline(0.02, SystemClock()))
    assert asked == ["erp.example.com"]
    released.set()
    assert guard.addresses("erp.example.com", 443, Deadline(5, SystemClock()))


def test_each_connection_asks_anew() -> None:
    answers = iter([["8.8.8.8"], ["127.0.0.1"]])
    guard = EgressGuard(allow_local=False, allow_private=False, resolver=lambda host, port: next(answers))
    guard.addresses("erp.example.com", 443, Deadline(5, SystemClock()))
    with pytest.raises(EgressRefused):
        guard.addresses("erp.example.com", 443, Deadline(5, SystemClock()))


def test_the_refusal_names_the_rule_and_the_way_out() -> None:
    with pytest.raises(EgressRefused) as refused:
        reach("10.0.0.5")
    assert str(refused.value) == (
        "erp.example.com leads to a forbidden address (private, 10.0.0.0/8): "
        "set allow_private = true if this destination really is in your own network"
    )
