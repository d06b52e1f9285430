/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Looking: directories are read, files are asked for their facts, and the picture is made to agree.
 *
 * A directory is read twice where anything is known of it: first for the names, so that what is gone is told before what came
 * (a rename looks like one), then for what they stand for.  It is closed before those in it are read: the depth of a tree costs
 * stack, but no descriptors.  Symbolic links are files here, except that a root may be one to a directory.
 *
 * Only what the system says is not there is gone.  Where it does not let us see, the picture stays.
 */
/* Large files, and inodes of large numbers, on systems of 32 bits too.  No type of that kind is in a header. */
#define _FILE_OFFSET_BITS 64

#include "survey.h"

#include "memory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/vfs.h>
#endif

/* ---- Changes --------------------------------------------------------------------------------------------------- */

static bool note(struct survey *survey, const struct node *node, duct_file_change what)
{
	struct change *change;

	if (survey->is_silent)
		return true;
	if ((change = change_new(what, node->length)) == NULL) {
		survey->is_short = true;
		return false;
	}
	node_path(node, change->path);
	batch_note(&survey->batch, change);
	return true;
}

struct node *survey_add(struct survey *survey, struct root *root, struct node *parent, const char *name, bool is_directory)
{
	bool too_long;
	struct node *node = node_new(root, parent, name, &too_long);

	if (node == NULL) {
		survey->is_short |= !too_long;
		return NULL;
	}
	if (!note(survey, node, DUCT_FILE_CREATED)) {
		memory_free(NULL, node);
		return NULL;
	}
	node->is_directory = node->is_due = is_directory;
	tree_put(&survey->tree, node);
	return node;
}

bool survey_forget(struct survey *survey, struct node *node)
{
	while (node->children != NULL)
		if (!survey_forget(survey, node->children))
			return false;
	if (!note(survey, node, DUCT_FILE_DELETED))
		return false;
	marks_untie(&survey->marks, &node->tie);
	tree_take(&survey->tree, node);
	return true;
}

bool survey_modify(struct survey *survey, struct node *node)
{
	return note(survey, node, DUCT_FILE_MODIFIED);
}

/* ---- Facts ----------------------------------------------------------------------------------------------------- */

static void take_facts(struct facts *facts, const struct stat *status)
{
	*facts = (struct facts){ .mode = status->st_mode,
		.device = status->st_dev,
		.inode = status->st_ino,
		.size = status->st_size,
		.modified = status->st_mtim,
		.changed = status->st_ctim };
}

bool facts_at(const char *path, bool follow, struct facts *facts)
{
	struct stat status;

	if (fstatat(AT_FDCWD, path, &status, follow ? 0 : AT_SYMLINK_NOFOLLOW) != 0)
		return false;
	take_facts(facts, &status);
	return true;
}

static bool same_time(const struct timespec *one, const struct timespec *other)
{
	return one->tv_sec == other->tv_sec && one->tv_nsec == other->tv_nsec;
}

bool facts_are_same(const struct facts *one, const struct facts *other)
{
	return one->mode == other->mode && one->device == other->device && one->inode == other->inode &&
	       one->size == other->size && same_time(&one->modified, &other->modified) &&
	       same_time(&one->changed, &other->changed);
}

void survey_compare(struct survey *survey, struct root *root, struct node *parent, const char *name, struct node *node,
    const struct facts *facts)
{
	if (node != NULL && node->is_directory != S_ISDIR(facts->mode)) {
		if (!survey_forget(survey, node))
			return;
		node = NULL;
	}
	if (node == NULL) {
		if ((node = survey_add(survey, root, parent, name, S_ISDIR(facts->mode))) == NULL)
			return;
		node->is_found = true;
	} else if (node->is_directory) {
		node->is_due |= survey->is_deep;
	} else if (!facts_are_same(&node->facts, facts) && !survey_modify(survey, node)) {
		return;
	}
	node->facts = *facts;
}

/* ---- Directories ----------------------------------------------------------------------------------------------- */

bool file_system_is_deaf(unsigned long type)
{
	static const uint32_t types[] = {
		0x6969, 0x517b, 0xff534d42, 0xfe534d42, /* NFS, SMB, CIFS, SMB2 */
		0x01021997, 0x65735546, 0x6a656a63,     /* 9P, FUSE, FakeOwner of virtual machines */
		0x5346414f, 0x6b414653, 0x73757245,     /* AFS, twice; Coda */
		0x00c36400, 0x0bd00bd0, 0x47504653,     /* Ceph, Lustre, GPFS */
		0x7461636f, 0x01161970, 0x19830326,     /* OCFS2, GFS2, BeeGFS */
		0x786f4256, 0xbacbacbc,                 /* shared folders of VirtualBox, VMware */
		0x9fa0, 0x62656572                      /* proc, sysfs */
	};

	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (types[i] == (uint32_t)type)
			return true;
	return false;
}

