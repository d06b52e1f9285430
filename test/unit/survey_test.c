/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Which file systems have to be looked at.
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
