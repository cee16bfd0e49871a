/* SPDX-License-Identifier: PostgreSQL */
/*
 * state - what the agent remembers between two events; private to the agent room
 */
#ifndef PGHA_AGENT_STATE_H
#define PGHA_AGENT_STATE_H

#include "agent/agent.h"
#include "core/decide.h"
#include "core/whatif.h"
#include "wire/conffile.h"
#include "wire/record.h"

/* Requests that were sent and not answered. */
#define TICKETS(X)                                                                          \
	X(READ) X(GRANT) X(KEEPALIVE) X(PROOF) X(ACQUIRE) X(TAKEOVER) X(RELEASE) X(MEMBER)  \
	X(NUMBER) X(FENCE) X(FENCE_KEY)                                                     \
	X(STATUS) X(HISTORY) X(INIT) X(CONFIG) X(CLEAR) X(COMMAND) X(PROBE) X(ANCESTRY)     \
	X(OWN_HISTORY) X(CHECKPOINT) X(SLOTS) X(PRE_PROMOTE) X(JOB) X(PEER) X(SAVE) X(BALLOT) \
	X(SYNC) X(WAL_END) X(TRACE) X(FAILSAFE) X(PROMISE) X(POOLERS) X(EXPLAIN) X(DOCTOR)

enum ticket_kind {
#define X(n) TICKET_##n,
	TICKETS(X)
#undef X
	TICKET__MAX
};

#define PENDING_MAX 192

struct pending {
	uint64_t ticket; /* 0: free */
	enum ticket_kind kind;
	int64_t since_ms;
	int64_t number;       /* PROOF, RELEASE: epoch; ANCESTRY: leader's epoch;
			       * ACQUIRE, NUMBER: the timeline that was taken, 0 none */
	int64_t lease_id;     /* PROOF, ACQUIRE, MEMBER: the lease that was attached */
	bool beat;            /* PROOF: it put the beat key */
	bool moves;           /* PROOF: it wrote the leader key again */
	int64_t revision;     /* newest revision that was known when it left */
	bool forgotten;       /* etcd: asked of a store that was given up meanwhile */
	char name[NAME_SIZE]; /* PEER */
};

#define FENCES_WORDS_SIZE 96

/* What the member key was made of last. */
struct member_seen {
	struct member_out out; /* without the texts that are made for the occasion */
	char fence[FENCES_WORDS_SIZE];
};

/* The one etcd lease of this process, attached to the member key and to the leader key. */
struct session {
	int64_t lease_id; /* 0: none */
	int64_t ttl_ms;
	int64_t kept_sent_ms; /* send time of the newest grant or keepalive that etcd confirmed */
	int64_t proved_sent_ms; /* send time of the newest proof of the lease at hand */
	int64_t keep_from_ms; /* from then on it may be kept alive, at next_keep_ms it must */
	int64_t next_keep_ms;
	int64_t retry_at_ms; /* grant again then */
};

struct job {
	enum pg_op op; /* valid while ticket != 0 */
	uint64_t ticket;
	int64_t since_ms;
	enum stop_mode stop; /* of a STOP */
};

/* A switchover, failover or restart whose caller still waits for the answer. */
enum waiting_phase { WAITING_NONE = 0, WAITING_VOTES, WAITING_WRITE, WAITING_END };

struct waiting {
	uint64_t command_id;
	enum waiting_phase phase;
	bool failover; /* else switchover: only for the words of the answer */
	int64_t since_ms;
	int64_t until_ms;
	char leader[NAME_SIZE];
	char candidate[NAME_SIZE];
	int64_t scheduled_at_us;
	int32_t scheduled_offset_min;
	bool seen; /* the request was seen in etcd */
};

struct restart {
	uint64_t command_id; /* 0: nobody waits */
	int64_t until_ms;
	int64_t before_start_us; /* start time of the postmaster that has to go */
	/* scheduled */
	bool scheduled;
	int64_t at_us;
	int64_t postmaster_start_us;
	struct command filter;
};

/* Absent members whose slots are still kept. */
struct retained {
	char name[NAME_SIZE]; /* slot name */
	int64_t seen_at_ms;
};

#define SEAL_ASKED_MAX 8

/* Somebody waits for our final position. */
struct seal_asked {
	uint64_t command_id; /* 0: free */
	int64_t until_ms;
};