static void learn_file_system(struct survey *survey, const char *path)
{
#ifdef __linux__
	struct statfs status;

	if (statfs(path, &status) == 0)
		survey->is_deaf |= file_system_is_deaf((unsigned long)status.f_type);
#else
	(void)survey, (void)path;
#endif
}

static bool is_shortage(int error)
{
	return error == ENOMEM || error == EMFILE || error == ENFILE;
}

/* Of one that may not be marked, or read, the directory above tells when that changes; above a root nobody is asked for that. */
static void arm(struct survey *survey, struct node *directory, const char *path)
{
	const bool is_root = directory->parent == NULL;

	switch (marks_tie(&survey->marks, &directory->tie, path, is_root ? MARK_FOLLOW : 0)) {
	case MARKED_SHORT:
		survey->is_short = true;
		break;
	case MARKED_NO_ACCESS:
		survey->is_deaf |= is_root;
		break;
	default:
		break;
	}
}

static DIR *open_directory(struct survey *survey, struct node *directory, const char *path)
{
	const int follow = directory->parent == NULL ? 0 : O_NOFOLLOW;
	const int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK | follow);
	DIR *stream = descriptor != -1 ? fdopendir(descriptor) : NULL;

	directory->is_unread = stream == NULL;
	if (stream != NULL)
		return stream;
	survey->is_short |= is_shortage(errno);
	if (descriptor != -1)
		close(descriptor);
	return NULL;
}

/* A name is still there. */
static void see(struct survey *survey, struct node *directory, DIR *stream, const char *name)
{
	struct node *node = tree_find(&survey->tree, directory, name);

	(void)stream;
	if (node != NULL)
		node->look = survey->look;
}

/* What it stands for now.  What we may not know is a file without facts. */
static void look_at(struct survey *survey, struct node *directory, DIR *stream, const char *name)
{
	struct node *node = tree_find(&survey->tree, directory, name);
	struct facts facts = { 0 };
	struct stat status;

	if (fstatat(dirfd(stream), name, &status, AT_SYMLINK_NOFOLLOW) == 0) {
		take_facts(&facts, &status);
		survey_compare(survey, directory->root, directory, name, node, &facts);
	} else if (errno == ENOENT) {
		if (node != NULL)
			survey_forget(survey, node);
	} else if (node == NULL) {
		survey_compare(survey, directory->root, directory, name, NULL, &facts);
	}
}

static bool each_name(struct survey *survey, struct node *directory, DIR *stream,
    void (*what)(struct survey *survey, struct node *directory, DIR *stream, const char *name))
{
	const struct dirent *entry;

	while (errno = 0, (entry = readdir(stream)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			what(survey, directory, stream, entry->d_name);
	survey->is_short |= is_shortage(errno);
	return errno == 0;
}

static void forget_unseen(struct survey *survey, struct node *directory)
{
	for (struct node *node = directory->children, *next; node != NULL; node = next) {
		next = node->next;
		if (node->look != survey->look && !survey_forget(survey, node))
			return;
	}
}

static void read_directory(struct survey *survey, struct node *directory)
{
	char path[PATH_ROOM];
	DIR *stream;

	node_real_path(directory, path);
	arm(survey, directory, path);
	if (directory->parent != NULL && directory->facts.device != directory->parent->facts.device)
		learn_file_system(survey, path);
	if ((stream = open_directory(survey, directory, path)) == NULL)
		return;
	survey->look++;
	if (directory->children != NULL) {
		if (each_name(survey, directory, stream, see))
			forget_unseen(survey, directory);
		rewinddir(stream);
	}
	each_name(survey, directory, stream, look_at);
	closedir(stream);
}

void survey_below(struct survey *survey, struct node *directory)
{
	directory->is_due = false;
	read_directory(survey, directory);
	for (struct node *node = directory->children; node != NULL; node = node->next)
		if (node->is_due)
			survey_below(survey, node);
}

/* ---- Roots ----------------------------------------------------------------------------------------------------- */

static bool is_absence(int error)
{
	return error == ENOENT || error == ENOTDIR || error == ELOOP;
}

duct_status survey_root(struct survey *survey, struct root *root)
{
	struct facts facts;

	root->is_due = false;
	if (!facts_at(root->real, true, &facts)) {
		survey->is_short |= is_shortage(errno);
		if (is_absence(errno) && root->node != NULL)
			survey_forget(survey, root->node);
		return survey->is_short ? DUCT_NOMEM : DUCT_INVALID;
	}
	learn_file_system(survey, root->real);
	survey->is_deep = true;
	survey_compare(survey, root, NULL, NULL, root->node, &facts);
	if (root->node != NULL && root->node->is_due)
		survey_below(survey, root->node);
	survey->is_deep = false;
	return survey->is_short ? DUCT_NOMEM : DUCT_OK;
}
