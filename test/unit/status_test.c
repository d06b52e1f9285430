/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * The texts of the statuses, and the version.
 */
#include "harness.h"

#define STATUSES (DUCT_BUSY + 1)

/* No two statuses read alike, and none like a value that is no status. */
TEST(duct_strerror, each_status_has_a_text_of_its_own, 5)
{
	const char *unknown = duct_strerror((duct_status)STATUSES);

	for (int i = 0; i < STATUSES; i++) {
		CHECK(strlen(duct_strerror((duct_status)i)) > 0);
		CHECK(strcmp(duct_strerror((duct_status)i), unknown) != 0);
		for (int j = 0; j < i; j++)
			CHECK(strcmp(duct_strerror((duct_status)i), duct_strerror((duct_status)j)) != 0);
	}
}

/* A text is one line without an end, ready to stand after a colon. */
TEST(duct_strerror, texts_are_plain_lines, 5)
{
	for (int i = 0; i <= STATUSES; i++) {
		const char *text = duct_strerror((duct_status)i);

		CHECK(strchr(text, '\n') == NULL && text[strlen(text) - 1] != '.');
	}
}

/* Values that are no status have a text too, the same for all. */
TEST(duct_strerror, unknown_values_are_told_as_such, 5)
{
	static const int strangers[] = { STATUSES, STATUSES + 1, 15 };

	for (size_t i = 0; i < ARRAY_LEN(strangers); i++)
		CHECK(strcmp(duct_strerror((duct_status)strangers[i]), "unknown status") == 0);
}

/* The version at run time is that of the header, whose text is made of its numbers. */
TEST(duct_version, is_the_headers, 5)
{
	char text[32];

	snprintf(text, sizeof text, "%d.%d.%d", DUCT_VERSION_MAJOR, DUCT_VERSION_MINOR, DUCT_VERSION_PATCH);
	CHECK(strcmp(duct_version(), text) == 0);
	CHECK(strcmp(duct_version(), DUCT_VERSION) == 0);
}
