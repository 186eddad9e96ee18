/*
 * Process 1 of a runtime container. It waits for one job, runs it under the limits that the control
 * group cannot set, tells what it does, and proves that nothing of it lives before it says so.
 *
 * Init and job have the same uid and no capability. Init is not dumpable, so the job can neither
 * open its descriptors nor trace it, and as process 1 it takes no signal that it has no handler for.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "filter.h"
#include "frames.h"
#include "inbox.h"
#include "job.h"
#include "listing.h"
#include "outbox.h"
#include "seal.h"
#include "usage.h"

/* How often limits are looked at, and how often processes are killed until none is left. */
enum { WATCH_US = 50 * 1000, KILL_AGAIN_US = 1000 };
enum { OUTPUT_HEADER = 17, VALUE_MAX = 1024 * 1024, DATA_HEADER = 17 };
enum { EXIT_BYTES = 76, NEVER = -1 };

static enum { WAITING, RUNNING, KILLING, DRAINING, ENDED } phase = WAITING;

static struct job job;
static struct pipes pipes = {-1, -1, -1, -1};
static pid_t main_pid;

/* Monotonic microseconds. */
static int64_t started_at, ended_at, lease_until, watch_at, kill_at = NEVER, kill_began;

static struct {
    enum end_kind kind;
    uint32_t code;
    enum kill_reason reason;
    bool disk_full, value_over;
    uint64_t memory_peak, kill_us, stream_bytes[2];
    const char *path;
} report = {.path = ""};

static uint8_t input[STDIN_WINDOW];
static size_t input_start, input_end;
static uint64_t input_received, input_taken;
static bool input_ends, input_told = true;

static uint8_t value[VALUE_MAX];
static uint32_t value_length;

