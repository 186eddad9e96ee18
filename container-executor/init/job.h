/* The job's files and its processes. */
#ifndef BULKHEAD_JOB_H
#define BULKHEAD_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define WORK_FOLDER "/job"

struct job {
    uint8_t key[16], secret[16];
    bool wants_value;
    /* 0 is no limit. */
    uint64_t memory_bytes, cpu_us;
    uint32_t processes, lease_ms;
    /* Both end with NULL and point into the frame that they came in. */
    char **argv, **envp;
};

/* Init's ends of the job's pipes; -1 where there is none. */
struct pipes {
    int in, out, err, value;
};

/* Reads a JOB frame's payload; false where it is malformed. */
bool job_parse(const uint8_t *payload, size_t length, struct job *job);

/* Lays down the file of a FILE frame, or adds bytes to the last one. What fails first is kept. */
void job_file(const uint8_t *payload, size_t length);
void job_file_more(const uint8_t *payload, size_t length);

/* Ends the files. The errno of what failed, else 0; the path is that of the file, ended by zero. */
int job_files_done(const char **path);

/* Starts the program. Its pid, or -1 with errno as the kernel's reason not to. */
pid_t job_spawn(const struct job *job, struct pipes *pipes);

#endif