/* A promised ballot above every revision that this member knows: newer than what it has heard of
 * etcd, or made up. */
struct seal_doubt {
	int64_t ballot;  /* 0: none */
	int64_t before;  /* promised beside it; INT64_MAX: whatever etcd will have come to */
	uint64_t ticket; /* only what is asked of etcd after this one can tell */
	bool begins;     /* the seal is for its sake alone */
};

struct seal {
	int64_t until_ms;   /* the promise holds until then; 0: none */
	bool kept;          /* the promise is on disk */
	int64_t done_at_ms; /* since when the files name no upstream; 0: they may */
	int64_t retry_ms;   /* ask for a ballot again then */
	int64_t files_retry_ms; /* write the files again then, after a failure */
	char candidate[NAME_SIZE]; /* who asked first */
	struct seal_doubt doubt;
	struct seal_asked asked[SEAL_ASKED_MAX];
};

/* The operator's command against an old leader. */
struct fence {
	struct victim last;  /* newest leader that was seen, while its address could be */
	struct victims sent; /* with the newest write of the key */
	int64_t before_epoch; /* of the leader before */
	int64_t epoch;       /* of the term that `done` is of */
	struct victims done;
	uint64_t ticket; /* of the command that runs; 0: none */
	int64_t since_ms;
	struct fence_req req;
	uint32_t failures; /* in a row: each makes the next try wait longer */
	int64_t key_retry_ms;
	int64_t succeeded; /* in this life */
	int64_t failed;
};

/* The steps of a hand-over; name, text. They are told in the order of their times. */
#define TRACE_STEPS(X)                                                                      \
	X(ASKED, "asked")             /* gives: a request is there, or our own end */       \
	X(FOUND, "successor found")                                                         \
	X(CHECKPOINT, "checkpoint done")                                                    \
	X(PAUSED, "clients wait")     /* gives: where PgBouncers are configured */          \
	X(STOP, "stop requested")                                                           \
	X(CLIENTS, "clients gone")    /* told when the stop has ended */                    \
	X(CRASHED, "crashed")         /* gives: instead of all that */                      \
	X(ENDED, "shut down")         /* nothing of it can write any more */                \
	X(RELEASED, "key handed over")                                                      \
	X(EXITED, "postmaster gone")  /* nobody waits for it but the start as a standby */  \
	X(STREAMS, "streams again")                                                         \
	X(WOKE, "woke")               /* takes: the hand-over names this member */          \
	X(VACANT, "key free")         /* takes: nobody leads, and nobody was named */       \
	X(ACQUIRE, "all WAL here")                                                          \
	X(KEY, "key taken")                                                                 \
	X(PROMOTE, "promotion ordered")                                                     \
	X(OPEN, "open for writes")

enum trace_step {
#define X(n, t) TRACE_##n,
	TRACE_STEPS(X)
#undef X
	TRACE__MAX
};

struct trace {
	int64_t begun_wall_us;     /* 0: none is under way */
	int64_t at_ms[TRACE__MAX]; /* 0: not come to */
	char waited[REASON_SIZE];  /* what the stop waited for, where it took long */
};

/* Somebody whose promise a leader needs while etcd is away. */
struct failsafe_peer {
	char name[NAME_SIZE];
	char api_url[URL_SIZE];
	bool listed; /* in the list that stands in etcd, as far as is known */
	bool wanted; /* in the one that was sent last */
	uint64_t ticket; /* of the question that is out; 0: none */
	int64_t next_ms;
	int64_t asked_ttl_ms; /* with the newest question */
	int64_t promised_at_ms; /* send time of the newest one that it said yes to; 0: none */
	int64_t promised_epoch;
	char why[REASON_SIZE]; /* it said no */
};

struct failsafe {
	int64_t epoch; /* under which the list was written; 0: none is known to be */
	int64_t mod_revision;
	enum failsafe_mode mode;
	char *text; /* as written */
	char *sent; /* as sent, and not known whether it was; NULL: none */
	enum failsafe_mode sent_mode;
	int64_t write_again_ms;
	uint32_t npeers;
	struct failsafe_peer peers[2 * MEMBERS_MAX]; /* of both lists */
};

