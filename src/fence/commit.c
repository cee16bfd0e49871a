/* SPDX-License-Identifier: PostgreSQL */
/*
 * commit - two looks at the gate for each transaction that wrote
 *
 * The first, before the commit record exists, refuses: nothing has happened yet. The second, when
 * the record is on disk and the synchronous standbys were waited for, but before the client hears
 * of it, can only keep the answer back: the process may have been frozen in between for an hour.
 * Then the client's socket is shut down, so that it learns what is true, that the outcome is
 * unknown. No error may be raised there: Postgres would make a PANIC of it.
 *
 * Only processes with a client are looked at. What a background worker commits behind the gate
 * is told to nobody.
 */
#include "fence/module.h"

#include <sys/socket.h>

#include <postgres.h>

/* The connection's header wants those of TLS and Kerberos, which need not be installed and whose
 * names clash with ours. The socket is the first member of a Port, whatever follows. */
#undef ENABLE_GSS
#undef USE_OPENSSL
#undef USE_SSL
#include <libpq/libpq-be.h>

#include <access/transam.h>
#include <access/xact.h>
#include <access/xlog.h>
#include <miscadmin.h>
#include <nodes/parsenodes.h>
#include <replication/syncrep.h>
#include <replication/walsender.h>
#include <replication/walsender_private.h>
#include <storage/lwlock.h>
#include <tcop/dest.h>
#include <tcop/tcopprot.h>
#include <tcop/utility.h>
#include <utils/builtins.h>
#include <utils/guc.h>

#define SYNC_BIT_DEFINED 2

static struct gate *the_gate;
static ProcessUtility_hook_type next_utility;
static int32 server_version;
/* End of the record of the COMMIT or ROLLBACK PREPARED that this transaction is about. */
static XLogRecPtr prepared_end;

/* A client waits for this process' answer, and this server takes writes at all. */
static bool is_ours(void)
{
	return MyProcPort != NULL && !RecoveryInProgress();
}

static void refuse(const struct gate_look *look)
{
	counters_add(MODULE_REFUSED);
	if (look->answer == GATE_BLIND) {
		counters_add(MODULE_BLIND);
		ereport(ERROR,
			(errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
			 errmsg("pgha_fence: nothing proves that this server is the primary, "
				"the transaction is rolled back"),
			 errdetail("The lease page \"%s\" is %s.", the_gate->path,
				   gate_page_text(the_gate, look)),
			 errhint("Is pghad running? pgha_fence.fail_closed = off lets such "
				 "transactions pass.")));
	}
	ereport(ERROR,
		(errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
		 errmsg("pgha_fence: this server's lease is over, the transaction is rolled back"),
		 errdetail("It ended " INT64_FORMAT " ms ago.", -look->left_ms),
		 errhint("Another server may be the primary by now: connect again and repeat "
			 "the transaction there.")));
}

static void check_before(void)
{
	struct gate_look look;

	if (!module_enabled || !is_ours())
		return;
	gate_look(the_gate, module_fail_closed, &look);
	if (look.answer != GATE_OPEN)
		refuse(&look);
}

/* Who reads only, helps to know the page: the agent itself looks in with every cycle. */
static void before_commit(void)
{
	if (TransactionIdIsValid(GetTopTransactionIdIfAny()))
		check_before();
	else if (MyProcPort != NULL)
		gate_remember(the_gate);
}

/* What was not sent yet never will be. The process ends where Postgres finds it safe. */
static void cut_client(const char *why)
{
	whereToSendOutput = DestNone;
	(void)shutdown(MyProcPort->sock, SHUT_RDWR);
	ProcDiePending = true;
	InterruptPending = true;
	ereport(LOG,
		(errmsg("pgha_fence: the client is cut off instead of being told that its "
			"transaction is committed"),
		 errdetail_internal("%s", why)));
}

/* Postgres' own test for whether a commit has to wait, whose flag was renamed and given another
 * meaning within minor releases: hence by place, and by the version that runs. */
static bool is_sync_defined(void)
{
	static const int32 first_bits[] = { 130021, 140018, 150013, 160009, 170005 };
	const volatile uint8 *flag =
		(const volatile uint8 *)&WalSndCtl->lsn[NUM_SYNC_REP_WAIT_MODE];
	uint8 bit = SYNC_BIT_DEFINED;
	bool is_defined;

	for (size_t i = 0; i < lengthof(first_bits); i++)
		if (server_version / 10000 == first_bits[i] / 10000 &&
		    server_version < first_bits[i])
			bit = 1;
	/* Whoever empties the setting wakes the waiters first and changes the flag then, under
	 * this lock (SyncRepUpdateSyncStandbysDefined). */
	LWLockAcquire(SyncRepLock, LW_SHARED);
	is_defined = (*flag & bit) != 0;
	LWLockRelease(SyncRepLock);
	return is_defined;
}

