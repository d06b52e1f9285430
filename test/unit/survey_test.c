/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Which file systems have to be looked at, and when a file has changed.
 */
#include "survey.h"
#include "harness.h"

#if defined __linux__
#include <linux/magic.h>

TEST(file_system_is_deaf, where_others_can_change_it, 5)
{
	static const unsigned long deaf[] = { NFS_SUPER_MAGIC, SMB_SUPER_MAGIC, CIFS_SUPER_MAGIC, SMB2_SUPER_MAGIC, V9FS_MAGIC,
		FUSE_SUPER_MAGIC, AFS_SUPER_MAGIC, AFS_FS_MAGIC, CODA_SUPER_MAGIC, CEPH_SUPER_MAGIC, OCFS2_SUPER_MAGIC,
		PROC_SUPER_MAGIC, SYSFS_MAGIC };
	static const unsigned long hearing[] = { EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC, TMPFS_MAGIC,
		OVERLAYFS_SUPER_MAGIC, F2FS_SUPER_MAGIC, RAMFS_MAGIC, 0 };

	for (size_t i = 0; i < ARRAY_LEN(deaf); i++)
		CHECK(file_system_is_deaf(deaf[i]));
	for (size_t i = 0; i < ARRAY_LEN(hearing); i++)
		CHECK(!file_system_is_deaf(hearing[i]));
}

/* The type is a number of 32 bits, which long may have with its sign. */
TEST(file_system_is_deaf, whatever_the_sign_of_its_type, 5)
{
	CHECK(file_system_is_deaf((unsigned long)(int32_t)CIFS_SUPER_MAGIC));
}
#endif

/* Each fact by itself shows a change. */
TEST(facts_are_same, if_each_of_them_is, 5)
{
	const struct facts one = { .mode = 1, .device = 2, .inode = 3, .size = 4, .modified = { 5, 6 }, .changed = { 7, 8 } };
	struct facts others[] = { one, one, one, one, one, one, one, one };

	others[0].mode++;
	others[1].device++;
	others[2].inode++;
	others[3].size++;
	others[4].modified.tv_sec++;
	others[5].modified.tv_nsec++;
	others[6].changed.tv_sec++;
	others[7].changed.tv_nsec++;
	CHECK(facts_are_same(&one, &(struct facts){ one.mode, 2, 3, 4, { 5, 6 }, { 7, 8 } }));
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		CHECK(!facts_are_same(&one, &others[i]) && !facts_are_same(&others[i], &one));
}