/* PgBouncers whose clients wait through a hand-over. */
struct poolers {
	uint64_t ticket; /* 0: nothing is under way */
	bool pausing;    /* ... and that is to make them wait */
	int64_t held_since_ms; /* since when we make them wait; 0: we do not */
	/* Whoever leads and serves lets them go: after a takeover, and once in each life, for an
	 * earlier one may have ended while they waited. */
	bool resume_due;
	bool moved;     /* ... and this member is a new primary */
	int64_t retry_ms;
	uint32_t failures; /* in a row */
};

/* A question of an operator that waits for the others' positions. */
struct explain {
	uint64_t command_id;
	uint32_t nifs;
	struct whatif ifs[WHATIFS_MAX];
	uint32_t waiting; /* for so many answers */
	uint32_t nvotes;
	struct vote votes[MEMBERS_MAX];
};

/* An examination of this member. */
struct doctor {
	uint64_t command_id;
	bool looked;       /* the local server was asked about */
	uint32_t next;     /* of the members: whose server is tried next */
	uint32_t waiting;  /* for so many answers */
	struct buf facts;
	struct buf links;
};

#define RECORDER_LINES 256
#define RECORDER_WIDTH 200

/* Decisions whose views are kept whole, so that they can be made again. */
#define RECORDER_VIEWS 16

struct recorder {
	struct buf views[RECORDER_VIEWS];
	uint32_t next_view;
	uint16_t view_rule; /* of the newest of them */
	char lines[RECORDER_LINES][RECORDER_WIDTH];
	uint32_t next;
	uint64_t total;
};

struct agent {
	struct port port;
	struct confdoc *local;
	struct config *config;
	char *dynamic; /* dynamic document in force; NULL: bootstrap.dcs stands in */
	char instance[24]; /* of this start */
	bool started;
	bool stopping;
	bool quit_said;

	struct view view; /* the model; now_ms and wall_us are set at each step */
	struct plan plan;
	bool again; /* something changed that deserves another decision in this step */

	uint64_t next_ticket;
	uint64_t rng;
	struct pending pending[PENDING_MAX];
	uint64_t pending_kinds; /* bits: of which kinds there are any */
	uint64_t refused_kinds; /* bits: the newest answer of etcd to one of them was a refusal */
	int64_t refused_until_ms[TICKET__MAX]; /* not asked again before */
	int64_t refused_wake_ms; /* the latest of these */

	/* etcd */
	struct session session;
	int64_t stream_revision;  /* events up to here are folded */
	int64_t leader_revision;  /* state of the leader key is known as of here */
	bool watching;
	int64_t read_at_ms;       /* newest complete read */
	int64_t read_retry_at_ms;
	int64_t next_proof_ms;
	uint64_t beat_sequence;
	struct page_update page; /* as written last */
	bool page_written;
	int64_t page_at_ms;
	bool page_found; /* by this life, at its start */
	int64_t number_used_revision; /* pgha/timeline as the newest promotion used it */
	int64_t number_retry_ms;
	int64_t refused_revision; /* of the request that this leader has given up; 0 none */
	const char *refused_why;
	struct guard_state guard;
	struct fence fence;
	struct poolers poolers;
	struct release release_sent; /* with the newest ticket of that kind */
	bool release_names; /* it left a request in `failover` that names the successor */
	uint64_t release_ticket; /* a release that may still be carried out; 0: none */
	struct member_text member_texts[MEMBERS_MAX]; /* raw member keys; both strings are ours */
	uint32_t nmember_texts;
	char *config_text;  /* raw `config` */
	char *config_sent; /* document of the change that waits for etcd */
	char *history_text; /* raw `history` */
	char *failsafe_text; /* raw `failsafe` */
	struct failsafe failsafe;
	struct status_key status_key;
	char *member_text;  /* as written last */
	int64_t member_lease_id;
	int64_t member_at_ms;
	bool member_urgent;
	struct member_seen member_seen;
	bool status_moved; /* slots, or what is retained, since it was made last ... */
	uint64_t status_lsn; /* ... and the position it had */
	char *status_text;
	int64_t status_at_ms;
	int64_t status_epoch;
	bool etcd_away_said;