/* The position in WalSndCtl that this transaction waited for; -1: it did not. */
static int wait_mode(bool is_commit)
{
	if (!SyncRepRequested())
		return -1;
	if (synchronous_commit == SYNCHRONOUS_COMMIT_REMOTE_WRITE)
		return SYNC_REP_WAIT_WRITE;
	if (synchronous_commit == SYNCHRONOUS_COMMIT_REMOTE_APPLY && is_commit)
		return SYNC_REP_WAIT_APPLY;
	return SYNC_REP_WAIT_FLUSH;
}

/* A cancelled wait leaves a warning and the word COMMIT, as if the standbys had it. */
static bool is_unconfirmed(XLogRecPtr end, bool is_commit)
{
	int mode = wait_mode(is_commit);

	if (!module_sync_truth || mode < 0 || end == InvalidXLogRecPtr)
		return false;
	if (((volatile WalSndCtlData *)WalSndCtl)->lsn[mode] >= end)
		return false;
	return is_sync_defined();
}

static XLogRecPtr flushed(void)
{
#if PG_VERSION_NUM >= 150000
	return GetFlushRecPtr(NULL);
#else
	return GetFlushRecPtr();
#endif
}

/* PREPARE TRANSACTION does not say where its record ends, only where it begins. Confirmed up to
 * before that: it was not waited for. Confirmed up to all that is flushed: it was. In between,
 * standbys are at work, and the rest is worth waiting for. */
static bool is_prepare_unconfirmed(void)
{
	XLogRecPtr upto = flushed();

	if (!is_unconfirmed(upto, false))
		return false;
	if (is_unconfirmed(ProcLastRecPtr + 1, false))
		return true;
	SyncRepWaitForLSN(upto, false);
	return is_unconfirmed(upto, false);
}

static void check_after(bool unconfirmed)
{
	struct gate_look look;

	/* Without a client's ear already: terminated while it waited. */
	if (!is_ours() || whereToSendOutput == DestNone)
		return;
	if (unconfirmed) {
		counters_add(MODULE_UNCONFIRMED);
		cut_client("The wait for synchronous standbys was cut short.");
		return;
	}
	if (!module_enabled)
		return;
	gate_look(the_gate, module_fail_closed, &look);
	if (look.answer == GATE_OPEN)
		return;
	counters_add(MODULE_WITHHELD);
	cut_client("The lease ended before the commit was complete.");
}

static void on_commit(void)
{
	XLogRecPtr prepared = prepared_end;

	prepared_end = InvalidXLogRecPtr;
	if (MyProcPort == NULL)
		return;
	if (prepared != InvalidXLogRecPtr)
		check_after(is_unconfirmed(prepared, true));
	else if (TransactionIdIsValid(GetTopTransactionIdIfAny()))
		check_after(is_unconfirmed(XactLastCommitEnd, true));
}

static void on_xact(XactEvent event, void *arg _unused_)
{
	switch (event) {
	case XACT_EVENT_PRE_COMMIT:
	case XACT_EVENT_PRE_PREPARE:
		before_commit();
		return;
	case XACT_EVENT_COMMIT:
		on_commit();
		return;
	case XACT_EVENT_PREPARE:
		check_after(MyProcPort != NULL && is_prepare_unconfirmed());
		return;
	case XACT_EVENT_ABORT:
		prepared_end = InvalidXLogRecPtr;
		return;
	/* A parallel worker's writes are its leader's. */
	case XACT_EVENT_PARALLEL_COMMIT:
	case XACT_EVENT_PARALLEL_ABORT:
	case XACT_EVENT_PARALLEL_PRE_COMMIT:
		return;
	}
}

static bool ends_prepared(const PlannedStmt *stmt)
{
	const TransactionStmt *t = (const TransactionStmt *)stmt->utilityStmt;

	return t && IsA(t, TransactionStmt) &&
	       (t->kind == TRANS_STMT_COMMIT_PREPARED || t->kind == TRANS_STMT_ROLLBACK_PREPARED);
}

#if PG_VERSION_NUM >= 140000
#define TREE_PARAM bool read_only_tree,
#define TREE       read_only_tree,
#else
#define TREE_PARAM
#define TREE
#endif

/* A prepared transaction is ended by a statement, inside of another transaction that writes
 * nothing of its own: the first look comes before the statement, the second with the end of that
 * other transaction. */
static void on_utility(PlannedStmt *stmt, const char *query, TREE_PARAM
		       ProcessUtilityContext context, ParamListInfo params, QueryEnvironment *env,
		       DestReceiver *dest, QueryCompletion *qc)
{
	bool ends = ends_prepared(stmt);

	if (ends)
		check_before();
	if (next_utility)
		next_utility(stmt, query, TREE context, params, env, dest, qc);
	else
		standard_ProcessUtility(stmt, query, TREE context, params, env, dest, qc);
	if (ends)
		prepared_end = XactLastRecEnd;
}

void commit_install(struct gate *gate)
{
	the_gate = gate;
	server_version = pg_strtoint32(GetConfigOption("server_version_num", false, false));
	RegisterXactCallback(on_xact, NULL);
	next_utility = ProcessUtility_hook;
	ProcessUtility_hook = on_utility;
}
