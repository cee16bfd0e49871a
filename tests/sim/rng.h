/* SPDX-License-Identifier: PostgreSQL */
/*
 * rng - the simulator's only source of chance: xoshiro256** seeded through splitmix64
 *
 * Everything that may differ between two runs is drawn here, so a seed is a run.
 */
#ifndef PGHA_SIM_RNG_H
#define PGHA_SIM_RNG_H

#include "base/base.h"

struct rng {
	uint64_t s[4];
};

void rng_init(struct rng *rng, uint64_t seed);
uint64_t rng_next(struct rng *rng);
/* 0 .. n-1; n > 0. */
uint64_t rng_below(struct rng *rng, uint64_t n);
/* low .. high, both inclusive. */
int64_t rng_range(struct rng *rng, int64_t low, int64_t high);
bool rng_chance(struct rng *rng, uint32_t permille);
/* Mostly near low, sometimes up to high: durations as they are found in the wild. */
int64_t rng_skewed(struct rng *rng, int64_t low, int64_t high);

#endif