	/* local Postgres */
	struct job job;
	/* Facts from before the newest job's end are old: a probe with a later ticket than this
	 * has to answer first. 0: the facts are fresh. */
	uint64_t settle_ticket;
	int64_t probe_at_ms; /* when the newest probe was asked for */
	bool probe_now;
	int64_t leader_down_at_ms; /* when its Postgres stopped running; 0: it was not seen to */
	bool sql_ok;
	uint32_t nwalsenders;
	struct walsender walsenders[MEMBERS_MAX];
	int64_t walsenders_at_ms; /* when that list was asked for */
	uint32_t nslots;
	struct slot_pos slots[SLOTS_MAX];
	uint32_t nchanges; /* settings that wait for a restart */
	struct setting_change changes[SETTING_CHANGES_MAX];
	int64_t slots_at_ms;
	int64_t slots_asked_at_ms;
	bool apply_wanted;
	bool reload_wanted; /* by Postgres, whether we change one of its files or not */
	bool armed; /* so was the newest APPLY of this life of Postgres */
	bool checkpoint_pending; /* none on this timeline since the promotion */
	int64_t checkpoint_retry_ms;
	bool pre_promote_done;
	int64_t pg_started_at_ms; /* by us; 0: found running */
	int64_t pg_begun_ms; /* when the newest start as primary, or promotion, was asked for */
	int64_t served_since_ms; /* the newest life of Postgres, as primary; 0: it has not */
	uint32_t hasty_ends; /* in a row; see job_exited */
	uint64_t wal_asked_lsn; /* with the last question for the leader's history */
	bool ready_said; /* on_start was called for this life of Postgres */
	bool restart_unsaid; /* it is down for a restart that was asked for */
	enum pg_role role_said;
	struct history own_history;
	struct upstream following; /* what the last FOLLOW or START_STANDBY was told */
	struct retained retained[SLOTS_MAX];
	uint32_t nretained;

	/* operator */
	struct waiting waiting;
	struct restart restart;
	struct explain *explain; /* NULL: nobody asks */
	struct doctor *doctor;   /* the same */
	char note[REASON_SIZE]; /* which way this member came back */

	/* publishing */
	uint16_t said_rule;
	int64_t rule_since_wall_us;
	enum lease_state said_lease;
	char said_leader[NAME_SIZE];
	char said_garbage[ETCD_KEY_SIZE];
	char said_margin[REASON_SIZE];
	enum module_presence said_module; /* in this life of Postgres */
	char said_note[REASON_SIZE];
	char said_trouble[REASON_SIZE];
	struct status *status; /* as published last; its memory serves the next */
	struct buf scratch;    /* for a text that is made and looked at, or copied, at once */
	bool board_dirty;
	int64_t board_at_ms;
	bool cluster_dirty;
	bool sync_quorum; /* synchronous_mode, which leaders of Patroni's go by */
	struct recorder recorder;
	struct telemetry telemetry; /* but for that of etcd, which io has */
	struct trace trace;
	char *trace_text; /* waits to be written; NULL none */
	uint32_t trace_timeline; /* that began by it; 0 none */
	char *decision_text; /* why this member tried to take the key last; NULL none */

	/* what is kept on disk, and whether etcd still knows as much */
	struct durable durable; /* as it should stand there */
	struct durable saved;   /* as it does, or is being written */
	uint64_t save_ticket; /* of the newest one that was asked for */
	int64_t saved_at_ms;
	bool save_failed_said;
	int64_t odd_revision;     /* of a regressed store: newest that it told */
	uint64_t odd_cluster_id;
	uint64_t odd_ticket; /* of the request that told it */
	char regress_why[REASON_SIZE];
	struct seal seal;
};

/* agent.c */
void agent_configure(struct agent *a, const char *dynamic);

/* state.c */
int64_t state_now(const struct agent *a);
/* It holds a lease, be it near its end. */
bool state_leads(const struct agent *a);
/* What a transaction gets that others wait for. An agent that has just started may lead under the
 * lease of its earlier life, and has no session yet. */
int64_t state_urgent_ms(const struct agent *a);
/* A key of this cluster. */
const char *state_key(const struct agent *a, const char *name, char dst[ETCD_KEY_SIZE]);
/* Where this member's REST is reached. */
void state_api_url(const struct agent *a, char dst[URL_SIZE]);
uint64_t state_ticket(struct agent *a, enum ticket_kind kind, int64_t number, const char *name);
struct pending *state_pending(struct agent *a, enum ticket_kind kind);
/* An answer to one of that kind is out, or it was refused a moment ago. */
bool state_waits_for(struct agent *a, enum ticket_kind kind);
bool state_take(struct agent *a, uint64_t ticket, struct pending *ret);
/* Etcd answered it, and does not do it: the same again at once would be refused as well. */
void state_refused(struct agent *a, enum ticket_kind kind);

