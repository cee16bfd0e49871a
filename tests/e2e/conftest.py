# SPDX-License-Identifier: PostgreSQL
"""Fixtures: one run has one network; most tests share one cluster that is made whole between.

Environment: PGHA_BUILD, the build directory (default: the newest build* of the tree);
PGHA_E2E_TMP, where hosts keep their files (default: in memory where there is enough of it, else
/tmp); PGHA_E2E_KEEP=1 keeps them; PGHA_E2E_OUT, where reports and failures go (default: out/);
PGHA_E2E_TTL, the lease's term in seconds (5); PGHA_E2E_PATIENCE, how many times longer than usual
things may take (1);
PGHA_HOSTS=prefix/number, names and addresses of the hosts (default: pgha/77). Runs go side by side,
under one prefix or under several; those of one prefix remove each other's leftovers."""

import collections
import contextlib
import fcntl
import glob
import os
import re
import shutil
import signal

import pytest

from lib import cgroup, disk, net
from lib.cluster import Cluster
from lib.node import pg_bin, pg_lib
from lib.proc import alive, kill, run, tail, wait_for
from lib.reaper import run_below_reaper
from lib.wallclock import WallClock
from lib.writers import build_prober

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
OUT = os.path.abspath(os.environ.get("PGHA_E2E_OUT", os.path.join(HERE, "out")))
TMP = os.environ.get("PGHA_E2E_TMP", "/tmp")
MEMORY_BYTES = 6 << 30

Programs = collections.namedtuple("Programs", "pghad hactl")
GUARD = "pgha-guard"


def pytest_addoption(parser):
    parser.addoption("--gate", action="store_true",
                     help="only the tests named in gate.txt: those that hold a change up")
    parser.addoption("--rounds", type=int, default=1, metavar="N",
                     help="play each test of test_fencing.py that many times")


def pytest_generate_tests(metafunc):
    if "turn" in metafunc.fixturenames:
        rounds = metafunc.config.getoption("--rounds")
        if rounds > 1:
            metafunc.parametrize("turn", range(rounds))


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--gate"):
        return
    with open(os.path.join(HERE, "gate.txt"), encoding="ascii") as f:
        names = {line.strip() for line in f if line.strip() and not line.startswith("#")}
    found = {item.nodeid.split("tests/e2e/")[-1]: item for item in items}
    files = {n.split("::")[0] for n in found}
    missing = {n for n in names - set(found) if n.split("::")[0] in files}
    if missing:
        raise pytest.UsageError("gate.txt names tests that are not there: %s" % sorted(missing))
    config.hook.pytest_deselected(items=[i for n, i in found.items() if n not in names])
    items[:] = [i for n, i in found.items() if n in names]


def pytest_configure():
    run_below_reaper()


def build_dir():
    if "PGHA_BUILD" in os.environ:
        return os.path.abspath(os.environ["PGHA_BUILD"])
    found = [d for d in glob.glob(os.path.join(TOP, "build*"))
             if os.path.exists(os.path.join(d, "pghad"))]
    return max(found, key=lambda d: os.path.getmtime(os.path.join(d, "pghad")), default=None)


@contextlib.contextmanager
def alone():
    """Nobody else begins or ends a run meanwhile."""
    with open(os.path.join(TMP, "pgha-e2e-runs.lock"), "a") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        yield


def switches():
    """The runs that there are, of any prefix."""
    return set(re.findall(r"^([a-z]+\d+)-sw\b", run("ip", "netns", "list").stdout, re.M))


def remove_leftovers():
    """What a run left behind whose process is gone; a run that lives holds its lock file."""
    ids = switches() | {os.path.basename(p) for p in glob.glob(os.path.join(TMP, net.PREFIX + "*"))}
    ids = {i for i in ids if re.fullmatch(net.PREFIX + r"\d+", i)}
    for run_id in ids:
        work = os.path.join(TMP, run_id)
        lock = os.path.join(work, "lock")
        if os.path.exists(lock):
            with open(lock) as f:
                try:
                    fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    continue
                remove_run(run_id, work)
        else:
            remove_run(run_id, work)


