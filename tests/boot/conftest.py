# SPDX-License-Identifier: PostgreSQL
"""Three booted Debians on one bridge that leads nowhere, with the packages installed by apt.

Environment, set by packaging/test: PGHA_ROOT, the root folder that hosts are made of; PGHA_DEBS, the
packages; PGHA_HOSTS as for tests/e2e. The tests of a file are one story and run in its order."""

import os
import shutil
import sys
import tempfile

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "e2e")]

from fleet import Fleet  # noqa: E402
from lib import net  # noqa: E402
from lib.proc import run  # noqa: E402

OUT = os.path.abspath(os.environ.get("PGHA_BOOT_OUT", os.path.join(HERE, "out")))


@pytest.fixture(scope="session")
def fleet():
    if os.geteuid() != 0:
        pytest.exit("tests/boot needs root: hosts are containers of systemd-nspawn", 2)
    work = tempfile.mkdtemp(prefix=net.PREFIX + "-boot.")
    run("mount", "-t", "tmpfs", "-o", "mode=0755", "pgha-boot", work)
    network = net.Net("%sb%d" % (net.PREFIX, os.getpid() % 10000))
    home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    it = None
    try:
        network.add("client", 100)
        net.enter_netns(network.ns_path("client"))
        it = Fleet(network, os.environ["PGHA_ROOT"], os.environ["PGHA_DEBS"], work)
        yield it
    finally:
        if it is not None:
            it.keep_logs(OUT)
            it.remove()
        net.enter_netns("/proc/self/fd/%d" % home)
        network.remove()
        run("umount", "-l", work, check=False)
        shutil.rmtree(work, ignore_errors=True)


@pytest.fixture(autouse=True)
def story(request):
    """After a test that failed the others of its file would tell of the same."""
    if request.session.testsfailed:
        pytest.skip("an earlier one failed")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    fleet = item.funcargs.get("fleet") if hasattr(item, "funcargs") else None
    if report.failed and fleet is not None:
        for m in fleet.machines:
            report.sections.append(("journal of %s" % m.name, fleet.tail(m)))
