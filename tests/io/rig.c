/* SPDX-License-Identifier: PostgreSQL */
/*
 * rig - real servers and false ones for the tests of the outside
 */
#include "rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEST_SECONDS 120
#define PIDS_MAX     128

extern char **environ;

/* Visitors may still hold one when its test is over, so none is freed. */
static struct rig_fake *fakes[64];
static size_t nfakes;

static char dir[64];
static pid_t pids[PIDS_MAX];
static int npids;
static void (*at_end)(void);

static void take_down(void)
{
	char *const argv[] = { "rm", "-rf", dir, NULL };
	pid_t pid;

	if (at_end)
		at_end();
	for (int i = 0; i < npids; i++)
		rig_kill(pids[i], SIGKILL);
	if (dir[0] && posix_spawnp(&pid, "rm", NULL, NULL, argv, environ) == 0)
		waitpid(pid, NULL, 0);
}

void rig_fail(void)
{
	take_down();
	_exit(1);
}

static void on_alarm(int signo _unused_)
{
	static const char text[] = "the test took too long\n";

	(void)!write(2, text, sizeof(text) - 1);
	if (at_end)
		at_end();
	for (int i = 0; i < npids; i++)
		kill(pids[i], SIGKILL);
	_exit(1);
}

void rig_at_end(void (*fn)(void))
{
	at_end = fn;
}

void rig_begin(const char *name)
{
	signal(SIGALRM, on_alarm);
	signal(SIGPIPE, SIG_IGN);
	alarm(TEST_SECONDS);
	fprintf(stderr, "-- %s\n", name);
}

const char *rig_dir(void)
{
	if (dir[0])
		return dir;
	str_copy(dir, sizeof(dir), "/tmp/pgha-io-XXXXXX");
	CHECK(mkdtemp(dir) != NULL);
	atexit(take_down);
	return dir;
}

pid_t rig_spawn(const char *log_name, char *const argv[])
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none;
	char log[128];
	pid_t pid;
	int rc;

	str_printf(log, sizeof(log), "%s/%s.log", rig_dir(), log_name);
	sigemptyset(&none);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	posix_spawn_file_actions_adddup2(&actions, 1, 2);
	posix_spawn_file_actions_addclosefrom_np(&actions, 3);
	rc = posix_spawnp(&pid, argv[0], &actions, &attr, argv, environ);
	CHECK(rc == 0, "%s: %s", argv[0], strerror(rc));
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	CHECK(npids < PIDS_MAX);
	pids[npids++] = pid;
	return pid;
}

void rig_kill(pid_t pid, int signo)
{
	if (pid <= 0)
		return;
	for (int i = 0; i < npids; i++) {
		if (pids[i] != pid)
			continue;
		kill(pid, signo);
		/* On a busy host it may run on for a moment, and answer. */
		if (signo == SIGSTOP)
			waitpid(pid, NULL, WUNTRACED);
		if (signo != SIGKILL)
			return;
		waitpid(pid, NULL, 0);
		pids[i] = 0;
	}
}

void rig_wait(pid_t pid)
{
	int status = -1;

	/* The alarm bounds this. */
	CHECK(waitpid(pid, &status, 0) == pid && status == 0, "it ended with status %d", status);
	for (int i = 0; i < npids; i++)
		if (pids[i] == pid)
			pids[i] = pids[--npids];
}

static void make_certificates(void)
{
	static const char *const script =
		"cd %s && openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem "
		"-days 2 -subj /CN=ca 2>/dev/null && for n in server client; do "
		"openssl req -newkey rsa:2048 -nodes -keyout $n.key -out $n.csr -subj /CN=$n "
		"2>/dev/null && printf 'subjectAltName=IP:127.0.0.1' > ext && "
		"openssl x509 -req -in $n.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out $n.crt "
		"-days 2 -extfile ext 2>/dev/null && cat $n.crt $n.key > $n.pem; done; "
		"openssl req -x509 -newkey rsa:2048 -nodes -keyout alien.key -out alien.crt "
		"-days 2 -subj /CN=alien 2>/dev/null; cat alien.crt alien.key > alien.pem; "
		"touch done";
	char command[1400];
	char done[128];
	char *argv[] = { (char *)"sh", (char *)"-c", command, NULL };

	str_printf(command, sizeof(command), script, rig_dir());
	str_printf(done, sizeof(done), "%s/done", rig_dir());
	if (access(done, F_OK) == 0)
		return;
	rig_spawn("openssl", argv);
	/* The alarm bounds this. */
	while (access(done, F_OK) != 0)
		poll(NULL, 0, 20);
}