static int64_t now_us(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

static void close_pipe(int *fd) {
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

/* ---- The end of a job ---- */

/* Keeps what is evidence; returns the memory in use. */
static uint64_t see_usage(void) {
    uint64_t memory = usage_memory_bytes();
    if (memory > report.memory_peak) report.memory_peak = memory;
    if (usage_disk().is_full) report.disk_full = true;
    return memory;
}

static void kill_all(enum kill_reason reason) {
    if (phase != RUNNING) return;
    if (report.reason == KILL_NONE) report.reason = reason;
    phase = KILLING;
    kill_began = now_us();
    kill(-1, SIGKILL);
}

/* The main process is gone: what it leaves behind, stopped or daemonised, goes with it. */
static void main_ended(int status) {
    ended_at = now_us();
    report.kind = WIFSIGNALED(status) ? END_SIGNALLED : END_EXITED;
    report.code = (uint32_t)(WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    see_usage();
    kill_all(KILL_NONE);
}

static void reap(void) {
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        job_saw_end(pid);
        if (pid == main_pid) main_ended(status);
    }
    /* Whatever loses its parent becomes a child of process 1, so no child is no process at all. */
    if (pid == 0 || errno != ECHILD || phase != KILLING) return;
    report.kill_us = (uint64_t)(now_us() - kill_began);
    phase = DRAINING;
    close_pipe(&pipes.in);
}

static void tell_exit(void) {
    uint8_t *at = outbox_event();
    size_t path_length = strlen(report.path);
    at[0] = (uint8_t)report.kind;
    put_u32(at + 1, report.code);
    at[5] = (uint8_t)report.reason;
    put_u32(at + 6, usage_oom_kills());
    put_u32(at + 10, usage_pids_refused());
    at[14] = report.disk_full;
    at[15] = report.value_over;
    put_u64(at + 16, (uint64_t)(ended_at - started_at));
    put_u64(at + 24, usage_cpu_us());
    put_u64(at + 32, report.memory_peak);
    put_u64(at + 40, usage_disk().used_bytes);
    put_u64(at + 48, report.kill_us);
    put_u64(at + 56, report.stream_bytes[0]);
    put_u64(at + 64, report.stream_bytes[1]);
    put_u32(at + 72, value_length);
    memcpy(at + EXIT_BYTES, report.path, path_length);
    outbox_add(OUT_EXIT, EXIT_BYTES + path_length);
    phase = ENDED;
}

/* ---- What the executor says ---- */

static void start_job(const struct in_frame *frame) {
    /* A second job, or one that is not to be understood, is the executor's fault: nothing is safe. */
    if (phase != WAITING || !job_parse(frame->payload, frame->length, &job)) _exit(3);
    inbox_set_key(job.key);
    seal_begin(job.secret);
    usage_begin();
    started_at = ended_at = now_us();
    report.code = (uint32_t)job_files_done(&report.path);
    if (report.code != 0) {
        report.kind = END_SETUP_FAILED;
        phase = DRAINING;
        return;
    }
    report.path = "";
    main_pid = job_begin(&job, &pipes);
    if (main_pid < 0) {
        report.kind = END_EXEC_FAILED;
        report.code = (uint32_t)errno;
        kill_began = now_us();
        phase = KILLING;
        return;
    }
    outbox_event();
    outbox_add(OUT_STARTED, 0);
    lease_until = started_at + (int64_t)job.lease_ms * 1000;
    watch_at = started_at;
    phase = RUNNING;
}

static void take_input(const uint8_t *payload, size_t length) {
    if (length < 8) return;
    size_t count = length - 8;
    /* Out of turn, or more than was granted: it comes again after a SYNC, in turn. */
    if (get_u64(payload) != input_received || count > STDIN_WINDOW - (input_end - input_start)) return;
    memmove(input, input + input_start, input_end - input_start);
    input_end -= input_start;
    input_start = 0;
    memcpy(input + input_end, payload + 8, count);
    input_end += count;
    input_received += count;
}

static void cancel(uint32_t grace_ms) {
    if (phase != RUNNING) return;
    if (grace_ms == 0) {
        kill_all(KILL_CANCELLED);
        return;
    }
    if (report.reason == KILL_NONE) report.reason = KILL_CANCELLED;
    int64_t until = now_us() + (int64_t)grace_ms * 1000;
    if (kill_at == NEVER) kill(-1, SIGTERM);
    if (kill_at == NEVER || until < kill_at) kill_at = until;
}

static void answer_stats(void) {
    uint8_t *at = outbox_answer_payload();
    put_u64(at, usage_cpu_us());
    put_u64(at + 8, usage_memory_bytes());
    put_u64(at + 16, usage_disk().used_bytes);
    put_u32(at + 24, usage_processes());
    outbox_answer(OUT_STATS, 28);
}

static void answer_read(uint32_t index, uint64_t offset) {
    uint8_t *at = outbox_answer_payload();
    size_t size = MAX_OUT_PAYLOAD - DATA_HEADER;
    ssize_t count = 0;
    errno = 0;
    if (phase != ENDED) {
        count = -1;
        errno = EBUSY;
    } else if (index != VALUE_INDEX) {
        count = listing_read(index, offset, at + DATA_HEADER, size);
    } else if (offset < value_length) {
        size_t left = value_length - (size_t)offset;
        count = (ssize_t)(left < size ? left : size);
        memcpy(at + DATA_HEADER, value + offset, (size_t)count);
    }
    put_u32(at, index);
    put_u64(at + 4, offset);
    put_u32(at + 12, count < 0 ? (uint32_t)errno : 0);
    at[16] = count <= 0;
    outbox_answer(OUT_DATA, DATA_HEADER + (count < 0 ? 0 : (size_t)count));
}

static void tell_input_taken(void) {
    put_u64(outbox_answer_payload(), input_taken);
    outbox_answer(OUT_STDIN_TAKEN, 8);
    input_told = true;
}

static void answer_sync(const uint8_t *key, uint64_t seq) {
    uint8_t *at = outbox_answer_payload();
    outbox_rewind(seq);
    memcpy(at, key, KEY_BYTES);
    put_u64(at + KEY_BYTES, input_received);
    put_u64(at + KEY_BYTES + 8, input_taken);
    outbox_answer(OUT_SYNCED, KEY_BYTES + 16);
}

static void handle(const struct in_frame *frame) {
    const uint8_t *payload = frame->payload;
    size_t length = frame->length;
    if (frame->type == IN_FILE && phase == WAITING) job_file(payload, length);
    if (frame->type == IN_FILE_MORE && phase == WAITING) job_file_more(payload, length);
    if (frame->type == IN_JOB) start_job(frame);
    if (frame->type == IN_STDIN) take_input(payload, length);
    if (frame->type == IN_STDIN_END && length == 8 && get_u64(payload) == input_received) {
        input_ends = true;
    }
    if (frame->type == IN_ACK && length == 8) outbox_ack(get_u64(payload));
    if (frame->type == IN_RENEW) lease_until = now_us() + (int64_t)job.lease_ms * 1000;
    if (frame->type == IN_CANCEL && length == 4) cancel(get_u32(payload));
    if (frame->type == IN_STATS) answer_stats();
    if (frame->type == IN_LIST && length == 4 && phase == ENDED) {
        outbox_answer(OUT_LISTING, listing_page(get_u32(payload), outbox_answer_payload()));
    }
    if (frame->type == IN_READ && length == 12) answer_read(get_u32(payload), get_u64(payload + 4));
    if (frame->type == IN_SYNC && length == KEY_BYTES + 8) {
        answer_sync(payload, get_u64(payload + KEY_BYTES));
    }
    if (frame->type == IN_BYE) _exit(0);
}

/* ---- What the job says ---- */

static void read_output(int *fd, uint8_t stream) {
    size_t size = MAX_OUT_PAYLOAD - OUTPUT_HEADER;
    uint8_t *at = outbox_event();
    ssize_t count = read(*fd, at + 9, size);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count <= 0) {
        close_pipe(fd);
        return;
    }
    at[0] = stream;
    put_u64(at + 1, report.stream_bytes[stream - 1]);
    report.stream_bytes[stream - 1] += (uint64_t)count;
    outbox_add(OUT_OUTPUT, 9 + (size_t)count);
}

static void read_value(void) {
    uint8_t over;
    size_t left = VALUE_MAX - value_length;
    ssize_t count = left > 0 ? read(pipes.value, value + value_length, left)
                             : read(pipes.value, &over, 1);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count > 0 && left == 0) report.value_over = true;
    if (count <= 0 || left == 0) close_pipe(&pipes.value);
    else value_length += (uint32_t)count;
}

