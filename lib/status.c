/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * The texts of the statuses, and the version.
 */
#include <duct.h>

const char *duct_strerror(duct_status status)
{
	switch (status) {
	case DUCT_OK:
		return "success";
	case DUCT_FULL:
		return "channel is full";
	case DUCT_EMPTY:
		return "nothing is there";
	case DUCT_TIMEDOUT:
		return "deadline passed";
	case DUCT_CANCELED:
		return "wait was canceled";
	case DUCT_CLOSED:
		return "channel is closed";
	case DUCT_NO_RECEIVERS:
		return "channel has no receivers";
	case DUCT_LAGGED:
		return "receiver lost messages";
	case DUCT_INVALIDATED:
		return "receiver became a peekable";
	case DUCT_NOMEM:
		return "out of memory or system resources";
	case DUCT_INVALID:
		return "invalid parameter";
	case DUCT_UNSUPPORTED:
		return "not supported here";
	case DUCT_UNANSWERED:
		return "message was taken but not answered";
	case DUCT_BUSY:
		return "another call is in flight";
	}
	return "unknown status";
}

const char *duct_version(void)
{
	return DUCT_VERSION;
}
