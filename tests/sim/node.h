/* SPDX-License-Identifier: PostgreSQL */
/*
 * node - one host: its clock, its agent behind struct port, the page, the guardian
 */
#ifndef PGHA_SIM_NODE_H
#define PGHA_SIM_NODE_H

#include "agent/agent.h"
#include "clock.h"
#include "evq.h"
#include "modelpg.h"
#include "wire/conffile.h"
#include "wire/record.h"

/* An event for an agent with everything it points to. */
struct msg {
	struct event event;
	struct err err;
	struct etcd_rep rep;
	struct etcd_watch_msg watch;
	struct pg_state pg;
	struct history history;
	struct vote vote;
	struct command command;
	struct guard_state guard;
	struct start_facts start;
	struct walsender walsenders[8];
	struct slot_pos slots[PGM_SLOTS_MAX];
	char text[128];
};

struct msg *msg_new(enum event_type type);
void msg_free(void *msg);

#define NODE_SEALING_MAX 32

struct question;

struct node {
	struct world *world;
	uint32_t id;
	char name[NAME_SIZE];
	char host[HOST_SIZE];
	char api_url[URL_SIZE];
	struct clock clock;
	int64_t wall_off_us;
	bool host_down;
	int16_t host_frozen;
	int16_t agent_frozen;
	int16_t guard_frozen;
	int64_t guard_frozen_us; /* since when */
	bool guard_up;           /* its process exists */
	bool guard_starting;
	int16_t guard_fails;     /* none can be started */
	int64_t guard_retry_us;
	enum guard_presence guard_told; /* to this life of the agent */
	int64_t unguarded_us; /* since when an agent that could has led without one */

	struct agent *agent; /* NULL: not running */
	uint64_t life;       /* of the agent */
	bool quit;
	int exit_code;
	bool stay_down; /* nothing restarts the agent but the nemesis */
	struct port port;
	uint64_t wake_gen;
	int64_t wake_at_ms;
	struct status *status; /* what REST would show */
	uint16_t last_rule;
	bool paused; /* as the agent last believed */
	int64_t unpaused_at_us;

	struct durable durable;
	bool has_durable;
	uint64_t boots;
	struct page_update page; /* survives the agent, not the host */
	bool has_page;
	uint64_t guard_gen;
	uint64_t fence_ticket; /* of the fence command that runs; 0: none */
	uint64_t fence_gen;
	char *cache_json;
	struct modelpg pg;

	struct ev *held; /* waits for a thaw */
	size_t nheld;
	size_t held_cap;

	struct plea *pleas[32];      /* asked of this agent, and not answered yet */
	uint64_t plea_tickets[32];   /* asked by it, and not answered yet; 0: free */
	uint64_t next_plea;

	uint64_t next_command;
	struct question *sealing[NODE_SEALING_MAX]; /* peers that wait for our answer */
	int last_answer; /* code of the newest command */
};

void node_init(struct world *world, uint32_t id);
void node_done(struct world *world, uint32_t id);
int64_t node_now_ms(const struct world *world, const struct node *node);

/* Hands a message to the agent of this life later; frees it if that agent is gone by then. */
void node_post(struct world *world, struct node *node, int64_t delay_us, struct msg *msg);
void node_command(struct world *world, struct node *node, const struct command *command);

/* The unit starts the agent, some moments from now. */
void node_boot_later(struct world *world, struct node *node);
void node_agent_start(struct world *world, struct node *node);
void node_agent_kill(struct world *world, struct node *node);
/* SIGTERM. */
void node_agent_stop(struct world *world, struct node *node);
void node_guard_freeze(struct world *world, struct node *node, int add);
void node_agent_freeze(struct world *world, struct node *node, int add);
void node_host_freeze(struct world *world, struct node *node, int add);
void node_host_down(struct world *world, struct node *node);
void node_host_up(struct world *world, struct node *node);
/* The clock is slewed: whatever waits for an instant of it is set anew, as the kernel does. */
void node_clock_rate(struct world *world, struct node *node, int64_t rate_ppm);
/* Every process of its Postgres. */
void node_pg_freeze(struct world *world, struct node *node, int add);
void node_disk_stall(struct world *world, struct node *node, int add);
/* The etcd members' versions as a node learns them. */
void node_etcd_info(struct world *world, struct node *node, int64_t delay_us);

/* fencecmd.c: the operator's fence command; NULL ends the one that runs. */
void fencecmd_run(struct world *world, struct node *node, uint64_t ticket,
		  const struct fence_req *req);

/* port.c: what an agent may ask for. */
void port_forget(struct node *node);
void port_bind(struct node *node);
void port_arm(struct node *node);
/* Whose api_url that is; -1: nobody's. */
int port_peer_of(const struct world *world, const char *api_url);
/* plea.c: what a leader without etcd asks of the others. */
void plea_ask(struct world *world, struct node *node, uint64_t ticket,
	      const struct promise_req *req);
void plea_answered(struct world *world, struct node *target, uint64_t command_id, int code);
void plea_forget(struct node *node);
/* guard.c: the guardian and the module, as far as they read the page. */
void guard_page_changed(struct world *world, struct node *node);
/* The agent has started, and looks after it from now on. */
void guard_wanted(struct world *world, struct node *node);
void guard_kill(struct world *world, struct node *node);
/* Neither frozen nor dead. */
bool guard_watches(const struct node *node);
/* The module lets a commit through, or an acknowledgement out. */
bool guard_gate_open(const struct world *world, const struct node *node);

#endif
