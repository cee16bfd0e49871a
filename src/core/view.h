/* SPDX-License-Identifier: PostgreSQL */
/*
 * view - everything one decision may look at
 *
 * A flat snapshot: no pointers, so it can be copied, compared, stored and replayed. Facts carry
 * the local time at which they were seen; 0 is "never".
 */
#ifndef PGHA_CORE_VIEW_H
#define PGHA_CORE_VIEW_H

#include "core/config.h"
#include "core/lease.h"
#include "core/types.h"

enum mode { MODE_AUTO = 0, MODE_PAUSED, MODE_SHUTDOWN, MODE__MAX };

enum view_job {
	VJOB_IDLE = 0, /* nothing changes the local Postgres */
	VJOB_BUSY,     /* start, promote, clone, ... is under way */
	VJOB_STOPPING,
	VJOB__MAX
};

enum restart_stage { RESTART_NONE = 0, RESTART_STOPPING, RESTART_STARTING, RESTART__MAX };

struct view {
	int64_t now_ms;
	int64_t wall_us; /* for schedules only */
	char name[NAME_SIZE];
	struct tags tags;
	struct config_ha cfg;
	enum mode mode;

	/* etcd */
	struct cluster cluster;
	int64_t dcs_seen_at_ms;    /* newest answer of any kind */
	int64_t cluster_read_at_ms; /* first complete read in this life */
	bool regressed;            /* etcd told less than was known: wiped, or restored */
	int64_t accepted_revision; /* keys of up to here are of a store that was given up */
	int64_t accepted_at_ms;    /* since when this store counts; 0: always */
	uint32_t known_timeline;   /* of the cluster, by our own record; 0 unknown */
	bool etcd_known;           /* versions of all members are known */
	bool etcd_fixed;           /* ... and their lease expiry can be trusted */
	int64_t last_epoch;        /* newest epoch of a leader that we saw, ours included */
	int64_t sign_at_ms;   /* newest sign of life of that epoch received, on our clock */
	int64_t sign_ttl_ms;  /* longest term such a sign can stand for */
	char last_leader[NAME_SIZE]; /* newest name seen in the key */
	int64_t leader_gone_at_ms; /* since when the leader key is absent; 0: present */
	int64_t release_seen_at_ms;
	bool init_mine;   /* the pending `initialize` was written by this life of ours */
	bool boot_failed; /* our bootstrap failed: the race is to be given back */
	int64_t boot_backoff_until_ms;
	uint32_t discard_failures; /* of what that bootstrap made */

	/* lease */
	struct lease lease;
	int64_t adopt_until_ms; /* grace for a primary found running at start; 0 none */
	bool promote_pending;   /* we took the key in order to promote */
	/* What we promised a leader that cannot reach etcd: not to take over until then. */
	int64_t promise_until_ms; /* 0: nothing */
	int64_t promise_epoch;
	char promise_to[NAME_SIZE];
	int64_t started_at_ms; /* what was promised before then is not known */
	int64_t step_aside_until_ms; /* failed as leader just now: let others go first */
	int64_t unfenced_until_ms;   /* could not fence who led before: not to ask again */
	int64_t yield_until_ms; /* handed over just now: no start before the successor has opened */

	/* local Postgres */
	struct pg_state pg;
	int64_t pg_seen_at_ms;
	int64_t pg_changed_at_ms; /* since when pg.run is what it is */
	enum view_job job;
	uint8_t job_op; /* enum pg_op of the agent, for people */
	struct history upstream; /* of the leader of upstream_epoch */
	int64_t upstream_epoch;
	bool upstream_foreign; /* that server has another system identifier */
	int64_t not_streaming_since_ms; /* running standby; 0: streams, or does not run */
	int64_t starved_since_ms;  /* since when replay_starved; 0: it is not */
	uint64_t position_lsn;     /* of a running standby: end of what it received or replayed */
	int64_t position_since_ms; /* since when it is there */
	int64_t wal_asked_at_ms;   /* when the leader last said whether it has what comes next */
	uint64_t wal_gone_lsn;     /* it has not, from here on; 0: it has, or is not asked */
	uint32_t start_failures;
	uint32_t rewind_failures;
	int64_t work_backoff_until_ms; /* after a failed start, clone or rewind */
	int64_t crash_since_ms; /* leader: since when Postgres has been unusable; 0: usable */
	bool has_served; /* the newest life of Postgres was usable as primary, or still is */
	uint32_t vain_starts; /* starts and promotions in a row of which none ever served */
	int64_t unsteady_since_ms; /* each end since came soon after a start; 0: none */

	/* leader: Postgres ended by itself, and who goes on is not decided yet */
	bool crash_look;
	int64_t crash_down_at_ms;  /* since when no process of it is left; 0: some is */
	bool crash_read;           /* the WAL on disk was read, or cannot be */
	uint64_t crash_commit_lsn; /* end of the newest commit in it; 0: not known */

	/* fencing */
	bool guard_required;
	bool dog_required;
	bool dog_margin; /* ttl less its margin leaves the device no time */
	bool dog_lost;   /* required, and the device cannot be used */
	bool module_required;
	bool module_lost; /* required, and the running Postgres works without it */
	int64_t guard_lost_since_ms; /* 0: what is required is there */
	char fence_due[NAME_SIZE]; /* we hold the key, and this member has to be fenced first */
	bool fence_refused;        /* it could not be: the key goes back */
	char fence_why[REASON_SIZE];

	/* a Postgres that has not ended and does not work */
	bool fence_hung;
	bool fence_stalled;
	int64_t hung_after_ms;
	bool hung_given_up; /* it did so for too long: this term is the last */

	/* operator */
	enum restart_stage restart;
	bool reinit;
	bool handover_asked;   /* a request in etcd, or our own orderly end, wants another leader */
	bool handover_begun;   /* its stop was issued: no way back but taking the key again */
	bool handover_checkpointed;
	bool poolers;        /* clients of PgBouncers are to wait through it */
	bool poolers_asked;  /* ... and they do, or the time for that is over */
	char handover_to[NAME_SIZE]; /* fit successor; "" none found yet */

	/* election */
	bool election_open;  /* the key may be taken now, and this member could */
	int64_t ballot;      /* of this election: a revision of etcd while nobody led; 0 none yet */
	int64_t ballot_at_ms;
	int64_t promised;    /* newest ballot under which this member promised to follow nobody */
	bool seal_wanted;    /* the promise holds: no WAL of a leader that is older than it */
	bool sealed;         /* ... it is on disk, and the walreceiver is gone */
	int64_t election_since_ms; /* since when we see a key that may be taken; 0: none */
	uint32_t nvotes;
	struct vote votes[MEMBERS_MAX];
};

#endif