char *rig_certificate(const char *name)
{
	make_certificates();
	return str_dupf("%s/%s", rig_dir(), name);
}

void rig_etcd_start_one(struct rig_etcd *etcd, int i, int base_port)
{
	char name[16], data[128], client[64], outside[160], peer[64], cluster[256];
	char *tls[3] = { NULL, NULL, NULL };
	size_t len = 0;

	if (etcd->tls) {
		tls[0] = rig_certificate("ca.pem");
		tls[1] = rig_certificate("server.crt");
		tls[2] = rig_certificate("server.key");
	}

	cluster[0] = '\0';
	for (int j = 0; j < etcd->n; j++)
		len += (size_t)snprintf(cluster + len, sizeof(cluster) - len,
					"%sm%d=http://127.0.0.1:%d", j ? "," : "", j,
					base_port + 2 * j + 1);
	str_printf(name, sizeof(name), "m%d", i);
	str_printf(data, sizeof(data), "%s/%d-%s", rig_dir(), base_port, name);
	str_printf(client, sizeof(client), "http%s://127.0.0.1:%d", etcd->tls ? "s" : "",
		   base_port + 2 * i);
	str_printf(outside, sizeof(outside), "%s,http://%s:%d", client,
		   etcd->host ? etcd->host : "127.0.0.1", base_port + 2 * i);
	str_printf(peer, sizeof(peer), "http://127.0.0.1:%d", base_port + 2 * i + 1);
	char *const argv[] = {
		"etcd", "--name", name, "--data-dir", data, "--listen-client-urls",
		etcd->host ? outside : client,
		"--advertise-client-urls", etcd->host ? strchr(outside, ',') + 1 : client,
		"--listen-peer-urls", peer,
		"--initial-advertise-peer-urls", peer, "--initial-cluster", cluster,
		"--logger", "zap", "--log-outputs", "stderr",
		etcd->tls ? (char *)"--client-cert-auth" : NULL,
		"--trusted-ca-file", tls[0], "--cert-file", tls[1], "--key-file", tls[2], NULL,
	};
	etcd->port[i] = base_port + 2 * i;
	etcd->pid[i] = rig_spawn(name, argv);
	for (int k = 0; k < 3; k++)
		free(tls[k]);
}

void rig_etcd_start(struct rig_etcd *etcd, int n, int base_port)
{
	etcd->n = n;
	for (int i = 0; i < n; i++)
		rig_etcd_start_one(etcd, i, base_port);
	(void)rig_etcd_leader(etcd, -1);
}

void rig_etcdctl(const struct rig_etcd *etcd, int i, const char *args, struct buf *ret)
{
	char *const argv[] = { "sh", "-c", NULL, NULL };
	char *real[4];
	char command[512];
	int fds[2];
	posix_spawn_file_actions_t actions;
	pid_t pid;
	char chunk[4096];
	ssize_t got;

	str_printf(command, sizeof(command),
		   "ETCDCTL_API=3 exec etcdctl --endpoints=127.0.0.1:%d --command-timeout=3s "
		   "--dial-timeout=1s %s 2>/dev/null",
		   etcd->port[i], args);
	memcpy(real, argv, sizeof(real));
	real[2] = command;
	CHECK(pipe2(fds, O_CLOEXEC) == 0);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fds[1], 1);
	posix_spawn_file_actions_addclosefrom_np(&actions, 3);
	CHECK(posix_spawnp(&pid, "sh", &actions, NULL, real, environ) == 0);
	posix_spawn_file_actions_destroy(&actions);
	close(fds[1]);
	while ((got = read(fds[0], chunk, sizeof(chunk))) > 0)
		buf_add(ret, chunk, (size_t)got);
	close(fds[0]);
	waitpid(pid, NULL, 0);
}

