/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_resttls - clients of the REST server that come back with a ticket
 *
 * The client is GnuTLS itself, because it tells whether a session was resumed.
 */
#include <gnutls/gnutls.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "restrig.h"

#define PORT 22300

struct server {
	struct restrig rig;
	gnutls_certificate_credentials_t creds;
};

static void server_start(struct server *s, int port)
{
	restrig_init(&s->rig, port);
	restrig_start(&s->rig);
	restrig_publish(&s->rig, loop_now_ms() + 120000);
	CHECK(gnutls_certificate_allocate_credentials(&s->creds) == 0);
}

static void server_stop(struct server *s)
{
	restrig_done(&s->rig);
	gnutls_certificate_free_credentials(s->creds);
}

/* What one visit of a client was like. */
struct visit {
	const char *priorities;
	const char *method;
	gnutls_datum_t ticket; /* what to come with; then what came of it; freed by the test */
	bool reached;          /* the handshake was made */
	bool resumed;
	int status;
};

static int dial(const struct server *s)
{
	int fd = restrig_dial(s->rig.config.listen_port, -1);

	CHECK(fd >= 0);
	return fd;
}

/* The loop turns meanwhile only where it is needed: writes wait for it, reads do not. */
static void ask(struct server *s, gnutls_session_t session, struct visit *visit)
{
	char answer[4096];
	char request[256];
	ssize_t n;

	str_printf(request, sizeof(request),
		   "%s %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", visit->method,
		   str_eq(visit->method, "GET") ? "/primary" : "/restart",
		   str_eq(visit->method, "GET") ? 0 : 2, str_eq(visit->method, "GET") ? "" : "{}");
	if (gnutls_record_send(session, request, strlen(request)) < 0)
		return;
	for (int i = 0; i < 50 && !str_eq(visit->method, "GET"); i++)
		(void)loop_step(s->rig.loop, 20);
	do {
		n = gnutls_record_recv(session, answer, sizeof(answer) - 1);
	} while (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED);
	if (n <= 0)
		return;
	answer[n] = '\0';
	CHECK(sscanf(answer, "HTTP/1.1 %d", &visit->status) == 1, "%s", answer);
}

static void make_visit(struct server *s, struct visit *visit)
{
	gnutls_session_t session;
	int fd = dial(s);
	int rc;

	visit->reached = visit->resumed = false;
	visit->status = 0;
	CHECK(gnutls_init(&session, GNUTLS_CLIENT) == 0);
	CHECK(gnutls_priority_set_direct(session, visit->priorities, NULL) == 0);
	CHECK(gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, s->creds) == 0);
	if (visit->ticket.size > 0)
		CHECK(gnutls_session_set_data(session, visit->ticket.data, visit->ticket.size) ==
		      0);
	gnutls_free(visit->ticket.data);
	visit->ticket = (gnutls_datum_t){ 0 };
	gnutls_transport_set_int(session, fd);
	do {
		rc = gnutls_handshake(session);
	} while (rc < 0 && !gnutls_error_is_fatal(rc));
	visit->reached = rc == 0;
	if (rc == 0) {
		ask(s, session, visit);
		visit->resumed = gnutls_session_is_resumed(session) != 0;
		(void)gnutls_session_get_data2(session, &visit->ticket);
	}
	gnutls_deinit(session);
	close(fd);
}

static const char *const versions[] = { "NORMAL:-VERS-ALL:+VERS-TLS1.3",
					"NORMAL:-VERS-ALL:+VERS-TLS1.2" };

static void the_second_handshake_is_resumed(void)
{
	struct server s = { .rig.config.certfile = rig_certificate("server.pem") };

	server_start(&s, PORT);
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		struct visit visit = { .priorities = versions[i], .method = "GET" };

		make_visit(&s, &visit);
		CHECK(visit.reached && !visit.resumed && visit.status == 200, "%d", visit.status);
		make_visit(&s, &visit);
		CHECK(visit.resumed && visit.status == 200, "%s: %d", versions[i], visit.status);
		make_visit(&s, &visit);
		CHECK(visit.resumed && visit.status == 200, "%s: %d", versions[i], visit.status);
		gnutls_free(visit.ticket.data);
	}
	server_stop(&s);
	free(s.rig.config.certfile);
}

static void show(struct server *s, const char *pem)
{
	gnutls_certificate_free_credentials(s->creds);
	CHECK(gnutls_certificate_allocate_credentials(&s->creds) == 0);
	if (pem)
		CHECK(gnutls_certificate_set_x509_key_file(s->creds, pem, pem,
							   GNUTLS_X509_FMT_PEM) >= 0);
}

