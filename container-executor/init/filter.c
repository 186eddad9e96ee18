#define _GNU_SOURCE
#include "filter.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#else
#error "a runtime image is x86-64 or arm64"
#endif

/* On x86-64, numbers from here on are those of another convention, x32. */
#define FOREIGN_NUMBERS 0x40000000

/*
 * Calls whose first argument is a process. A job's limits, priorities and signals are its own
 * affair; those of process 1 are not: a CPU limit of none would make the kernel kill it, and gVisor
 * lets anyone's SIGKILL through.
 */
static const int on_process[] = {
    SYS_prlimit64,         SYS_kill,          SYS_tkill,
    SYS_tgkill,            SYS_rt_sigqueueinfo, SYS_rt_tgsigqueueinfo,
    SYS_pidfd_open,        SYS_sched_setparam, SYS_sched_setscheduler,
    SYS_sched_setattr,     SYS_sched_setaffinity,
};

/*
 * Calls that make or change namespaces. The engine's filter refuses them, but gVisor has none of it;
 * clone3, whose flags no filter sees, is said not to be there, and then clone is used.
 */
static const int on_namespace[] = {SYS_unshare, SYS_setns,      SYS_mount,
                                   SYS_umount2, SYS_pivot_root, SYS_chroot};

#define NEW_NAMESPACES                                                                         \
    (CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | \
     CLONE_NEWCGROUP)

enum {
    CALLS = sizeof on_process / sizeof *on_process,
    NAMESPACE_CALLS = sizeof on_namespace / sizeof *on_namespace,
    MAX_STEPS = 24 + CALLS + 2 * NAMESPACE_CALLS,
};

static struct sock_filter steps[MAX_STEPS];
static struct sock_fprog filter = {0, steps};

static void step(uint16_t code, uint32_t value, uint8_t if_true, uint8_t if_false) {
    steps[filter.len++] = (struct sock_filter){code, if_true, if_false, value};
}

static void load(size_t offset) {
    step(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void answer(uint32_t value) {
    step(BPF_RET | BPF_K, value, 0, 0);
}

/* With the call's number loaded. */
static void refuse(int call, uint32_t failure) {
    step(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, 1);
    answer(SECCOMP_RET_ERRNO | failure);
}

void filter_prepare(void) {
    filter.len = 0;
    /* Another convention has other numbers; the runtime images have no program that needs one. */
    load(offsetof(struct seccomp_data, arch));
    step(BPF_JMP | BPF_JEQ | BPF_K, NATIVE_ARCH, 1, 0);
    answer(SECCOMP_RET_ERRNO | ENOSYS);
    load(offsetof(struct seccomp_data, nr));
    step(BPF_JMP | BPF_JGE | BPF_K, FOREIGN_NUMBERS, 0, 1);
    answer(SECCOMP_RET_ERRNO | ENOSYS);
    refuse(SYS_clone3, ENOSYS);
    for (int call = 0; call < NAMESPACE_CALLS; call++) refuse(on_namespace[call], EPERM);
    step(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 4);
    load(offsetof(struct seccomp_data, args));
    step(BPF_JMP | BPF_JSET | BPF_K, NEW_NAMESPACES, 0, 1);
    answer(SECCOMP_RET_ERRNO | EPERM);
    answer(SECCOMP_RET_ALLOW);
    /* Most calls have another first argument and are done here. Both machines are little-endian. */
    load(offsetof(struct seccomp_data, args));
    step(BPF_JMP | BPF_JEQ | BPF_K, 1, 1, 0);
    answer(SECCOMP_RET_ALLOW);
    load(offsetof(struct seccomp_data, nr));
    for (int call = 0; call < CALLS; call++) {
        /* To the refusal, behind the rest of these and the permission. */
        step(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)on_process[call], (uint8_t)(CALLS - call), 0);
    }
    answer(SECCOMP_RET_ALLOW);
    answer(SECCOMP_RET_ERRNO | EPERM);
}

bool filter_apply(void) {
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}
