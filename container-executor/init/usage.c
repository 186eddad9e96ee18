#define _GNU_SOURCE
#include "usage.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "job.h"

#define GROUPS "/sys/fs/cgroup/"

/* Read anew from their start each time: opening is what costs. */
static int memory_fd = -1, kernel_fd = -1, cpu_fd = -1, oom_fd = -1, pids_fd = -1, count_fd = -1;
static bool has_groups_2, is_gvisor;
static uint64_t cpu_before;
static uint32_t oom_before, pids_before;

static bool read_text(int fd, char *text, size_t size) {
    ssize_t count = fd < 0 ? -1 : pread(fd, text, size - 1, 0);
    if (count < 0) return false;
    text[count] = 0;
    return true;
}

/* The number after a name that begins a line; 0 where there is none. */
static uint64_t number_after(const char *text, const char *name) {
    size_t length = strlen(name);
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        if (*line == '\n') line++;
        if (strncmp(line, name, length) == 0) return strtoull(line + length, NULL, 10);
    }
    return 0;
}

static uint64_t field_of(int fd, const char *name) {
    char text[8192];
    return read_text(fd, text, sizeof text) ? number_after(text, name) : 0;
}

static int open_source(const char *path) {
    return open(path, O_RDONLY | O_CLOEXEC);
}

void usage_begin(void) {
    memory_fd = open_source(GROUPS "memory/memory.stat");
    if (memory_fd >= 0) {
        kernel_fd = open_source(GROUPS "memory/memory.kmem.usage_in_bytes");
        cpu_fd = open_source(GROUPS "cpuacct/cpuacct.usage");
        oom_fd = open_source(GROUPS "memory/memory.oom_control");
        pids_fd = open_source(GROUPS "pids/pids.events");
        count_fd = open_source(GROUPS "pids/pids.current");
    } else if ((memory_fd = open_source(GROUPS "memory.stat")) >= 0) {
        has_groups_2 = true;
        cpu_fd = open_source(GROUPS "cpu.stat");
        oom_fd = open_source(GROUPS "memory.events");
        pids_fd = open_source(GROUPS "pids.events");
        count_fd = open_source(GROUPS "pids.current");
    } else {
        /* Without groups only gVisor's /proc tells of this container alone; it has no RssAnon. */
        char status[4096];
        int status_fd = open_source("/proc/self/status");
        is_gvisor = read_text(status_fd, status, sizeof status) && !strstr(status, "RssAnon:");
        if (status_fd >= 0) close(status_fd);
        if (is_gvisor) memory_fd = open_source("/proc/meminfo");
    }
    cpu_before = usage_cpu_us();
    oom_before = usage_oom_kills();
    pids_before = usage_pids_refused();
}

static uint64_t micros(struct timeval time) {
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_usec;
}

/* CPU time of a live process and of those that it has reaped. */
static uint64_t process_cpu_us(const char *pid) {
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%.20s/stat", pid);
    int fd = open_source(path);
    bool is_read = read_text(fd, text, sizeof text);
    if (fd >= 0) close(fd);
    /* The name before it may hold anything; after its last bracket 11 fields are skipped. */
    char *at = is_read ? strrchr(text, ')') : NULL;
    if (at == NULL) return 0;
    for (int field = 0; field < 12 && at != NULL; field++) at = strchr(at + 1, ' ');
    uint64_t ticks = 0;
    for (int field = 0; field < 4 && at != NULL; field++) ticks += strtoull(at, &at, 10);
    return ticks * 1000000 / (uint64_t)sysconf(_SC_CLK_TCK);
}

/* Of all processes but init, by /proc: their CPU time, and how many there are. */
static uint64_t live_cpu_us(uint32_t *count) {
    uint64_t total = 0;
    DIR *processes = opendir("/proc");
    for (struct dirent *entry; processes != NULL && (entry = readdir(processes)) != NULL;) {
        bool is_process = entry->d_name[0] >= '1' && entry->d_name[0] <= '9';
        if (!is_process || strcmp(entry->d_name, "1") == 0) continue;
        total += process_cpu_us(entry->d_name);
        (*count)++;
    }
    if (processes != NULL) closedir(processes);
    return total;
}

uint64_t usage_cpu_us(void) {
    char text[256];
    uint64_t total = 0;
    if (read_text(cpu_fd, text, sizeof text)) {
        total = has_groups_2 ? number_after(text, "usage_usec ") : strtoull(text, NULL, 10) / 1000;
    } else {
        struct rusage reaped;
        uint32_t count = 0;
        getrusage(RUSAGE_CHILDREN, &reaped);
        total = micros(reaped.ru_utime) + micros(reaped.ru_stime) + live_cpu_us(&count);
    }
    return total < cpu_before ? 0 : total - cpu_before;
}

uint64_t usage_memory_bytes(void) {
    char text[8192];
    if (!read_text(memory_fd, text, sizeof text)) return 0;
    if (is_gvisor) {
        uint64_t anonymous = number_after(text, "AnonPages:"), tmpfs = number_after(text, "Shmem:");
        return anonymous < tmpfs ? 0 : (anonymous - tmpfs) * 1024;
    }
    if (!has_groups_2) return number_after(text, "rss ") + field_of(kernel_fd, "");
    uint64_t kernel = number_after(text, "kernel ");
    if (kernel == 0) kernel = number_after(text, "slab ") + number_after(text, "kernel_stack ");
    return number_after(text, "anon ") + kernel;
}

uint32_t usage_processes(void) {
    uint32_t count = 0;
    if (count_fd >= 0) {
        count = (uint32_t)field_of(count_fd, "");
        return count > 0 ? count - 1 : 0;
    }
    live_cpu_us(&count);
    return count;
}

uint32_t usage_oom_kills(void) {
    return (uint32_t)field_of(oom_fd, "oom_kill ") - oom_before;
}

uint32_t usage_pids_refused(void) {
    return (uint32_t)field_of(pids_fd, "max ") - pids_before;
}

struct disk_usage usage_disk(void) {
    struct statvfs disk;
    if (statvfs(WORK_FOLDER, &disk) != 0) return (struct disk_usage){0, false};
    return (struct disk_usage){
        (uint64_t)(disk.f_blocks - disk.f_bfree) * disk.f_frsize,
        /* A file system that counts none has no bound: gVisor counts no inodes. */
        (disk.f_blocks > 0 && disk.f_bavail == 0) || (disk.f_files > 0 && disk.f_ffree == 0),
    };
}
