/* SPDX-License-Identifier: PostgreSQL */
/*
 * look - what one look of the Postgres module at the lease page costs
 *
 * usage: look PAGE    processor time; a commit that wrote takes two looks
 */
#include "fence/gate.h"

#include <stdio.h>
#include <time.h>

#define LOOKS 1000000

static double cpu_ns(void)
{
	struct timespec now = { 0 };

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

int main(int argc, char **argv)
{
	struct gate_belief belief = { 0 };
	struct gate gate = GATE_CLOSED;
	struct gate_look look = { 0 };
	struct err err = { 0 };
	double from;

	if (argc != 2 || gate_map(&gate, argv[1], &err) < 0) {
		fprintf(stderr, "look: %s\n", argc == 2 ? err.msg : "usage: look PAGE");
		return 2;
	}
	gate.belief = &belief;
	from = cpu_ns();
	for (int i = 0; i < LOOKS; i++)
		gate_look(&gate, false, &look);
	printf("%.0f ns a look at a page that is %s\n", (cpu_ns() - from) / LOOKS,
	       gate_page_text(&gate, &look));
	leasepage_done(&gate.page);
	return 0;
}
