/* SPDX-License-Identifier: MIT */
/* services/config/service.h - the document, served as proto/config.h says.
 *
 * It only reads, so clients have no state here.
 */
#pragma once
#include <proto/config.h>
#include <services/config/document.h>

/* `self` of each is a struct document. */
extern const struct config_ops service_ops;