/* probe.c: when the local Postgres is looked at */
void probe_cycle(struct agent *a);
/* When the next look is due. */
int64_t probe_wake_ms(const struct agent *a);

/* keys.c: the cluster's keys into the view */
void keys_fold_read(struct agent *a, const struct etcd_rep *rep);
void keys_fold_watch(struct agent *a, const struct etcd_watch_msg *msg);
/* The leader's own beat, come back by the watch after the answer that told of it: nothing is new,
 * and nothing is to be decided. False: the message says something else. */
bool keys_fold_echo(struct agent *a, const struct etcd_watch_msg *msg);
/* NULL: there is none. */
void keys_fold_leader(struct agent *a, const struct etcd_kv *kv, int64_t revision);
void keys_fold_else_leader(struct agent *a, const struct etcd_rep *rep);
void keys_forget_texts(struct agent *a);

/* model.c: other facts into the view */
void model_fold_pg(struct agent *a, const struct event *ev);
void model_forget_position(struct agent *a);
bool model_ended_clean(const struct view *v);
void model_fold_vote(struct agent *a, const struct pending *p, const struct event *ev);
void model_fold_own_history(struct agent *a, const struct history *history);
void model_refresh(struct agent *a);

/* txn.c: parts of a transaction */
void txn_cmp_number(struct agent *a, struct etcd_req *req, const char *name,
		    enum etcd_target target, int64_t number);
void txn_cmp_value(struct agent *a, struct etcd_req *req, const char *name, const char *text);
void txn_then_put(struct agent *a, struct etcd_req *req, const char *name, const char *value,
		  int64_t lease_id);
void txn_then_delete(struct agent *a, struct etcd_req *req, const char *name);
void txn_else_get(struct agent *a, struct etcd_req *req, const char *name);
/* Sends it, whatever kind of request it is, and frees it. */
struct pending *txn_send(struct agent *a, enum ticket_kind kind, int64_t number,
			 struct etcd_req *req);

/* term.c: the lease and its proof */
void term_cycle(struct agent *a);
/* Proof and keepalive fall due together: the one, and the other when it is answered. */
void term_join(struct agent *a);
/* When the keepalive is due. */
int64_t term_wake_ms(struct agent *a);
/* From now on the lease is kept alive as often as a leader's. */
void term_keep_soon(struct agent *a);
void term_grant(struct agent *a);
void term_granted(struct agent *a, const struct event *ev);
void term_kept(struct agent *a, const struct pending *p, const struct event *ev);
bool term_writes_beats(const struct agent *a);
void term_then_beat(struct agent *a, struct etcd_req *req, int64_t epoch);
void term_prove(struct agent *a);
void term_proof_answered(struct agent *a, const struct pending *p, const struct event *ev);
void term_proven(struct agent *a, int64_t epoch, int64_t sent_at_ms);
void term_lost(struct agent *a);
void term_page(struct agent *a);

/* store.c: taking and giving the key, and what else is asked of etcd */
void store_start(struct agent *a);
void store_cycle(struct agent *a);
void store_answer(struct agent *a, const struct pending *p, const struct event *ev);
void store_acquire(struct agent *a);
void store_takeover(struct agent *a);
void store_release(struct agent *a, const char *to);
void store_race(struct agent *a);
void store_unrace(struct agent *a);
void store_enrol(struct agent *a);
void store_clear_request(struct agent *a, const char *why);
/* Gives it up for good, also if a read that was under way shows it once more. `why` lives for
 * ever. */
void store_refuse_request(struct agent *a, const char *why);
void store_put_config(struct agent *a, uint64_t command_id, const char *json, bool if_unchanged);
void store_put_request(struct agent *a, const struct request *request);

/* number.c: numbers of timelines, taken before a promotion can use them */
/* Into the transaction that takes the key, where a promotion may follow; 0: none. */
uint32_t number_put(struct agent *a, struct etcd_req *req);
/* Into the one that gives the key back, if no promotion has used it. */
void number_give_back(struct agent *a, struct etcd_req *req);
void number_fold(struct agent *a, uint32_t number, int64_t revision);
/* Under the key, when there is none at hand. */
void number_take(struct agent *a);
void number_answered(struct agent *a, const struct pending *p, const struct event *ev);
bool number_at_hand(const struct agent *a);
void number_use(struct agent *a, struct pg_req *req);