int rig_etcd_leader(const struct rig_etcd *etcd, int not_this)
{
	/* Each round takes as long as the commands take; the alarm bounds them all. */
	for (;;) {
		for (int i = 0; i < etcd->n; i++) {
			struct buf text = { 0 };
			const char *comma;
			bool leads;

			if (i == not_this)
				continue;
			/* endpoint, id, version, size, leader, learner, ... */
			rig_etcdctl(etcd, i, "endpoint status -w simple", &text);
			comma = text.data;
			for (int skip = 0; comma && skip < 4; skip++) {
				comma = strchr(comma, ',');
				comma = comma ? comma + 1 : NULL;
			}
			leads = comma && str_starts(comma, " true");
			buf_done(&text);
			if (leads)
				return i;
		}
	}
}

struct rig_fake {
	int fd;
	enum rig_manner manner;
	const char *text;
	pthread_t thread;
	atomic_int connections;
	atomic_bool stop;
};

struct visitor {
	struct rig_fake *fake;
	int fd;
};

static bool say(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		data += n;
		len -= (size_t)n;
	}
	return true;
}

/* True while the other side holds the connection, looked at for up to ms. */
static bool still_there(struct rig_fake *fake, int fd, int ms)
{
	struct pollfd pfd = { .fd = fd, .events = POLLRDHUP };

	return !atomic_load(&fake->stop) && poll(&pfd, 1, ms) == 0;
}

static void behave(struct visitor *visitor)
{
	static const char html[] = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
				   "Content-Length: 32\r\n\r\n<html><body>hello</body></html>\n";
	static const char endless[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
				      "Content-Length: 1073741824\r\n\r\n";
	static char block[65536];
	struct rig_fake *fake = visitor->fake;
	int fd = visitor->fd;

	switch (fake->manner) {
	case RIG_SILENT:
		while (still_there(fake, fd, 50))
			continue;
		return;
	case RIG_HTML:
		say(fd, html, sizeof(html) - 1);
		return;
	case RIG_GARBAGE:
		memset(block, 0xa5, sizeof(block));
		say(fd, block, sizeof(block));
		return;
	case RIG_DRIP:
		say(fd, endless, sizeof(endless) - 1);
		while (still_there(fake, fd, 50) && say(fd, " ", 1))
			continue;
		return;
	case RIG_FLOOD:
		say(fd, endless, sizeof(endless) - 1);
		for (int i = 0; i < 16384 && say(fd, block, sizeof(block)); i++)
			continue;
		return;
	case RIG_ANSWER:
		say(fd, fake->text, strlen(fake->text));
		return;
	}
}

static void *visit(void *arg)
{
	struct visitor *visitor = arg;
	char request[8192];

	/* The request is read as far as it comes in one piece. */
	(void)!recv(visitor->fd, request, sizeof(request), 0);
	behave(visitor);
	close(visitor->fd);
	free(visitor);
	return NULL;
}

static void *serve(void *arg)
{
	struct rig_fake *fake = arg;

	while (!atomic_load(&fake->stop)) {
		struct pollfd pfd = { .fd = fake->fd, .events = POLLIN };
		struct visitor *visitor;
		pthread_t thread;
		int fd;

		if (poll(&pfd, 1, 50) <= 0)
			continue;
		fd = accept4(fake->fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0)
			continue;
		atomic_fetch_add(&fake->connections, 1);
		visitor = mem_new(1, sizeof(*visitor));
		visitor->fake = fake;
		visitor->fd = fd;
		CHECK(pthread_create(&thread, NULL, visit, visitor) == 0);
		pthread_detach(thread);
	}
	return NULL;
}

struct rig_fake *rig_fake_start(int port, enum rig_manner manner, const char *text)
{
	struct rig_fake *fake = mem_new(1, sizeof(*fake));
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int on = 1;

	CHECK(nfakes < ARRAY_LEN(fakes));
	fakes[nfakes++] = fake;
	fake->manner = manner;
	fake->text = text;
	fake->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(fake->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	CHECK(bind(fake->fd, (struct sockaddr *)&addr, sizeof(addr)) == 0, "port %d: %s", port,
	      strerror(errno));
	CHECK(listen(fake->fd, 64) == 0);
	CHECK(pthread_create(&fake->thread, NULL, serve, fake) == 0);
	return fake;
}

int rig_fake_connections(const struct rig_fake *fake)
{
	return atomic_load(&fake->connections);
}

void rig_fake_stop(struct rig_fake *fake)
{
	atomic_store(&fake->stop, true);
	pthread_join(fake->thread, NULL);
	close(fake->fd);
}