static void write_input(void) {
    while (pipes.in >= 0 && input_start < input_end) {
        ssize_t count = write(pipes.in, input + input_start, input_end - input_start);
        if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
        /* A job that has closed its input takes everything from now on, unread. */
        if (count < 0) close_pipe(&pipes.in);
        else input_start += (size_t)count;
    }
    if (pipes.in < 0) input_start = input_end;
    input_told = input_told && input_taken == input_received - (input_end - input_start);
    input_taken = input_received - (input_end - input_start);
    if (input_ends && input_start == input_end) close_pipe(&pipes.in);
}

/* ---- The loop ---- */

static void watch_limits(int64_t now) {
    watch_at = now + WATCH_US;
    uint64_t memory = see_usage();
    if (kill_at != NEVER && now >= kill_at) kill_all(KILL_CANCELLED);
    if (now >= lease_until) kill_all(KILL_LEASE);
    if (job.memory_bytes > 0 && memory > job.memory_bytes) kill_all(KILL_MEMORY);
    if (report.disk_full) kill_all(KILL_DISK);
    if (job.cpu_us > 0 && usage_cpu_us() > job.cpu_us) kill_all(KILL_CPU);
}

static int64_t wake_in_us(int64_t now) {
    if (phase == KILLING) return KILL_AGAIN_US;
    if (phase != RUNNING) return NEVER;
    int64_t next = watch_at < lease_until ? watch_at : lease_until;
    if (kill_at != NEVER && kill_at < next) next = kill_at;
    return next > now ? next - now : 0;
}

