/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * The small runner: each test in a process of its own, under an alarm; a test passes if its process exits with 0, which is
 * also how a sanitizer tells of a leak.  An argument picks the tests whose suite/name contains it or, after a minus, leaves
 * them out; to ask for none is a failure.  The last line is "N passed, M failed".
 */
#include "harness.h"

#include <signal.h>
#include <sys/wait.h>

static struct fork_test *tests;

void fork_test_add(struct fork_test *test)
{
	test->next = tests;
	tests = test;
}

static bool passes(const struct fork_test *test, const char *id)
{
	int status;
	pid_t child;

	fflush(NULL);
	child = fork();
	if (child == 0) {
		alarm(test->seconds * (unsigned)test_time_scale());
		test->run();
		exit(0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		return false;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return true;
	if (WIFSIGNALED(status))
		printf("FAIL %s: signal %d%s\n", id, WTERMSIG(status), WTERMSIG(status) == SIGALRM ? " (out of time)" : "");
	else
		printf("FAIL %s: exit %d\n", id, WEXITSTATUS(status));
	return false;
}

static bool is_asked(const char *id, const char *asked)
{
	return asked[0] == '-' ? strstr(id, asked + 1) == NULL : strstr(id, asked) != NULL;
}

int main(int argc, char **argv)
{
	int passed = 0, failed = 0;

	for (struct fork_test *test = tests; test != NULL; test = test->next) {
		char id[256];

		snprintf(id, sizeof id, "%s/%s", test->suite, test->name);
		if (argc > 1 && !is_asked(id, argv[1]))
			continue;
		if (passes(test, id))
			passed++;
		else
			failed++;
	}
	printf("%d passed, %d failed\n", passed, failed);
	return failed != 0 || passed == 0;
}
