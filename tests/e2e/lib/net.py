# SPDX-License-Identifier: PostgreSQL
"""net - hosts as network namespaces around one bridge

The bridge lives in a namespace of its own, with no route to anywhere, so several runs may use
the same addresses at once. The test runner itself sits on the client host."""

import ctypes
import os
import re

from .proc import run

HOSTS_DEFAULT = "pgha/77"
CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def parse_hosts(text):
    """PGHA_HOSTS, prefix/number: what hosts' names begin with, and the addresses 10.number.0."""
    found = re.fullmatch(r"([a-z]{1,8})/(\d{1,3})", text)
    if not found or int(found[2]) > 255:
        raise ValueError("PGHA_HOSTS is '%s', must be up to 8 small letters, '/', and a number "
                         "up to 255, like %s" % (text, HOSTS_DEFAULT))
    return found[1], "10.%d.0." % int(found[2])


PREFIX, NET = parse_hosts(os.environ.get("PGHA_HOSTS", HOSTS_DEFAULT))
SUBNET = NET + "0/24"


def enter_netns(path):
    """Move the calling thread, and with it every later child, into a network namespace."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _libc.setns(fd, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns %s" % path)
    finally:
        os.close(fd)


class Net:
    def __init__(self, run_id):
        self.run_id = run_id
        self.switch = run_id + "-sw"
        self.hosts = {}
        run("ip", "netns", "add", self.switch)
        run("ip", "-n", self.switch, "link", "set", "lo", "up")
        run("ip", "-n", self.switch, "link", "add", "br0", "type", "bridge")
        run("ip", "-n", self.switch, "link", "set", "br0", "up")

    def ns(self, host):
        return "%s-%s" % (self.run_id, host)

    def ns_path(self, host):
        return "/run/netns/" + self.ns(host)

    def add(self, host, last_octet):
        """A host with loopback and eth0 on the bridge; returns its address.

        Who takes over an address takes over its hardware address, or the others would go on
        talking to the one before for as long as they remember it, which is up to 45 s."""
        ns, addr = self.ns(host), NET + str(last_octet)
        run("ip", "netns", "add", ns)
        run("ip", "-n", ns, "link", "set", "lo", "up")
        run("ip", "-n", self.switch, "link", "add", host, "type", "veth",
            "peer", "name", "eth0", "netns", ns, "address", "02:00:0a:4d:00:%02x" % last_octet)
        run("ip", "-n", self.switch, "link", "set", host, "master", "br0", "up")
        run("ip", "-n", ns, "addr", "add", addr + "/24", "dev", "eth0")
        run("ip", "-n", ns, "link", "set", "eth0", "up")
        self.hosts[host] = addr
        return addr

    def unplug(self, host):
        """Pull the cable: the carrier is gone for the host, and nothing passes."""
        run("ip", "-n", self.switch, "link", "set", host, "down")

    def plug(self, host):
        run("ip", "-n", self.switch, "link", "set", host, "up")

    def _nft(self, host, text):
        run("ip", "netns", "exec", self.ns(host), "nft", "-f", "-", input=text)

    def drop(self, host, peer=None, port=None, direction="both"):
        """Drop packets silently at this host: all of them but loopback, or those to and from one
        peer and/or one TCP port of the other side."""
        rules = []
        for hook in ("input", "output"):
            if direction not in ("both", hook):
                continue
            side = {"input": ("iif", "saddr", "sport"), "output": ("oif", "daddr", "dport")}[hook]
            match = '%s != "lo"' % side[0]
            if peer:
                match += " ip %s %s" % (side[1], self.hosts[peer])
            if port:
                match += " tcp %s %d" % (side[2], port)
            rules.append("add rule inet pgha %s %s drop" % (hook, match))
        self._nft(host, "\n".join([
            "add table inet pgha",
            "add chain inet pgha input { type filter hook input priority 0; }",
            "add chain inet pgha output { type filter hook output priority 0; }"] + rules) + "\n")

    def heal(self, host):
        self._nft(host, "add table inet pgha\ndelete table inet pgha\n")
        self.plug(host)

    def heal_all(self):
        for host in self.hosts:
            self.heal(host)

    def delete(self, host):
        """The host and its cable; the name and the address are free again at return."""
        run("ip", "-n", self.switch, "link", "del", host, check=False)
        run("ip", "netns", "del", self.ns(host), check=False)
        self.hosts.pop(host, None)

    def remove(self):
        for host in list(self.hosts):
            run("ip", "netns", "del", self.ns(host), check=False)
        run("ip", "netns", "del", self.switch, check=False)
