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
    /* Where the waiting program's arguments begin in argv; 0 where the job is none for it. */
    uint32_t warm_from;
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

/*
 * Starts the program that waits for the job, an interpreter that has begun already: it runs under all
 * that the job will, and reads what to run from descriptor 4: the count of arguments, the arguments
 * and the environment, each ended by a zero byte, up to the end of the pipe.
 */
void job_warm_up(char **argv);

/* To be told of every process that ended: the waiting program may, and then is not asked. */
void job_saw_end(pid_t pid);

/* Starts the job. Its main process, or -1 with errno as the kernel's reason not to. */
pid_t job_begin(const struct job *job, struct pipes *pipes);

#endif
