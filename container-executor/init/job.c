#define _GNU_SOURCE
#include "job.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "filter.h"
#include "frames.h"
#include "seal.h"

enum { FILE_HEADER = 6, JOB_HEADER = KEY_BYTES + SECRET_BYTES + 37 };

/* The descriptors of a job: its standard ones, its value, and what the waiting program is told. */
enum { IN, OUT, ERR, VALUE, CONTROL, FDS };

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
    job->warm_from = get_u32(numbers + 1);
    job->memory_bytes = get_u64(numbers + 5);
    job->cpu_us = get_u64(numbers + 13);
    job->processes = get_u32(numbers + 21);
    job->lease_ms = get_u32(numbers + 25);
    uint32_t argc = get_u32(numbers + 29), envc = get_u32(numbers + 33);
    const uint8_t *at = payload + JOB_HEADER;
    size_t left = length - JOB_HEADER;
    if (argc <= job->warm_from || job->lease_ms == 0) return false;
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
static int become_job(char **argv, uint32_t processes, const int fds[FDS]) {
    sigset_t none;
    sigemptyset(&none);
    struct rlimit limit = {processes, processes};
    for (int fd = 0; fd < FDS; fd++) {
        if (fds[fd] >= 0 && dup2(fds[fd], fd) < 0) return errno;
    }
    if (setsid() < 0) return errno;
    if (processes > 0 && setrlimit(RLIMIT_NPROC, &limit) != 0) return errno;
    signal(SIGPIPE, SIG_DFL);
    signal(SIGXFSZ, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (!filter_apply()) return errno;
    execvp(argv[0], argv);
    return errno;
}

/* Starts a program with new pipes, of which init's ends are left in `own`. */
static pid_t spawn(char **argv, uint32_t processes, const bool wanted[FDS], int own[FDS]) {
    static volatile int failure;
    int theirs[FDS];
    for (int fd = 0; fd < FDS; fd++) {
        int mine = fd == IN || fd == CONTROL ? 1 : 0, ends[2] = {-1, -1};
        if (wanted[fd] && !make_pipe(ends, mine)) return -1;
        own[fd] = ends[mine];
        /* Above all that a dup2 will put in its place. */
        theirs[fd] = wanted[fd] ? fcntl(ends[1 - mine], F_DUPFD_CLOEXEC, FDS) : -1;
        if (wanted[fd]) close(ends[1 - mine]);
    }
    failure = 0;
    pid_t pid = vfork();
    if (pid == 0) {
        failure = become_job(argv, processes, theirs);
        _exit(127);
    }
    int fork_failure = errno;
    for (int fd = 0; fd < FDS; fd++) {
        if (theirs[fd] >= 0) close(theirs[fd]);
    }
    if (pid > 0 && failure == 0) return pid;
    errno = pid < 0 ? fork_failure : failure;
    return -1;
}

static pid_t warm_pid = -1;
static int warm_fds[FDS];

void job_warm_up(char **argv) {
    static const bool all[FDS] = {true, true, true, true, true};
    warm_pid = spawn(argv, 0, all, warm_fds);
}

void job_saw_end(pid_t pid) {
    if (pid == warm_pid) warm_pid = -1;
}

/* Tells the waiting program what to run; false where it has to be another. */
static bool hand_over(const struct job *job) {
    static char record[PIPE_BUF * 8];
    uint32_t argc = 0;
    for (char **argument = job->argv + job->warm_from; argument[argc] != NULL;) argc++;
    size_t length = (size_t)snprintf(record, sizeof record, "%u", argc) + 1;
    char **const lists[] = {job->argv + job->warm_from, job->envp};
    for (int list = 0; list < 2; list++) {
        for (char **text = lists[list]; *text != NULL; text++) {
            size_t size = strlen(*text) + 1;
            if (size > sizeof record - length) return false;
            memcpy(record + length, *text, size);
            length += size;
        }
    }
    struct rlimit limit = {job->processes, job->processes};
    if (job->processes > 0 && prlimit(warm_pid, RLIMIT_NPROC, &limit, NULL) != 0) return false;
    /* It is less than an empty pipe holds, so all of it or nothing is taken. */
    return write(warm_fds[CONTROL], record, length) == (ssize_t)length;
}

pid_t job_begin(const struct job *job, struct pipes *pipes) {
    const bool wanted[FDS] = {true, true, true, job->wants_value, false};
    int own[FDS];
    bool is_warm = warm_pid > 0 && job->warm_from > 0 && hand_over(job);
    pid_t pid = warm_pid;
    if (warm_pid > 0) close(warm_fds[CONTROL]);
    if (is_warm) {
        memcpy(own, warm_fds, sizeof own);
        if (!job->wants_value) {
            close(own[VALUE]);
            own[VALUE] = -1;
        }
    } else {
        if (warm_pid > 0) {
            kill(warm_pid, SIGKILL);
            for (int fd = 0; fd < CONTROL; fd++) close(warm_fds[fd]);
        }
        /* Init itself reads no environment; execvp searches the PATH of this one. */
        environ = job->envp;
        pid = spawn(job->argv, job->processes, wanted, own);
    }
    *pipes = (struct pipes){own[IN], own[OUT], own[ERR], own[VALUE]};
    return pid;
}