/* Who came without a certificate does not get one by coming back. */
static void a_ticket_carries_the_certificate_and_no_more(void)
{
	struct server s = { .rig.config.certfile = rig_certificate("server.pem"),
			    .rig.config.cafile = rig_certificate("ca.pem"),
			    .rig.config.verify_client = VERIFY_OPTIONAL };
	char *client = rig_certificate("client.pem");

	server_start(&s, PORT + 1);
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		struct visit with = { .priorities = versions[i], .method = "POST" };
		struct visit without = with;

		show(&s, NULL);
		make_visit(&s, &without);
		CHECK(!without.resumed && without.status == 403, "%d", without.status);
		make_visit(&s, &without);
		CHECK(without.resumed && without.status == 403, "%d", without.status);
		show(&s, client);
		make_visit(&s, &with);
		CHECK(!with.resumed && with.status == 200, "%d", with.status);
		make_visit(&s, &with);
		CHECK(with.resumed && with.status == 200, "%d", with.status);
		gnutls_free(with.ticket.data);
		gnutls_free(without.ticket.data);
	}
	server_stop(&s);
	free(client);
	free(s.rig.config.certfile);
	free(s.rig.config.cafile);
}

/* The authority that signed the client's certificate is no longer believed. */
static void new_certificates_end_all_tickets(void)
{
	struct server s = { .rig.config.certfile = rig_certificate("server.pem"),
			    .rig.config.cafile = rig_certificate("ca.pem"),
			    .rig.config.verify_client = VERIFY_REQUIRED };
	char *client = rig_certificate("client.pem");
	char *alien = rig_certificate("alien.pem");
	struct visit visit = { .priorities = versions[0], .method = "GET" };
	int64_t until_ms = loop_now_ms() + 5000;
	char *old_ca = s.rig.config.cafile;

	server_start(&s, PORT + 2);
	show(&s, client);
	make_visit(&s, &visit);
	make_visit(&s, &visit);
	CHECK(visit.resumed && visit.status == 200, "%d", visit.status);
	s.rig.config.cafile = alien;
	rest_configure(s.rig.rest, &s.rig.config);
	do {
		make_visit(&s, &visit);
		CHECK(loop_now_ms() < until_ms);
	} while (visit.status == 200 && visit.resumed);
	CHECK(!visit.resumed && visit.status == 0, "%d", visit.status);
	gnutls_free(visit.ticket.data);
	server_stop(&s);
	free(old_ca);
	free(client);
	free(alien);
	free(s.rig.config.certfile);
}

/* Until the text comes, or the end of the stream where it is NULL. */
static void read_until(gnutls_session_t session, struct buf *got, const char *what)
{
	int64_t until_ms = loop_now_ms() + 5000;
	char chunk[4096];
	ssize_t n = 1;

	while (n != 0 && !(what && got->data && strstr(got->data, what))) {
		n = gnutls_record_recv(session, chunk, sizeof(chunk));
		CHECK(loop_now_ms() < until_ms, "no '%s' in: %s", what ?: "end", got->data);
		CHECK(n >= 0 || !gnutls_error_is_fatal((int)n) || !what, "%s",
		      gnutls_strerror((int)n));
		if (n > 0)
			buf_add(got, chunk, (size_t)n);
		if (n < 0 && gnutls_error_is_fatal((int)n))
			return;
	}
	CHECK(!what || n != 0, "no '%s' in: %s", what, got->data);
}

/* A stream is suspended most of the time; new certificates need the server to begin anew. */
static void a_stream_ends_with_its_certificates(void)
{
	static const char request[] = "GET /events HTTP/1.1\r\nHost: x\r\n\r\n";
	struct server s = { .rig.config.certfile = rig_certificate("server.pem"),
			    .rig.config.cafile = rig_certificate("ca.pem") };
	char *old_ca = s.rig.config.cafile, *alien = rig_certificate("alien.pem");
	struct visit visit = { .priorities = versions[0], .method = "GET" };
	_cleanup_(buf_done) struct buf got = { 0 };
	struct status *news = status_new();
	gnutls_session_t session;
	int fd, rc;

	server_start(&s, PORT + 3);
	fd = dial(&s);
	CHECK(gnutls_init(&session, GNUTLS_CLIENT) == 0);
	CHECK(gnutls_priority_set_direct(session, versions[0], NULL) == 0);
	CHECK(gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, s.creds) == 0);
	gnutls_transport_set_int(session, fd);
	do {
		rc = gnutls_handshake(session);
	} while (rc < 0 && !gnutls_error_is_fatal(rc));
	CHECK(rc == 0 && gnutls_record_send(session, request, sizeof(request) - 1) > 0);
	read_until(session, &got, "event: state");
	board_publish(s.rig.board, news);
	status_free(news);
	read_until(session, &got, "event: lease");
	read_until(session, &got, "\"held\": false");
	s.rig.config.cafile = alien;
	rest_configure(s.rig.rest, &s.rig.config);
	read_until(session, &got, NULL);
	CHECK(strstr(got.data, "\r\n0\r\n\r\n"), "in order: %s", got.data);
	make_visit(&s, &visit);
	CHECK(visit.reached, "the next server is there");
	gnutls_free(visit.ticket.data);
	gnutls_deinit(session);
	close(fd);
	server_stop(&s);
	free(old_ca);
	free(alien);
	free(s.rig.config.certfile);
}

int main(void)
{
	log_level_set(LOG_ERROR);
	RUN(the_second_handshake_is_resumed);
	RUN(a_ticket_carries_the_certificate_and_no_more);
	RUN(new_certificates_end_all_tickets);
	RUN(a_stream_ends_with_its_certificates);
	return 0;
}