def remove_run(run_id, work):
    disk.remove_below(work)
    for name in cgroup.leftovers(run_id + "-"):
        cgroup.Cgroup(name).remove()
    for ns in re.findall(r"^(%s-\S+)" % run_id, run("ip", "netns", "list").stdout, re.M):
        for pid in run("ip", "netns", "pids", ns, check=False).stdout.split():
            kill(int(pid))
            wait_for("pid %s gone" % pid, lambda p=int(pid): not alive(p), 5)
        run("ip", "netns", "del", ns, check=False)
    if os.path.ismount(work):
        run("umount", "-l", work, check=False)
    shutil.rmtree(work, ignore_errors=True)


def memory_available():
    with open("/proc/meminfo") as f:
        fields = dict(line.split(":") for line in f)
    return int(fields["MemAvailable"].split()[0]) * 1024


def put_in_memory(work):
    """No test loses power, so no disk has to be waited for: eleven servers that sync theirs at
    once bring a slow one to its knees, and then it is the disk that is tested."""
    room = min(memory_available() // 2, MEMORY_BYTES)
    if "PGHA_E2E_TMP" not in os.environ and room >= MEMORY_BYTES // 2:
        run("mount", "-t", "tmpfs", "-o", "size=%d,mode=0755" % room, "pgha-e2e", work)


@pytest.fixture(scope="session")
def hosts():
    """The network of this run, with the test runner on its client host; (net, work directory)."""
    if os.geteuid() != 0:
        pytest.exit("tests/e2e needs root: hosts are network namespaces", 2)
    os.makedirs(OUT, exist_ok=True)
    run_id = "%s%d" % (net.PREFIX, os.getpid())
    work = os.path.join(TMP, run_id)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    with contextlib.ExitStack() as stack:
        mine = stack.enter_context(open(os.path.join(OUT, "lock"), "w"))
        try:
            fcntl.flock(mine, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            pytest.exit("another run leaves its results in %s: set PGHA_E2E_OUT" % OUT, 2)
        with alone():
            remove_leftovers()
            made_run_dir = not os.path.isdir("/run/pgha")
            os.makedirs(work)
            os.chmod(work, 0o755)
            put_in_memory(work)
            lock = stack.enter_context(open(os.path.join(work, "lock"), "w"))
            fcntl.flock(lock, fcntl.LOCK_EX)
            network = net.Net(run_id)
        try:
            network.add("client", 100)
            net.enter_netns(network.ns_path("client"))
            yield network, work
        finally:
            net.enter_netns("/proc/self/fd/%d" % home)
            os.close(home)
            if os.environ.get("PGHA_E2E_KEEP") != "1":
                with alone():
                    remove_run(run_id, work)
                    # The hosts of others have theirs mounted on it.
                    if made_run_dir and not switches():
                        shutil.rmtree("/run/pgha", ignore_errors=True)


@pytest.fixture(scope="session")
def programs(hosts):
    """Copies of the programs where the postgres user can run them."""
    build = build_dir()
    if not build or not os.path.exists(os.path.join(build, "pghad")):
        pytest.exit("no pghad in %s: build first, or set PGHA_BUILD" % (build or TOP + "/build*"),
                    2)
    bin_dir = os.path.join(hosts[1], "bin")
    os.makedirs(bin_dir, exist_ok=True)
    for name in Programs._fields:
        shutil.copy2(os.path.join(build, name), bin_dir)
    # pghad looks for its guardian beside itself.
    shutil.copy2(os.path.join(build, GUARD), bin_dir)
    return Programs(*(os.path.join(bin_dir, name) for name in Programs._fields))


@pytest.fixture(scope="session")
def fence_lib(hosts):
    """The server's library directory with our module in it; hosts that want it have it there."""
    major = pg_bin().split("/")[-2]
    module = os.path.join(build_dir(), "src/fence", major, "pgha_fence.so")
    if not os.path.exists(module):
        pytest.skip("no %s: configure found no server headers" % module)
    out = os.path.join(hosts[1], "pglib")
    shutil.copytree(pg_lib(), out)
    shutil.copy2(module, out)
    os.chmod(os.path.join(out, "pgha_fence.so"), 0o755)
    return out


@pytest.fixture(scope="session")
def prober(hosts):
    return build_prober(hosts[1])


class Shared:
    """The cluster that tests share, made anew when a test left it beyond repair."""

    def __init__(self, *args):
        self.args = args
        self.cluster = None

    def get(self, record, fence_lib=None, disks=False):
        if disks and not os.path.exists("/dev/loop-control"):
            pytest.skip("no loop devices on this machine")
        if self.cluster is not None and self.cluster.kind != (fence_lib is not None, disks):
            self.drop()
        if self.cluster is not None:
            try:
                self.cluster.make_whole()
                record.append(self.cluster)
                return self.cluster
            except Exception as e:
                print("the shared cluster does not become whole, making a new one: %s" % e)
                self.drop()
        cluster = self.new(record, fence_lib, disks)
        cluster.start()
        return cluster

    def new(self, record, fence_lib=None, disks=False):
        self.drop()
        self.cluster = Cluster(*self.args, fence_lib=fence_lib, disks=disks)
        record.append(self.cluster)
        return self.cluster

    def drop(self):
        cluster, self.cluster = self.cluster, None
        if cluster is not None:
            cluster.remove()


@pytest.fixture(scope="session")
def shared(hosts, programs, prober):
    it = Shared(*hosts, programs, prober)
    yield it
    it.drop()


@pytest.fixture
def cluster(shared, record):
    """A whole cluster of three, ready for the next fault."""
    return shared.get(record)


@pytest.fixture
def turn():
    """Which of --rounds it is."""
    return 0


@pytest.fixture
def fenced(shared, record, fence_lib):
    """The same with the module in every server."""
    return shared.get(record, fence_lib)


@pytest.fixture
def on_disks(shared, record, fence_lib):
    """The same where all data, also that of etcd, is on file systems of their own."""
    return shared.get(record, fence_lib, disks=True)


@pytest.fixture(scope="session")
def wall_clock(hosts):
    """A wall clock that can be set; see wallclock.c."""
    return WallClock(hosts[1])


@pytest.fixture
def fresh(shared, record):
    """A cluster that was never started; the test starts it as it likes, nobody uses it later."""
    yield shared.new(record)
    shared.drop()


@pytest.fixture
def out(request):
    """Directory for what this test leaves behind; emptied before, kept when it fails."""
    path = os.path.join(OUT, re.sub(r"[^\w.-]+", "_", request.node.name))
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    yield path
    if not getattr(request.node, "failed", False):
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def record(request, out):
    """Clusters of this test: when it fails their logs are kept."""
    clusters = []
    request.node.keep = (clusters, out)
    return clusters


def keep_logs(cluster, out):
    # A test that fails in its teardown has had it removed already.
    os.makedirs(out, exist_ok=True)
    with open(os.path.join(out, "etcd-keys.txt"), "w", encoding="utf-8") as f:
        f.write(cluster.dump())
    for host in cluster.nodes + cluster.etcd.members:
        for path in glob.glob(host.dir + "/*.log") + glob.glob(host.dir + "/pglog/*"):
            shutil.copy(path, os.path.join(out, "%s-%s" % (host.name, os.path.basename(path))))
        if os.path.exists(host.dir + "/pgha.yml"):
            shutil.copy(host.dir + "/pgha.yml", os.path.join(out, host.name + "-pgha.yml"))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if not report.failed:
        return
    item.failed = True
    clusters, out = getattr(item, "keep", ([], None))
    for cluster in clusters:
        keep_logs(cluster, out)
        for node in cluster.nodes:
            report.sections.append(("pghad of %s, all in %s" % (node.name, out),
                                    tail(os.path.join(node.dir, "pghad.log"), 25)))
