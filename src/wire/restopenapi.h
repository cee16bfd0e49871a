/* SPDX-License-Identifier: PostgreSQL */
/*
 * restopenapi - the REST interface described for programs
 */
#ifndef PGHA_WIRE_RESTOPENAPI_H
#define PGHA_WIRE_RESTOPENAPI_H

#include "base/str.h"

/* Appends an OpenAPI 3.1 document of all that restroute.c knows. */
void restopenapi_document(struct buf *ret);

#endif