/* seal.c: elections by final positions */
void seal_start(struct agent *a);
void seal_refresh(struct agent *a);
/* Another member asks: we stop receiving, and answer the command when that is done. */
void seal_command(struct agent *a, uint64_t command_id, const struct command *cmd);
/* We are the candidate. false: there is no ballot yet. */
bool seal_candidate(struct agent *a);
void seal_ballot_answered(struct agent *a, const struct event *ev);
void seal_followed(struct agent *a, bool nobody, bool written);
/* For GET /patroni: object; NULL while nothing is promised. Heap. */
char *seal_json(const struct agent *a);
/* It is to tell a final position, and has not come to the end of what it holds. */
bool seal_replays(const struct agent *a);
void seal_saved(struct agent *a, uint64_t ticket);
/* What was asked with that ticket went through consensus at that revision. */
void seal_heard(struct agent *a, uint64_t ticket, int64_t revision);
void seal_cycle(struct agent *a);

/* fence.c: the operator's command against an old leader */
/* Into the transaction that takes the key; and what it was worth. */
void fence_put(struct agent *a, struct etcd_req *req);
void fence_acquired(struct agent *a, int64_t revision);
/* Into the one that gives it back. */
void fence_release(struct agent *a, struct etcd_req *req);
void fence_fold(struct agent *a, const struct etcd_kv *kv, bool complete);
void fence_key_answered(struct agent *a, const struct event *ev);
void fence_refresh(struct agent *a);
void fence_run(struct agent *a);
void fence_answered(struct agent *a, const struct pending *p, const struct event *ev);
void fence_cycle(struct agent *a);

/* poolers.c: clients of PgBouncer wait through a hand-over */
void poolers_configured(struct agent *a);
void poolers_pause(struct agent *a);
/* This member is a new primary. */
void poolers_moved(struct agent *a);
void poolers_answered(struct agent *a, const struct event *ev);
void poolers_cycle(struct agent *a);
/* When it has to be looked at again. */
int64_t poolers_wake_ms(const struct agent *a);

/* fences.c: guardian, watchdog device and module */
void fences_configured(struct agent *a);
void fences_refresh(struct agent *a);
bool fences_may_open(const struct agent *a);
void fences_say_module(struct agent *a);
void fences_status(struct agent *a, struct status *st);
void fences_json(const struct agent *a, struct buf *ret);
/* "guardian, module": what works; and what is required and does not. */
void fences_words(const struct agent *a, char dst[FENCES_WORDS_SIZE]);

/* failsafe.c: a leader without etcd, and those who let it be */
void failsafe_write_cycle(struct agent *a);
void failsafe_written(struct agent *a, const struct pending *p, const struct event *ev);
/* The list in etcd is the one that was written under this epoch. */
bool failsafe_is_settled(const struct agent *a);
void failsafe_cycle(struct agent *a);
int64_t failsafe_wake_ms(const struct agent *a);
void failsafe_answered(struct agent *a, const struct pending *p, const struct event *ev);
void failsafe_command(struct agent *a, uint64_t command_id, const struct command *cmd);
void failsafe_free(struct agent *a);

/* regress.c: the durable record, and an etcd that knows less than it */
/* true: the answer is of a regressed store; it was dealt with here. */
bool regress_check(struct agent *a, const struct pending *p, const struct event *ev);
/* A complete read that cannot be of the history that was seen. */
bool regress_check_read(struct agent *a, const struct etcd_rep *rep);
/* A leader key of that epoch names us, and this life did not write it. */
bool regress_is_old_claim(const struct agent *a, int64_t epoch);
void regress_cycle(struct agent *a);
void regress_saved(struct agent *a, const struct event *ev);
/* NULL, or why not. */
const char *regress_accept(struct agent *a);

/* upkeep.c: what a leader and every member keep true, beyond the table */
void upkeep_cycle(struct agent *a);
void upkeep_answer(struct agent *a, const struct pending *p, const struct event *ev);
void upkeep_member(struct agent *a);
/* Slots as the leader publishes them. */
void upkeep_slots(const struct agent *a, struct status_key *st);

