/* SPDX-License-Identifier: PostgreSQL */
/*
 * sim - pgha-sim: plays seeds and scenarios, and says which one broke what
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/parse.h"
#include "core/rules.h"
#include "scenario.h"
#include "world.h"

#define FAULTS_FROM_US INT64_C(15000000)
#define FAULTS_FOR_US  INT64_C(60000000)

struct run {
	struct options options;
	uint64_t first;
	uint64_t last;
	bool twice;    /* each seed again: the trace has to be the same */
	bool quiet;
	bool progress; /* name each seed before it is played */
	bool coverage;
	bool stop_early; /* the first failure is enough */
	uint64_t failures;
	uint64_t caught_at; /* a mutant: the seed that caught it; 0: none */
};

static void log_to_trace(void *ctx, const struct log_line *line)
{
	struct world *world = ctx;

	if (line->level != LOG_DEBUG)
		world_trace(world, "  log %s: %s", log_level_name(line->level), line->text);
}

static int play(struct world *world, struct err *err)
{
	if (world->options.scenario) {
		int r = scenario_play(world, world->options.scenario, err);

		if (r < 0)
			return r;
	} else {
		nemesis_init(world, FAULTS_FROM_US);
		world_run(world, FAULTS_FROM_US + FAULTS_FOR_US);
	}
	if (!world->stop && world->options.until_ms == 0)
		final_check(world);
	return 0;
}

static void add_up(const struct world *world, struct coverage *coverage)
{
	coverage->steps += world->steps;
	coverage->simulated_us += (uint64_t)world->now_us;
	coverage->acked += world->oracle.acked;
	coverage->confirmed += world->oracle.confirmed;
	coverage->lost += world->oracle.lost;
	coverage->unheard += world->oracle.unheard;
	coverage->terms += world->oracle.nterms;
	coverage->given_up += world->oracle.chain.given_up;
}

static void report(const struct world *world)
{
	const struct options *options = &world->options;

	printf("FAILED pgha " PGHA_VERSION ": pgha-sim --seed %lu%s%s%s%s\n"
	       "  broken: %s\n  at %.3f ms: %s\n",
	       (unsigned long)options->seed, options->scenario ? " --scenario " : "",
	       options->scenario ? options->scenario : "",
	       options->mutant != MUTANT_NONE ? " --mutant " : "",
	       options->mutant != MUTANT_NONE ? mutant_name(options->mutant) : "",
	       world->oracle.invariant, (double)world->now_us / 1000.0, world->oracle.evidence);
}

/* 0 or 1: whether an invariant broke; < 0: could not be played. */
static int play_seed(struct run *run, uint64_t seed, struct coverage *coverage, uint64_t *ret_hash,
		     struct err *err)
{
	struct world *world;
	bool broken;
	int r;

	run->options.seed = seed;
	world = world_new(&run->options);
	world->oracle.coverage = coverage;
	log_sink_set(log_to_trace, world);
	r = play(world, err);
	broken = world->stop;
	*ret_hash = world->hash;
	add_up(world, coverage);
	if (broken && run->options.mutant == MUTANT_NONE)
		report(world);
	if (run->options.trace)
		printf("seed %lu hash %016lx steps %lu\n", (unsigned long)seed,
		       (unsigned long)world->hash, (unsigned long)world->steps);
	log_sink_set(NULL, NULL);
	world_free(world);
	return r < 0 ? r : broken;
}

static int play_seeds(struct run *run, struct coverage *coverage, struct err *err)
{
	for (uint64_t seed = run->first; seed <= run->last; seed++) {
		uint64_t hash;
		uint64_t again;
		int r;

		if (run->progress) {
			printf("seed %lu\n", (unsigned long)seed);
			(void)fflush(stdout);
		}
		r = play_seed(run, seed, coverage, &hash, err);
		if (r < 0)
			return r;
		run->failures += (uint64_t)r;
		if (r > 0 && run->options.mutant != MUTANT_NONE) {
			run->caught_at = seed;
			return 0;
		}
		if (r > 0 && run->stop_early)
			return 0;
		if (!run->twice)
			continue;
		r = play_seed(run, seed, coverage, &again, err);
		if (r < 0)
			return r;
		if (again != hash) {
			printf("FAILED seed %lu is not the same twice: %016lx, %016lx\n",
			       (unsigned long)seed, (unsigned long)hash, (unsigned long)again);
			run->failures++;
		}
	}
	return 0;
}

static void print_coverage(const struct coverage *coverage)
{
	printf("rules reached:");
	for (size_t i = 0; i < rules_count(); i++)
		if (coverage->rules[rules_at(i)->id] > 0)
			printf(" %u=%lu", rules_at(i)->id,
			       (unsigned long)coverage->rules[rules_at(i)->id]);
	printf("\nrules never reached:");
	for (size_t i = 0; i < rules_count(); i++)
		if (coverage->rules[rules_at(i)->id] == 0)
			printf(" %u(%s)", rules_at(i)->id, rules_at(i)->name);
	printf("\nfaults:");
	for (size_t i = 0; i < FAULT__MAX; i++)
		printf(" %s=%lu", nemesis_name((enum fault)i),
		       (unsigned long)coverage->faults[i]);
	printf("\n");
}

