#!/bin/sh
# SPDX-License-Identifier: PostgreSQL
#
# check-seeds - whole clusters in virtual time: no seed may break an invariant
#
# SEEDS=FROM..TO for others than the usual ones. Runs in the build directory.
set -eu
tests/sim/pgha-sim --seeds "${SEEDS:-1..200}" >check-seeds.out 2>&1 || { cat check-seeds.out; exit 1; }
tail -n 1 check-seeds.out
grep -q ' seeds, .* 0 failures$' check-seeds.out
rm -f check-seeds.out