/* job.c: one operation on Postgres at a time */
void job_run(struct agent *a, const struct pg_req *req);
void job_answer(struct agent *a, const struct event *ev);
/* A postmaster has ended. */
void job_exited(struct agent *a);
/* The last start of ours has not proven yet that Postgres stays. */
bool job_start_is_young(const struct agent *a);
void job_ask(struct agent *a, enum ticket_kind kind, const struct pg_req *req);
enum view_job job_view(const struct agent *a);

/* crash.c: the leader's Postgres ended by itself */
void crash_began(struct agent *a);
void crash_refresh(struct agent *a);
/* Where do the commits end, and who has them all? */
void crash_ask(struct agent *a);
void crash_fold_end(struct agent *a, const struct event *ev);
/* What a successor must have; 0: not known, or no crash. */
uint64_t crash_commits_end(const struct view *v);
void crash_say_start(struct agent *a);
void crash_say_release(struct agent *a, const char *to);

enum successor_fit { SUCCESSOR_ASKED = 0, SUCCESSOR_FIT, SUCCESSOR_UNFIT, SUCCESSOR__MAX };

/* successor.c */
/* May it be named, for WAL that ends there? ASKED: it has to tell first, and its answer is on the
 * way. */
enum successor_fit successor_fit(struct agent *a, const char *to, uint64_t end_lsn);
/* What a release leaves in `failover`; true: a request that names the successor. */
bool successor_put(struct agent *a, struct etcd_req *req, const char *to);

/* act.c */
void act_run(struct agent *a);
void act_ask_votes(struct agent *a);
/* Where is that member, unless it was asked since then? */
void act_ask_since(struct agent *a, const struct member *m, int64_t since_ms);

/* hang.c: a Postgres that has not ended and does not work */
void hang_refresh(struct agent *a);
/* Nothing is done that prolongs the lease: the key has to run out. */
bool hang_lapses(const struct agent *a);

/* command.c */
void command_run(struct agent *a, uint64_t id, const struct command *command);
void command_cycle(struct agent *a);
void command_config_written(struct agent *a, uint64_t id, bool answered, bool written);
void command_request_written(struct agent *a, bool written);
void command_answer(struct agent *a, uint64_t id, int code, const char *fmt, ...) _printf_(4, 5);

/* explain.c: what would be if, asked by an operator */
void explain_command(struct agent *a, uint64_t id, const struct command *cmd);
void explain_answered(struct agent *a, const struct pending *p, const struct event *ev);
void explain_cycle(struct agent *a);

/* doctor.c: facts about this member, for who judges them */
void doctor_command(struct agent *a, uint64_t id);
void doctor_answered(struct agent *a, const struct pending *p, const struct event *ev);
void doctor_free(struct agent *a);

/* publish.c */
/* Body of GET /patroni as of now. */
void publish_document(struct agent *a, struct buf *ret);
void publish_cycle(struct agent *a);
enum member_state publish_state(const struct agent *a);
enum member_role publish_role(const struct agent *a);
/* Heap; NULL when no restart is scheduled. */
char *publish_schedule_json(const struct agent *a);

/* trace.c: where the milliseconds of a hand-over went */
void trace_mark(struct agent *a, enum trace_step step);
/* A stop has ended: what it waited for, and when what happened. */
void trace_stopped(struct agent *a, const struct event *ev);
void trace_tell(struct agent *a, const char *what);
/* An election begins, unless this member is in the middle of a hand-over. */
void trace_vacant(struct agent *a);
/* The key is tried for: by which rule, and on what evidence. */
void trace_decision(struct agent *a);
/* Told, kept for etcd, and over. */
void trace_end(struct agent *a, const char *what);
void trace_cycle(struct agent *a);

/* recorder.c */
void recorder_add(struct recorder *r, int64_t at_ms, const char *fmt, ...) _printf_(3, 4);
void recorder_event(struct recorder *r, const struct event *ev);
/* The decision that was just made, where it is another rule than the last. Before it is acted
 * upon, for that may change the view. */
void recorder_decision(struct agent *a);
void recorder_text(const struct recorder *r, struct buf *ret_text);
void recorder_dump(struct agent *a, const char *why);
void recorder_done(struct recorder *r);

#endif
