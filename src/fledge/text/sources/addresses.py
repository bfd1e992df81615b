"""Which network addresses may be talked to: public ones alone, checked after the name is resolved."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable

Resolver = Callable[[str, int], list[str]]  # host, port -> addresses
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

NAT64 = ipaddress.ip_network("64:ff9b::/96")
# Which of the special blocks `is_global` knows depends on the version of Python: protocol assignments, 6to4 relays,
# and the site-local addresses of old, which routers still pass.
NOT_PUBLIC = tuple(map(ipaddress.ip_network, ("192.0.0.0/24", "192.88.99.0/24", "fec0::/10")))


class Refused(Exception):
    """An address that is not fetched from."""


def resolve(host: str, port: int) -> list[str]:
    """The addresses of ``host`` as the system resolves it; raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(item[4][0]) for item in found))


def _carried(address: Address) -> list[Address]:
    """The address, and the IPv4 addresses that it stands for."""
    found: list[Address] = [address]
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return [address.ipv4_mapped]
        if address.sixtofour is not None:
            found.append(address.sixtofour)
        if address.teredo is not None:
            found.extend(address.teredo)
        if address in NAT64:
            return [ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)]
    return found


def is_public(text: str) -> bool:
    """Whether an address is of the open internet: not private, loopback, link-local, multicast or reserved."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return all(
        item.is_global
        and not (item.is_multicast or item.is_reserved or item.is_unspecified)
        and not any(item in network for network in NOT_PUBLIC)
        for item in _carried(address)
    )


def checked_address(host: str, port: int, resolver: Resolver, allow: Callable[[str], bool]) -> str:
    """The address to connect to. Refuses a host when any of its addresses is not public.

    The caller connects to this very address, so that a second look-up cannot give another one.
    """
    addresses = resolver(host, port)
    if not addresses:
        raise OSError(f"{host} has no address")
    for address in addresses:
        if not is_public(address) and not allow(address):
            raise Refused(f"{host} is at {address}, which is not a public address")
    return addresses[0]
