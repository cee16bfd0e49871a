/* SPDX-License-Identifier: PostgreSQL */
/*
 * base - what _cleanup_ calls
 */
#include "base/base.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void freep(void *pp)
{
	void *p;

	/* pp points at a pointer of any type; memcpy keeps clear of the aliasing rules. */
	memcpy(&p, pp, sizeof(p));
	free(p);
}

/* Cleanup runs between a failed call and its caller's look at errno. */
void closep(int *fdp)
{
	int saved = errno;

	if (*fdp >= 0)
		(void)close(*fdp);
	*fdp = -1;
	errno = saved;
}