static void wait_for_work(struct pollfd *fds, nfds_t count) {
    int64_t wake = wake_in_us(now_us());
    struct timespec timeout = {wake / 1000000, wake % 1000000 * 1000};
    ppoll(fds, count, wake == NEVER ? NULL : &timeout, NULL);
}

static void turn(int children) {
    struct in_frame frame;
    while (outbox_takes_answers() && inbox_next(&frame)) handle(&frame);
    if (inbox_is_broken()) _exit(3);
    if (phase != WAITING) write_input();
    if (!input_told && outbox_takes_answers()) tell_input_taken();
    bool is_drained = pipes.out < 0 && pipes.err < 0 && pipes.value < 0;
    if (phase == DRAINING && is_drained && outbox_has_room(MAX_OUT_PAYLOAD)) tell_exit();

    bool reads_output = outbox_has_room(MAX_OUT_PAYLOAD);
    struct pollfd fds[] = {
        {.fd = outbox_takes_answers() ? STDIN_FILENO : -1, .events = POLLIN},
        {.fd = outbox_has_work() ? STDOUT_FILENO : -1, .events = POLLOUT},
        {.fd = children, .events = POLLIN},
        {.fd = reads_output ? pipes.out : -1, .events = POLLIN},
        {.fd = reads_output ? pipes.err : -1, .events = POLLIN},
        {.fd = pipes.value, .events = POLLIN},
        {.fd = input_start < input_end ? pipes.in : -1, .events = POLLOUT},
    };
    wait_for_work(fds, sizeof fds / sizeof *fds);

    if (fds[0].revents != 0 && inbox_read(STDIN_FILENO) == INBOX_CLOSED) _exit(0);
    if (fds[2].revents != 0) {
        struct signalfd_siginfo ignored;
        while (read(children, &ignored, sizeof ignored) > 0) continue;
    }
    if (phase == KILLING) kill(-1, SIGKILL);
    if (fds[2].revents != 0 || phase == KILLING) reap();
    int64_t now = now_us();
    bool is_due = now >= watch_at || now >= lease_until || (kill_at != NEVER && now >= kill_at);
    if (phase == RUNNING && is_due) watch_limits(now);

    if (fds[3].revents != 0 && outbox_has_room(MAX_OUT_PAYLOAD)) read_output(&pipes.out, 1);
    if (fds[4].revents != 0 && outbox_has_room(MAX_OUT_PAYLOAD)) read_output(&pipes.err, 2);
    if (fds[5].revents != 0) read_value();
    if (!outbox_write(STDOUT_FILENO)) _exit(0);
}

static void close_inherited(void) {
    if (close_range(3, ~0U, 0) == 0) return;
    for (int fd = 3; fd < 1024; fd++) close(fd);
}

int main(int argc, char **argv) {
    struct rlimit none = {0, 0};
    sigset_t child;
    if (getpid() != 1) {
        fputs("bulkhead init: to be process 1 of a container\n", stderr);
        return 2;
    }
    if (prctl(PR_SET_DUMPABLE, 0) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return 4;
    if (setrlimit(RLIMIT_CORE, &none) != 0 || chdir(WORK_FOLDER) != 0) return 4;
    close_inherited();
    umask(022);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, NULL);
    int children = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    if (children < 0 || fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK) != 0) return 4;
    if (fcntl(STDOUT_FILENO, F_SETFL, O_NONBLOCK) != 0) return 4;

    filter_prepare();
    if (argc > 1) job_warm_up(argv + 1);
    *outbox_answer_payload() = PROTOCOL_VERSION;
    outbox_answer(OUT_READY, 1);
    for (;;) turn(children);
}
