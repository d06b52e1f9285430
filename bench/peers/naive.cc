/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * The ring that everybody writes first, as a peer.
 *
 * link: -pthread
 */
#include "../naive.h"
#include "program.h"

int main(int count, char **words)
{
	return peer_program<Naive, NaiveBroadcast>("naive", count, words);
}