static int summarize(const struct run *run, const struct coverage *coverage)
{
	uint64_t seeds = run->last - run->first + 1;

	if (run->options.mutant != MUTANT_NONE) {
		printf("mutant %s: %s", mutant_name(run->options.mutant),
		       run->caught_at ? "killed" : "SURVIVED");
		if (run->caught_at)
			printf(" by seed %lu", (unsigned long)run->caught_at);
		printf("\n");
		return run->caught_at ? 0 : 1;
	}
	if (!run->quiet)
		printf("%s%s%lu seeds, %lu events, %.1f simulated hours, %lu terms, %lu rows "
		       "acknowledged, %lu of them confirmed by standbys, %lu given up, %lu of those "
		       "confirmed, %lu timelines that nobody else had, %lu failures\n",
		       run->options.scenario ? run->options.scenario : "",
		       run->options.scenario ? ": " : "", (unsigned long)seeds,
		       (unsigned long)coverage->steps, (double)coverage->simulated_us / 3.6e9,
		       (unsigned long)coverage->terms, (unsigned long)coverage->acked,
		       (unsigned long)coverage->confirmed, (unsigned long)coverage->lost,
		       (unsigned long)coverage->unheard, (unsigned long)coverage->given_up,
		       (unsigned long)run->failures);
	if (run->coverage)
		print_coverage(coverage);
	return run->failures == 0 ? 0 : 1;
}

static void usage(void)
{
	printf("usage: pgha-sim [--seed N | --seeds FROM..TO] [--scenario FILE] [--mutant NAME]\n"
	       "                [--trace] [--until MS] [--twice] [--coverage] [--progress]\n"
	       "                [--quiet] [--first-failure] [--list-mutants]\n");
}

static int parse_seeds(const char *text, struct run *run, struct err *err)
{
	char low[24];
	const char *dots = strstr(text, "..");
	int r;

	if (!dots || str_printf(low, sizeof(low), "%.*s", (int)(dots - text), text) < 0)
		return err_set(err, ERR_PARSE, "--seeds wants FROM..TO");
	r = parse_uint(low, UINT64_MAX, &run->first, err);
	return r < 0 ? r : parse_uint(dots + 2, UINT64_MAX, &run->last, err);
}

static int list_mutants(void)
{
	for (size_t i = MUTANT_NONE + 1; i < MUTANT__MAX; i++)
		printf("%s\n", mutant_name((enum mutant)i));
	return 0;
}

static int set_option(struct run *run, int option, const char *value, struct err *err)
{
	switch (option) {
	case 's':
		if (parse_uint(value, UINT64_MAX, &run->first, err) < 0)
			return -ERR_PARSE;
		run->last = run->first;
		return 0;
	case 'S':
		return parse_seeds(value, run, err);
	case 'u':
		return parse_int(value, 1, INT32_MAX, &run->options.until_ms, err);
	case 'f':
		run->options.scenario = value;
		return scenario_options(value, &run->options, err);
	case 'm':
		run->options.mutant = mutant_by_name(value);
		if (run->options.mutant == MUTANT__MAX)
			return err_set(err, ERR_PARSE, "no mutant '%s'", value);
		return 0;
	case 't':
		run->options.trace = true;
		return 0;
	case 'w':
		run->twice = true;
		return 0;
	case 'c':
		run->coverage = true;
		return 0;
	case 'p':
		run->progress = true;
		return 0;
	case 'q':
		run->quiet = true;
		return 0;
	case '1':
		run->stop_early = true;
		return 0;
	default:
		return err_set(err, ERR_PARSE, "unknown option");
	}
}

static const struct option long_options[] = {
	{ "seed", required_argument, NULL, 's' },
	{ "seeds", required_argument, NULL, 'S' },
	{ "until", required_argument, NULL, 'u' },
	{ "scenario", required_argument, NULL, 'f' },
	{ "mutant", required_argument, NULL, 'm' },
	{ "trace", no_argument, NULL, 't' },
	{ "twice", no_argument, NULL, 'w' },
	{ "coverage", no_argument, NULL, 'c' },
	{ "progress", no_argument, NULL, 'p' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "first-failure", no_argument, NULL, '1' },
	{ "list-mutants", no_argument, NULL, 'L' },
	{ NULL, 0, NULL, 0 },
};

int main(int argc, char **argv)
{
	struct run run = { .first = 1, .last = 1, .options.sync = SYNC_DRAWN };
	struct coverage coverage = { 0 };
	struct err err = { 0 };
	int option;

	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (option == 'L')
			return list_mutants();
		if (set_option(&run, option, optarg, &err) < 0) {
			(void)fprintf(stderr, "pgha-sim: %s\n", err.msg);
			usage();
			return 2;
		}
	}
	if (play_seeds(&run, &coverage, &err) < 0) {
		(void)fprintf(stderr, "pgha-sim: %s\n", err.msg);
		return 2;
	}
	return summarize(&run, &coverage);
}
