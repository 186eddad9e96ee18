#define _GNU_SOURCE
#include "job.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "filter.h"
#include "frames.h"
#include "seal.h"

enum { FILE_HEADER = 6, JOB_HEADER = KEY_BYTES + SECRET_BYTES + 33, VALUE_FD = 3 };

static int file_fd = -1;
static int files_errno;
static char file_path[PATH_MAX];

/* The strings of a JOB frame: each is its length, its bytes and a zero, so they are used in place. */
static char **parse_strings(const uint8_t **at, size_t *left, uint32_t count) {
    if (count > *left / sizeof(uint32_t)) return NULL;
    char **strings = calloc((size_t)count + 1, sizeof *strings);
    for (uint32_t i = 0; strings != NULL && i < count; i++) {
        if (*left < sizeof(uint32_t)) return NULL;
        size_t length = get_u32(*at);
        if (*left - sizeof(uint32_t) <= length) return NULL;
        const uint8_t *text = *at + sizeof(uint32_t);
        if (memchr(text, 0, length + 1) != text + length) return NULL;
        strings[i] = (char *)(uintptr_t)text;
        *at = text + length + 1;
        *left -= sizeof(uint32_t) + length + 1;
    }
    return strings;
}

bool job_parse(const uint8_t *payload, size_t length, struct job *job) {
    if (length < JOB_HEADER) return false;
    const uint8_t *numbers = payload + KEY_BYTES + SECRET_BYTES;
    memcpy(job->key, payload, KEY_BYTES);
    memcpy(job->secret, payload + KEY_BYTES, SECRET_BYTES);
    job->wants_value = (numbers[0] & JOB_WANTS_VALUE) != 0;
    job->memory_bytes = get_u64(numbers + 1);
    job->cpu_us = get_u64(numbers + 9);
    job->processes = get_u32(numbers + 17);
    job->lease_ms = get_u32(numbers + 21);
    uint32_t argc = get_u32(numbers + 25), envc = get_u32(numbers + 29);
    const uint8_t *at = payload + JOB_HEADER;
    size_t left = length - JOB_HEADER;
    if (argc == 0 || job->lease_ms == 0) return false;
    job->argv = parse_strings(&at, &left, argc);
    job->envp = job->argv == NULL ? NULL : parse_strings(&at, &left, envc);
    return job->envp != NULL && left == 0;
}

/* Whether every part of the path is a name: nothing absolute, empty, `.` or `..`. */
static bool is_inside(const char *path) {
    for (const char *part = path;;) {
        size_t length = strcspn(part, "/");
        if (length == 0 || (length == 1 && part[0] == '.')) return false;
        if (length == 2 && part[0] == '.' && part[1] == '.') return false;
        if (part[length] == 0) return true;
        part += length + 1;
        if (*part == 0) return true; /* A folder's last slash. */
    }
}

/* Makes the folders that the path lies in, and the path's own where it ends in '/'. */
static bool make_folders(char *path, mode_t mode) {
    for (char *slash = strchr(path, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        bool is_own = slash[1] == 0;
        bool made = mkdir(path, is_own ? mode : 0755) == 0 || errno == EEXIST;
        *slash = '/';
        if (!made) return false;
    }
    return true;
}

static int open_file(const uint8_t *payload, size_t length) {
    if (length < FILE_HEADER) return EBADMSG;
    mode_t mode = get_u32(payload) & 0777;
    size_t path_length = get_u16(payload + 4);
    if (path_length > length - FILE_HEADER) return EBADMSG;
    if (path_length >= sizeof file_path) return ENAMETOOLONG;
    memcpy(file_path, payload + FILE_HEADER, path_length);
    file_path[path_length] = 0;
    if (strlen(file_path) != path_length || !is_inside(file_path)) return EINVAL;
    if (!make_folders(file_path, mode)) return errno;
    if (file_path[path_length - 1] == '/') return 0;
    /* No process of the job lives yet, and files are all that was laid: there is no link to follow. */
    file_fd = open(file_path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (file_fd < 0 || fchmod(file_fd, mode) != 0) return errno;
    return 0;
}

static void close_file(void) {
    if (file_fd >= 0) close(file_fd);
    file_fd = -1;
}

void job_file_more(const uint8_t *bytes, size_t length) {
    while (files_errno == 0 && file_fd >= 0 && length > 0) {
        ssize_t count = write(file_fd, bytes, length);
        if (count < 0) {
            /* The limit of a file's size is the folder's: to reach either is to be out of space. */
            files_errno = errno == EFBIG ? ENOSPC : errno;
            return;
        }
        bytes += count;
        length -= (size_t)count;
    }
}

void job_file(const uint8_t *payload, size_t length) {
    if (files_errno != 0) return;
    close_file();
    files_errno = open_file(payload, length);
    if (files_errno != 0) return;
    size_t header = FILE_HEADER + strlen(file_path);
    job_file_more(payload + header, length - header);
}

int job_files_done(const char **path) {
    close_file();
    *path = file_path;
    return files_errno;
}

/* A pipe whose init's end never blocks init; the job's end is as any program expects it. */
static bool make_pipe(int ends[2], int own) {
    return pipe2(ends, O_CLOEXEC) == 0 && fcntl(ends[own], F_SETFL, O_NONBLOCK) == 0;
}

/* Between vfork and exec: shares init's memory, so it changes nothing but its own process. */
static int become_job(const struct job *job, const int fds[4]) {
    sigset_t none;
    sigemptyset(&none);
    struct rlimit processes = {job->processes, job->processes};
    for (int fd = 0; fd < 4; fd++) {
        if (fds[fd] >= 0 && dup2(fds[fd], fd) < 0) return errno;
    }
    if (setsid() < 0) return errno;
    if (job->processes > 0 && setrlimit(RLIMIT_NPROC, &processes) != 0) return errno;
    signal(SIGPIPE, SIG_DFL);
    signal(SIGXFSZ, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (!filter_apply()) return errno;
    execvp(job->argv[0], job->argv);
    return errno;
}

pid_t job_spawn(const struct job *job, struct pipes *pipes) {
    static volatile int failure;
    int in[2], out[2], err[2], value[2] = {-1, -1};
    if (!make_pipe(in, 1) || !make_pipe(out, 0) || !make_pipe(err, 0)) return -1;
    if (job->wants_value && !make_pipe(value, 0)) return -1;
    const int fds[4] = {in[0], out[1], err[1], value[1]};
    /* Init itself reads no environment; execvp searches the PATH of this one. */
    environ = job->envp;
    failure = 0;
    pid_t pid = vfork();
    if (pid == 0) {
        failure = become_job(job, fds);
        _exit(127);
    }
    int fork_failure = errno;
    for (int fd = 0; fd < 4; fd++) {
        if (fds[fd] >= 0) close(fds[fd]);
    }
    *pipes = (struct pipes){in[1], out[0], err[0], value[0]};
    if (pid > 0 && failure == 0) return pid;
    errno = pid < 0 ? fork_failure : failure;
    return -1;
}
