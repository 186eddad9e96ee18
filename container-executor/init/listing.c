#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frames.h"
#include "job.h"
#include "listing.h"

/* What is over ends the list as incomplete. A folder in a folder takes a descriptor each. */
enum { MAX_ENTRIES = 10000, MAX_NAMES = 4 * 1024 * 1024, MAX_DEPTH = 64 };
enum { PAGE_HEADER = 9, ENTRY_HEADER = 22 };

static struct entry {
    uint64_t size, allocated;
    uint32_t mode;
    uint32_t path_at;
    uint16_t path_length;
} entries[MAX_ENTRIES];

static char names[MAX_NAMES];
static uint32_t count, names_end;
static bool is_listed, is_complete;
static dev_t device;

/* The job's uid owns what it left, so a mode that keeps the owner out is the owner's to change. */
static int open_owned(int folder, const char *name, int flags, mode_t needed) {
    flags |= O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    int fd = openat(folder, name, O_RDONLY | flags);
    if (fd >= 0 || errno != EACCES) return fd;
    if (fchmodat(folder, name, needed, 0) != 0) return -1;
    return openat(folder, name, O_RDONLY | flags);
}

static void add_entry(const struct stat *found, const char *path, size_t length) {
    if (count == MAX_ENTRIES || length > MAX_NAMES - names_end) {
        is_complete = false;
        return;
    }
    memcpy(names + names_end, path, length);
    entries[count++] = (struct entry){
        .size = (uint64_t)found->st_size,
        .allocated = (uint64_t)found->st_blocks * 512,
        .mode = found->st_mode & 0777,
        .path_at = names_end,
        .path_length = (uint16_t)length,
    };
    names_end += (uint32_t)length;
}

/* Lists a folder and closes it; `path` holds its own path up to `length`. */
static void list_folder(int fd, char *path, size_t length, int depth) {
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    if (folder == NULL) {
        is_complete = false;
        if (fd >= 0) close(fd);
        return;
    }
    for (struct dirent *item; count < MAX_ENTRIES && (item = readdir(folder)) != NULL;) {
        const char *name = item->d_name;
        size_t name_length = strlen(name);
        struct stat found;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) continue;
        if (fstatat(fd, name, &found, AT_SYMLINK_NOFOLLOW) != 0 || found.st_dev != device) continue;
        if (!S_ISREG(found.st_mode) && !S_ISDIR(found.st_mode)) continue;
        if (length + name_length + 1 >= PATH_MAX || depth == MAX_DEPTH) {
            is_complete = false;
            continue;
        }
        memcpy(path + length, name, name_length);
        if (S_ISREG(found.st_mode)) {
            add_entry(&found, path, length + name_length);
            continue;
        }
        path[length + name_length] = '/';
        list_folder(open_owned(fd, name, O_DIRECTORY, 0700), path, length + name_length + 1,
                    depth + 1);
    }
    if (count == MAX_ENTRIES) is_complete = false;
    closedir(folder);
}

static void list_all(void) {
    static char path[PATH_MAX];
    struct stat top;
    is_listed = is_complete = true;
    int fd = open_owned(AT_FDCWD, WORK_FOLDER, O_DIRECTORY, 0700);
    if (fd >= 0 && fstat(fd, &top) == 0) device = top.st_dev;
    list_folder(fd, path, 0, 0);
}

size_t listing_page(uint32_t first, uint8_t *payload) {
    if (!is_listed) list_all();
    size_t at = PAGE_HEADER;
    for (uint32_t index = first; index < count; index++) {
        const struct entry *entry = &entries[index];
        if (at + ENTRY_HEADER + entry->path_length > MAX_OUT_PAYLOAD) break;
        put_u64(payload + at, entry->size);
        put_u64(payload + at + 8, entry->allocated);
        put_u32(payload + at + 16, entry->mode);
        put_u16(payload + at + 20, entry->path_length);
        memcpy(payload + at + ENTRY_HEADER, names + entry->path_at, entry->path_length);
        at += ENTRY_HEADER + entry->path_length;
    }
    put_u32(payload, first);
    put_u32(payload + 4, count);
    payload[8] = is_complete;
    return at;
}

/* Opens a listed file from the work folder down; -1 with errno where it is no regular file. */
static int open_listed(const struct entry *entry) {
    char path[PATH_MAX];
    memcpy(path, names + entry->path_at, entry->path_length);
    path[entry->path_length] = 0;
    int folder = open_owned(AT_FDCWD, WORK_FOLDER, O_DIRECTORY, 0700);
    char *name = path;
    for (char *slash; folder >= 0 && (slash = strchr(name, '/')) != NULL; name = slash + 1) {
        *slash = 0;
        int below = open_owned(folder, name, O_DIRECTORY, 0700);
        close(folder);
        folder = below;
    }
    if (folder < 0) return -1;
    int fd = open_owned(folder, name, 0, 0600);
    close(folder);
    struct stat found;
    if (fd < 0) return -1;
    if (fstat(fd, &found) == 0 && S_ISREG(found.st_mode) && found.st_dev == device) return fd;
    close(fd);
    errno = ESTALE;
    return -1;
}

ssize_t listing_read(uint32_t index, uint64_t offset, uint8_t *bytes, size_t size) {
    /* The file that is being read stays open: it is asked for piece by piece. */
    static uint32_t open_index;
    static int open_fd = -1;
    if (index >= count) {
        errno = ENOENT;
        return -1;
    }
    if (open_fd < 0 || open_index != index) {
        if (open_fd >= 0) close(open_fd);
        open_fd = open_listed(&entries[index]);
        open_index = index;
        if (open_fd < 0) return -1;
    }
    return pread(open_fd, bytes, size, (off_t)offset);
}
